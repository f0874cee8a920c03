import { describe, expect, it, vi } from 'vitest';
import type { QueueEntry, RunReceipt, ShownTicket, ThreadStatus } from '../../schemas/control.ts';
import type { Message } from '../../schemas/message.ts';
import type { EventBody, RunEvent } from '../../schemas/run-event.ts';
import type { Outcome, Run } from '../../schemas/run.ts';
import { Fault, type FollowedEvent, Unreachable } from '../../src/client/index.ts';
import { FakeTerminal } from '../support/fake-terminal.ts';
import { shownTicket } from '../support/shown-ticket.ts';

const atMs = Date.UTC(2026, 0, 2, 3, 4, 5);
const completed: Outcome = { type: 'completed', stop: 'end_turn', pendingToolCalls: [] };
const failed: Outcome = {
  type: 'failed',
  fault: { code: 'agent-refused', message: 'it will not', retryable: false },
  retryable: false,
};
const receipt: RunReceipt = {
  threadId: 't',
  activationId: 'control:k',
  runId: 'run_1',
  became: 'running',
  blockedBy: [],
};
const run: Run = {
  id: 'run_1',
  threadId: 't',
  agentId: 'demo',
  agentVersion: '1',
  status: 'done',
  actor: 'local',
  attempt: 1,
  interruptions: 0,
  activations: ['control:k'],
  rootRunId: 'run_1',
  deliveries: [],
  createdAtMs: atMs,
  endedAtMs: atMs + 1000,
  outcome: completed,
};
const ticket = shownTicket({ openedAtMs: atMs, expiresAtMs: atMs });
const message: Message = {
  id: 'm1',
  seq: 1,
  actor: 'local',
  role: 'assistant',
  parts: [{ type: 'text', text: 'two\nlines' }],
};
const entry = {
  activation: { id: 'control:q', revision: 3, actor: 'ann', state: { is: 'queued', runId: 'run_2' } },
  messages: [{ id: 'm9', role: 'user', parts: [{ type: 'text', text: 'later' }] }],
  whenBusy: 'queue',
} as unknown as QueueEntry;

/** What `follow` gives for a run that records these and ends so. */
function following(bodies: readonly EventBody[], outcome: Outcome | 'none' = completed) {
  const all = [...bodies, ...(outcome === 'none' ? [] : [{ type: 'run.finished', outcome } as const])];
  return async function* (): AsyncGenerator<FollowedEvent, void, undefined> {
    for (const [index, body] of all.entries()) {
      const event = { seq: index + 1, atMs, threadId: 't', runId: 'run_1', ...body } as RunEvent;
      yield { cursor: `log.${index + 1}`, event };
    }
  };
}

const said = (text: string): EventBody[] => [
  { type: 'text.started', id: 'a', role: 'assistant' },
  ...text.split(/(?<= )/).map((delta) => ({ type: 'text.delta' as const, id: 'a', delta })),
  { type: 'text.ended', id: 'a' },
];

describe('anyport send', () => {
  it('shows the answer as text', async () => {
    const client = { submit: async () => receipt, follow: following(said('Hello you')) };
    const terminal = new FakeTerminal({ client });
    expect(await terminal.run('send', 'hi', 'there', '--agent', 'demo', '--key', 'k')).toBe(0);
    expect(terminal).toMatchObject({ out: 'Hello you\n', err: 'thread t\n' });
    expect(terminal.calls[0]).toMatchObject([
      'submit',
      { text: 'hi there', whenBusy: 'queue', agentId: 'demo' },
      { idempotencyKey: 'k' },
    ]);
  });

  it.each([['send'], ['send', '-']])('reads stdin: %s %s', async (...words) => {
    const terminal = new FakeTerminal({ client: { submit: async () => receipt }, stdin: 'from a\npipe\n' });
    expect(await terminal.run(...words, '--no-follow')).toBe(0);
    expect(terminal.calls[0]?.[1]).toMatchObject({ text: 'from a\npipe' });
    expect(terminal.out).toBe('run_1\n');
    expect(terminal.err).toContain('anyport runs tail run_1');
  });

  it('needs something to send', async () => {
    const terminal = new FakeTerminal();
    expect(await terminal.run('send')).toBe(2);
    expect(terminal.err).toBe('anyport: send: TEXT is missing; usage: anyport send [TEXT...]\n');
  });

  it('shows questions with the commands that answer them', async () => {
    const choice: ShownTicket = {
      ...ticket,
      id: 'tkt_2',
      kind: 'choice',
      text: 'Which?\u001b[2J',
      options: [{ id: 'it’s', name: 'This one', kind: 'other' }],
    };
    const form: ShownTicket = { ...ticket, id: 'tkt_3', kind: 'form', schema: { type: 'object' } };
    const opened = [ticket, choice, form].map((open) => ({ type: 'ticket.opened', ticket: open }) as EventBody);
    const client = { submit: async () => receipt, follow: following([...opened, ...said('Done.')]) };
    const terminal = new FakeTerminal({ client });
    expect(await terminal.run('send', '/approve', '--url', 'http://there')).toBe(0);
    expect(terminal.out).toBe('Done.\n');
    expect(terminal.err.split('\n')).toEqual([
      'thread t',
      '? May I?',
      '  anyport approve tkt_1 --url http://there',
      '  anyport deny tkt_1 --url http://there',
      '? Which?␛[2J',
      "  anyport answer tkt_2 --option 'it’s' --url http://there    This one",
      '? May I?',
      '  anyport answer tkt_3 --url http://there --value JSON    {"type":"object"}',
      '',
    ]);
  });

  it('says what else happens, beside the answer', async () => {
    const events: EventBody[] = [
      { type: 'text.started', id: 'u', role: 'user' },
      { type: 'text.delta', id: 'u', delta: 'not this' },
      { type: 'text.ended', id: 'u' },
      { type: 'tool.started', id: 'c', name: 'search', runBy: 'agent' },
      { type: 'tool.called', id: 'c', args: '{"q":"a\\nb"}' },
      { type: 'artifact', id: 'f', name: 'report.md', parts: [], append: false, last: false },
      { type: 'artifact', id: 'f', parts: [], append: true, last: true },
      { type: 'text.started', id: 'a', role: 'assistant' },
      { type: 'text.delta', id: 'a', delta: 'Hal' },
      { type: 'run.retrying', nextAttempt: 2, retryAtMs: atMs },
      { type: 'attempt.discarded', itemIds: ['a'] },
      ...said('Whole.'),
    ];
    const terminal = new FakeTerminal({ client: { submit: async () => receipt, follow: following(events) } });
    expect(await terminal.run('send', 'hi')).toBe(0);
    expect(terminal.out).toBe('Hal\nWhole.\n');
    expect(terminal.err.split('\n')).toEqual([
      'thread t',
      '! search {"q":"a\\nb"}',
      '! made report.md',
      '! tries again: attempt 2',
      '! what the broken attempt said is void',
      '',
    ]);
  });

  it('fails with the run', async () => {
    const client = { submit: async () => receipt, follow: following(said('Well'), failed) };
    const terminal = new FakeTerminal({ client });
    expect(await terminal.run('send', 'hi')).toBe(1);
    expect(terminal.err).toContain('failed: it will not (agent-refused)');
  });

  it('leaves the run alone when it is interrupted, and says how to go on', async () => {
    const terminal: FakeTerminal = new FakeTerminal({
      client: {
        submit: async () => receipt,
        follow: async function* () {
          yield* following(said('Hel'), 'none')();
          terminal.ctrlC();
        },
      },
    });
    expect(await terminal.run('send', 'hi')).toBe(130);
    expect(terminal.err).toContain('run_1 goes on without you; to see it again: anyport runs tail run_1\n');
  });

  it('writes JSON for machines: the receipt, then the events', async () => {
    const terminal = new FakeTerminal({ client: { submit: async () => receipt, follow: following(said('Hi')) } });
    expect(await terminal.run('send', 'hi', '--json')).toBe(0);
    const lines = terminal.out.trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { type?: string }).type)).toEqual([
      undefined,
      'text.started',
      'text.delta',
      'text.ended',
      'run.finished',
    ]);
    expect(terminal.err).toBe('');
  });

  it('steers into a turn: shows what comes from there on', async () => {
    const terminal = new FakeTerminal({
      client: {
        thread: async () => ({ logId: 'log', head: 7 }) as ThreadStatus,
        submit: async () => ({ ...receipt, became: 'pending' as const }),
        follow: following([{ type: 'input.taken', activation: 'control:k' }, ...said('I took it.')]),
      },
    });
    expect(await terminal.run('send', 'more', '--thread', 't', '--steer')).toBe(0);
    expect(terminal.calls.map(([name]) => name)).toEqual(['thread', 'submit', 'follow']);
    expect(terminal.calls[2]).toMatchObject(['follow', { runId: 'run_1' }, { after: 'log.7' }]);
    expect(terminal.out).toBe('I took it.\n');
  });

  it('goes on with the run that takes what the turn did not', async () => {
    const terminal = new FakeTerminal({
      client: {
        thread: () => Promise.reject(new Fault('not-found', 'no such thread')),
        submit: async () => ({ ...receipt, became: 'pending' as const }),
        follow: following(said('Some.')),
        activation: async () => ({ state: { is: 'attached', runId: 'run_2', fromSeq: 9 } }) as never,
      },
    });
    expect(await terminal.run('send', 'more', '--thread', 't', '--steer')).toBe(0);
    const followed = terminal.calls.filter(([name]) => name === 'follow').map(([, target]) => target);
    expect(followed).toEqual([{ runId: 'run_1' }, { runId: 'run_2' }]);
  });
});

describe('anyport runs', () => {
  it('lists them in a table, or as JSON', async () => {
    const page = { items: [run, { ...run, id: 'run_0', outcome: failed }], next: 'older' };
    const terminal = new FakeTerminal({ client: { runs: async () => page } });
    expect(await terminal.run('runs', 'ls', '--thread', 't', '--status', 'done', '--limit', '2')).toBe(0);
    expect(terminal.calls[0]?.[1]).toMatchObject({ threadId: 't', status: 'done', limit: 2 });
    expect(terminal.out.split('\n')).toEqual([
      'RUN    STATUS  AGENT  THREAD  CREATED               OUTCOME',
      'run_1  done    demo   t       2026-01-02T03:04:05Z  completed',
      'run_0  done    demo   t       2026-01-02T03:04:05Z  failed: it will not (agent-refused)',
      '',
    ]);
    expect(terminal.err).toBe('there are more: --cursor older\n');
    terminal.out = '';
    await terminal.run('runs', 'ls', '--json');
    expect(JSON.parse(terminal.out)).toEqual(page);
  });

  it('shows one', async () => {
    const report = { run, tickets: [ticket], messages: [message] };
    const terminal = new FakeTerminal({ client: { run: async () => report } });
    expect(await terminal.run('runs', 'show', 'run_1')).toBe(0);
    expect(terminal.out).toMatch(/^run {6}run_1\n/);
    expect(terminal.out).toContain('? May I?\n  anyport approve tkt_1\n');
    expect(terminal.out).toMatch(/assistant:\n {2}two\n {2}lines\n$/);
  });

  it('shows its events, cut to the terminal', async () => {
    const terminal = new FakeTerminal({ client: { follow: following(said('a '.repeat(60))) }, columns: 60 });
    expect(await terminal.run('runs', 'tail', 'run_1')).toBe(0);
    const lines = terminal.out.trimEnd().split('\n');
    expect(lines[0]).toBe('    1  03:04:05.000  text.started       a assistant');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(60);
  });

  it('cancels several, each for itself', async () => {
    const terminal = new FakeTerminal({
      client: {
        cancelRun: async (id) => {
          if (id === 'none') throw new Fault('not-found', 'no such run');
          return { runs: { [id]: 'stopping' }, retracted: [] };
        },
      },
    });
    expect(await terminal.run('runs', 'cancel', 'run_1', 'none', 'run_2')).toBe(3);
    expect(terminal.err).toBe('anyport: none: no such run\n');
    expect(terminal.out).toContain('run_1    stopping\n');
    expect(terminal.out).toContain('run_2    stopping\n');
  });
});

describe('anyport threads', () => {
  it('shows what happens, what waits and what was said', async () => {
    const thread = { scope: 'local', id: 't', contextId: 't', settings: { options: {} }, state: {}, metadata: {} };
    const open = { runId: 'run_1', agentId: 'demo', phase: 'running' as const, ticketIds: [] };
    const status = { thread: { ...thread, createdAtMs: atMs }, logId: 'log', head: 3, open, waiting: 1 };
    const later = { ...message, id: 'm2', role: 'user' as const, name: 'ann' };
    const client = {
      thread: async () => status,
      queue: async () => [entry],
      messages: async () => ({ items: [later, message] }),
    };
    const terminal = new FakeTerminal({ client });
    expect(await terminal.run('threads', 'show', 't')).toBe(0);
    expect(terminal.out).toContain('run      run_1 by demo, running\n');
    expect(terminal.out).toContain('control:q   queued  3         ann    later\n');
    expect(terminal.out.indexOf('assistant:')).toBeLessThan(terminal.out.indexOf('ann:'));
    terminal.out = '';
    await terminal.run('threads', 'show', 't', '--json');
    expect(JSON.parse(terminal.out)).toMatchObject({
      head: 3,
      queue: [{ whenBusy: 'queue' }],
      messages: [message, later],
    });
  });

  it('interrupts', async () => {
    const report = { runs: { run_1: 'stopping' as const }, retracted: ['control:q'] };
    const terminal = new FakeTerminal({ client: { interrupt: async () => report } });
    expect(await terminal.run('interrupt', 't')).toBe(0);
    expect(terminal.out).toBe('REACHED    STATE\nrun_1      stopping\ncontrol:q  retracted\n');
  });
});

describe('anyport tickets', () => {
  it('says on stderr that there are none', async () => {
    const terminal = new FakeTerminal({ client: { tickets: async () => ({ items: [] }) } });
    expect(await terminal.run('tickets', 'ls', '--all', '--run', 'run_1')).toBe(0);
    expect(terminal.calls[0]?.[1]).toMatchObject({ state: 'all', runId: 'run_1' });
    expect(terminal).toMatchObject({ out: '', err: 'no questions\n' });
  });

  const answered = async (): Promise<ShownTicket> => ({
    ...ticket,
    closed: { how: 'answered', atMs, decision: { how: 'dismissed' } },
  });

  it.each<[string[], object]>([
    [['approve', 'tkt_1', '--note', 'ok'], { type: 'approve', note: 'ok' }],
    [['approve', 'tkt_1', '--args', '{"n":2}'], { type: 'approve', args: { n: 2 } }],
    [['deny', 'tkt_1'], { type: 'deny' }],
    [['answer', 'tkt_1', '--value', '{"name":"Ann"}'], { type: 'value', value: { name: 'Ann' } }],
    [['answer', 'tkt_1', '--text', 'true'], { type: 'value', value: 'true' }],
    [['answer', 'tkt_1', '--option', 'o'], { type: 'option', optionId: 'o' }],
    [['answer', 'tkt_1', '--dismiss'], { type: 'dismiss' }],
  ])('answers: anyport %s', async (words, answer) => {
    const terminal = new FakeTerminal({ client: { decide: answered } });
    expect(await terminal.run(...words)).toBe(0);
    expect(terminal.calls).toEqual([['decide', 'tkt_1', answer]]);
    expect(terminal.out).toBe('tkt_1 answered\n');
  });

  it('answers several, one line of JSON for each', async () => {
    const terminal = new FakeTerminal({ client: { decide: answered } });
    expect(await terminal.run('approve', 'tkt_1', 'tkt_2', '--json')).toBe(0);
    expect(
      terminal.out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toHaveLength(2);
  });

  it('is refused with the gateway’s words', async () => {
    const refuse = (): never => {
      throw new Fault('invalid-answer', 'must be a number\u001b[2J', { path: 'answer.value.age' });
    };
    const terminal = new FakeTerminal({ client: { decide: refuse } });
    expect(await terminal.run('answer', 'tkt_1', '--value', '{}')).toBe(4);
    expect(terminal.err).toBe('anyport: answer.value.age: must be a number␛[2J\n');
  });
});

describe('anyport queue', () => {
  it('edits what was read, as one message of one text', async () => {
    const terminal = new FakeTerminal({
      client: {
        queue: async () => [entry],
        editInput: async () => ({ ...entry.activation, revision: 4 }),
      },
    });
    expect(await terminal.run('queue', 'edit', 't', 'control:q', 'at', 'once')).toBe(0);
    expect(terminal.calls[1]).toEqual([
      'editInput',
      't',
      'control:q',
      { revision: 3, messages: [{ id: 'm9', role: 'user', parts: [{ type: 'text', text: 'at once' }] }] },
    ]);
    expect(terminal.out).toBe('control:q revision 4\n');
    expect(await terminal.run('queue', 'edit', 't', 'control:other', 'x')).toBe(3);
  });

  it('takes back', async () => {
    const retracted = { ...entry.activation, state: { is: 'retracted' as const, by: 'ann', atMs } };
    const terminal = new FakeTerminal({ client: { retractInput: async () => retracted } });
    expect(await terminal.run('queue', 'drop', 't', 'control:q')).toBe(0);
    expect(terminal.out).toBe('control:q retracted\n');
  });
});

describe('anyport dead', () => {
  it('lists, redrives and discards', async () => {
    const terminal = new FakeTerminal({
      client: {
        deadLetters: async () => ({ items: [{ ...run, outcome: failed }] }),
        redrive: async () => ({ ...receipt, runId: 'run_2' }),
        discard: async () => undefined,
      },
    });
    expect(await terminal.run('dead', 'ls', '--agent', 'demo')).toBe(0);
    expect(terminal.out).toContain('failed: it will not');
    terminal.out = '';
    expect(await terminal.run('dead', 'redrive', 'run_1')).toBe(0);
    expect(await terminal.run('dead', 'discard', 'run_1')).toBe(0);
    expect(terminal.out).toBe('run_2\nrun_1 discarded\n');
  });
});

describe('anyport webhooks', () => {
  it('lists, redrives and discards', async () => {
    const fault = { code: 'upstream-failed', message: 'the receiver answered 500', retryable: true } as const;
    const made = { id: 'hook', runId: 'run_1', threadId: 't', actor: 'ann', door: 'a2a', filter: 'status' } as const;
    const ended = { host: 'hook.example', fault, attempts: 20, createdAtMs: 0, diedAtMs: 0 };
    const redriveWebhook = vi.fn(async () => undefined);
    const terminal = new FakeTerminal({
      client: {
        deadWebhooks: async () => ({ items: [{ ...made, ...ended, webhookId: 'cnVu' }] }),
        redriveWebhook,
        discardWebhook: async () => undefined,
      },
    });
    expect(await terminal.run('webhooks', 'ls')).toBe(0);
    expect(terminal.out).toMatch(/cnVu +run_1 +ann +hook\.example .*the receiver answered 500/);
    terminal.out = '';
    expect(await terminal.run('webhooks', 'redrive', 'a', 'b')).toBe(0);
    expect(await terminal.run('webhooks', 'discard', 'c')).toBe(0);
    expect(terminal.out).toBe('a redriven\nb redriven\nc discarded\n');
    expect(redriveWebhook.mock.calls).toEqual([['a'], ['b']]);
  });
});

describe('a command', () => {
  it('says in one line that there is no gateway, and what to do', async () => {
    const nobody = (): never => {
      throw new Unreachable('http://there', new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } }));
    };
    const terminal = new FakeTerminal({ client: { runs: nobody, discard: nobody } });
    expect(await terminal.run('runs', 'ls')).toBe(1);
    expect(terminal.err).toBe(
      'anyport: cannot reach http://there (ECONNREFUSED); start one with anyport serve, or name another with --url\n',
    );
    terminal.err = '';
    expect(await terminal.run('dead', 'discard', 'a', 'b', 'c')).toBe(1);
    expect(terminal.err.split('\n')).toHaveLength(2);
  });

  it('ends quietly when its reader has seen enough', async () => {
    const gone = (): never => {
      throw Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
    };
    const terminal = new FakeTerminal({ client: { runs: gone } });
    expect(await terminal.run('runs', 'ls')).toBe(0);
    expect(terminal).toMatchObject({ out: '', err: '' });
  });
});
