import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { textOf } from '../../schemas/part.ts';
import type { RunEventBody } from '../../schemas/run-event.ts';
import type { Decision } from '../../schemas/ticket.ts';
import { MemoryCounter } from '../../src/agents/demo/counter.ts';
import { DemoAgent } from '../../src/agents/demo/demo-agent.ts';
import type { Attachment } from '../../src/attachment.ts';
import { systemClock } from '../../src/clock.ts';
import { activated, attemptOf, FakeContext, runAttempt, userMessage } from '../support/fake-context.ts';

const agent = new DemoAgent({ id: 'demo', clock: systemClock, counter: new MemoryCounter() });

const approved: Decision = { how: 'answered', answer: { type: 'approve' } };
const denied: Decision = { how: 'answered', answer: { type: 'deny', note: 'too early' } };

/** The whole text of the message with this key. */
function textIn(events: readonly RunEventBody[], key = 'answer'): string {
  return events
    .flatMap((event) => (event.type === 'text.delta' && event.id === `item-${key}` ? event.delta : []))
    .join('');
}

function resultsIn(events: readonly RunEventBody[]): object[] {
  return events.flatMap((event) =>
    event.type === 'tool.result' ? { id: event.id, status: event.status, text: textOf(event.parts) } : [],
  );
}

function typesIn(events: readonly RunEventBody[]): string[] {
  return events.map((event) => event.type);
}

/** What the agent says to one text, with nobody to answer questions. */
async function answerTo(text: string): Promise<string> {
  const { events } = await runAttempt(agent, activated(text), new FakeContext());
  return textIn(events);
}

describe('what the demo agent says to text', () => {
  it('quotes it, word by word', async () => {
    const { events } = await runAttempt(agent, activated('Hello, how are  you?'), new FakeContext());
    expect(textIn(events)).toBe('You said: “Hello, how are  you?”');
    expect(typesIn(events).filter((type) => type === 'text.delta')).toHaveLength(6);
  });

  it.each(['/unknown thing', '/Stream 3', 'please /stream 3'])('quotes what is no command: %s', async (text) => {
    expect(await answerTo(text)).toBe(`You said: “${text}”`);
  });

  it('answers the last user message of the history when the request brings none', async () => {
    const context = new FakeContext();
    context.past = [userMessage('first', 'm1'), userMessage('second', 'm2')];
    const { events } = await runAttempt(agent, activated([]), context);
    expect(textIn(events)).toBe('You said: “second”');
  });

  it('says so when it was told nothing', async () => {
    expect(await answerTo('')).toBe('You said nothing.');
  });

  it('lists every command', async () => {
    const help = await answerTo('/help');
    for (const skill of agent.card.skills) expect(help).toContain(`/${skill.id}`);
    expect(agent.card.skills.map((skill) => skill.id).join(' ')).toBe(
      'stream think tool approve frontend form plan state artifact steer fail crash hang count where read write shell',
    );
  });

  it.each([
    '/stream',
    '/stream x',
    '/stream 0',
    '/stream 3 soon',
    '/approve no',
    '/frontend',
    '/steer',
    '/fail',
    '/fail transient',
  ])('explains a command that it was given wrongly: %s', async (text) => {
    expect(await answerTo(text)).toContain(`Usage: ${text.split(' ', 1)[0] ?? ''} `);
  });
});

describe('what the demo agent streams', () => {
  it('streams as many pieces as asked for', async () => {
    const { events } = await runAttempt(agent, activated('/stream 3'), new FakeContext());
    expect(events).toEqual([
      { type: 'text.started', id: 'item-answer', role: 'assistant' },
      ...['1 ', '2 ', '3 '].map((delta) => ({ type: 'text.delta', id: 'item-answer', delta })),
      { type: 'text.ended', id: 'item-answer' },
    ]);
  });

  it('stops streaming when the run is cancelled', async () => {
    const context = new FakeContext();
    const events = attemptOf(agent, activated('/stream 1000000'), context);
    await events.next();
    context.abort();
    await expect(events.next()).rejects.toMatchObject({ code: 'claim-lost' });
  });

  it('reasons before it answers', async () => {
    const { view } = await runAttempt(agent, activated('/think'), new FakeContext());
    expect([...view.items.values()].map((item) => item.kind)).toEqual(['reasoning', 'text']);
  });

  it('calls a tool with streamed arguments and a result', async () => {
    const { events } = await runAttempt(agent, activated('/tool'), new FakeContext());
    const args = events.flatMap((event) => (event.type === 'tool.args' ? event.delta : []));
    expect(args.length).toBeGreaterThan(1);
    expect(events).toContainEqual({ type: 'tool.called', id: 'item-add', args: args.join('') });
    expect(resultsIn(events)).toEqual([{ id: 'item-add', status: 'ok', text: '42' }]);
  });

  it('progresses through a plan of three entries', async () => {
    const { events } = await runAttempt(agent, activated('/plan'), new FakeContext());
    const plans = events.flatMap((event) =>
      event.type === 'plan' ? [event.entries.map((entry) => entry.status)] : [],
    );
    expect(plans[0]).toEqual(['in_progress', 'pending', 'pending']);
    expect(plans.at(-1)).toEqual(['completed', 'completed', 'completed']);
  });

  it('changes its part of the shared state and leaves the rest', async () => {
    const { view } = await runAttempt(agent, activated('/state', { state: { theme: 'dark' } }), new FakeContext());
    expect(view.state).toEqual({ theme: 'dark', demo: { status: 'done', steps: ['first', 'second'] } });
  });

  it('hands over a file in chunks', async () => {
    const { events, view } = await runAttempt(agent, activated('/artifact'), new FakeContext());
    expect(view.items.get('item-file')).toMatchObject({ kind: 'artifact', name: 'report.md', ended: true });
    const flags = events.flatMap((event) => (event.type === 'artifact' ? [[event.append, event.last]] : []));
    expect(flags).toEqual([
      [false, false],
      [true, false],
      [true, true],
    ]);
  });
});

describe('what the demo agent asks', () => {
  it('asks when every call is complete, for each under a key of its own, with its arguments open to edits', async () => {
    const context = new FakeContext();
    const events = attemptOf(agent, activated('/approve 2'), context);
    for await (const event of events) {
      if (event.type === 'tool.called' && event.id === 'item-send-2') break;
    }
    expect(context.asked).toEqual([]);

    const next = new FakeContext();
    next.answer('send-1', approved);
    next.answer('send-2', approved);
    await runAttempt(agent, activated('/approve 2'), next);
    expect(next.asked.map(({ key }) => key)).toEqual(['send-1', 'send-2']);
    for (const { key, questions } of next.asked) {
      expect(questions).toMatchObject([{ kind: 'approval', editable: true, toolCallId: `item-${key}` }]);
    }
  });

  it('lets each decision take effect at once, in any order', async () => {
    const context = new FakeContext();
    const events = attemptOf(agent, activated('/approve 3'), context);
    const nextResult = async (): Promise<string | undefined> => {
      for (;;) {
        const { value, done } = await events.next();
        if (done === true) return undefined;
        if (value.type === 'tool.result') return value.id;
      }
    };
    context.answer('send-2', denied);
    expect(await nextResult()).toBe('item-send-2');
    context.answer('send-3', approved);
    expect(await nextResult()).toBe('item-send-3');
    context.answer('send-1', approved);
    expect(await nextResult()).toBe('item-send-1');
    expect(await nextResult()).toBeUndefined();
  });

  it('uses edited arguments, and says which call was denied', async () => {
    const context = new FakeContext();
    context.answer('send-1', {
      how: 'answered',
      answer: { type: 'approve', args: { to: 'bob@example.com', text: 'Hi' } },
    });
    context.answer('send-2', denied);
    const { events } = await runAttempt(agent, activated('/approve 2'), context);
    expect(resultsIn(events)).toEqual([
      {
        id: 'item-send-1',
        status: 'ok',
        text: 'Pretended to send {"to":"bob@example.com","text":"Hi"}',
      },
      { id: 'item-send-2', status: 'denied', text: 'Not sent: it was denied (too early)' },
    ]);
    expect(textIn(events)).toBe('Message 1 was sent. Message 2 was not sent: it was denied (too early).');
  });

  it.each<[string, Decision, 'ok' | 'denied' | 'cancelled']>([
    ['the option that allows', { how: 'answered', answer: { type: 'option', optionId: 'allow' } }, 'ok'],
    ['the option that denies', { how: 'answered', answer: { type: 'option', optionId: 'deny' } }, 'denied'],
    ['an option that was never offered', { how: 'answered', answer: { type: 'option', optionId: 'yes' } }, 'denied'],
    ['a value', { how: 'answered', answer: { type: 'value', value: true } }, 'cancelled'],
    ['no answer', { how: 'answered', answer: { type: 'dismiss' } }, 'cancelled'],
    ['an expiry', { how: 'expired' }, 'cancelled'],
    ['a withdrawal', { how: 'withdrawn' }, 'cancelled'],
  ])('takes %s as what it is', async (_, decision, status) => {
    const context = new FakeContext();
    context.answer('send-1', decision);
    const { events } = await runAttempt(agent, activated('/approve'), context);
    expect(resultsIn(events)).toMatchObject([{ status }]);
  });

  it('answers with what the form says', async () => {
    const context = new FakeContext();
    context.answer('person', { how: 'answered', answer: { type: 'value', value: { name: 'Ada', age: 36 } } });
    const { events } = await runAttempt(agent, activated('/form'), context);
    expect(textIn(events)).toBe('Hello Ada, you are 36 years old.');
    expect(context.asked[0]?.questions[0]).toMatchObject({ kind: 'form', schema: { required: ['name', 'age'] } });
  });

  it('goes on without the form when it is dismissed', async () => {
    const context = new FakeContext();
    context.answer('person', { how: 'dismissed' });
    const { events } = await runAttempt(agent, activated('/form'), context);
    expect(textIn(events)).toBe('You did not fill in the form.');
  });
});

describe('what the demo agent leaves to the frontend', () => {
  const tools = [{ name: 'set_theme', description: 'Sets the theme' }];

  it('calls a tool that the frontend offers, and ends', async () => {
    const { events } = await runAttempt(agent, activated('/frontend set_theme', { tools }), new FakeContext());
    expect(events[0]).toMatchObject({ type: 'tool.started', name: 'set_theme', runBy: 'client' });
    expect(events.at(-1)).toEqual({ type: 'tool.called', id: 'item-frontend', args: '{}' });
  });

  it('says so when the tool is not offered', async () => {
    const { events } = await runAttempt(agent, activated('/frontend set_font', { tools }), new FakeContext());
    expect(textIn(events)).toBe('Your client does not offer a tool named set_font. It offers set_theme.');
  });

  it('answers with the results that begin the next turn', async () => {
    const context = new FakeContext();
    const call = { id: 'call-1', name: 'set_theme', args: '{}' };
    const base = { seq: 1, actor: 'ann' };
    context.past = [
      userMessage('/frontend set_theme'),
      { ...base, id: 'm2', role: 'assistant', parts: [], toolCalls: [call, { ...call, id: 'call-2' }] },
      { ...base, id: 'm3', role: 'tool', toolCallId: 'call-1', parts: [{ type: 'text', text: 'dark' }] },
      { ...base, id: 'm4', role: 'tool', toolCallId: 'call-2', parts: [], error: 'no such theme' },
    ];
    const { events } = await runAttempt(agent, activated([]), context);
    expect(textIn(events)).toBe('Your set_theme answered: “dark” Your set_theme failed: no such theme');
  });
});

describe('how the demo agent fails', () => {
  it('fails as often as asked, leaving half an answer, and then answers', async () => {
    let context = new FakeContext();
    for (let failure = 1; failure <= 2; failure++) {
      await expect(runAttempt(agent, activated('/fail transient 2'), context)).rejects.toMatchObject({
        code: 'agent-failed',
        retryable: true,
      });
      context = context.nextAttempt();
    }
    const { events } = await runAttempt(agent, activated('/fail transient 2'), context);
    expect(textIn(events)).toBe('Attempt 3 works.');
  });

  it('fails for good', async () => {
    const run = runAttempt(agent, activated('/fail permanent'), new FakeContext());
    await expect(run).rejects.toMatchObject({ code: 'agent-refused', retryable: false });
  });

  it('crashes with something unexpected after one delta', async () => {
    const events = attemptOf(agent, activated('/crash'), new FakeContext());
    await events.next();
    expect((await events.next()).value).toMatchObject({ type: 'text.delta' });
    await expect(events.next()).rejects.toThrow(TypeError);
  });
});

describe('how the demo agent takes its time', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('streams at the pace asked for', async () => {
    const startedAtMs = Date.now();
    const run = runAttempt(agent, activated('/stream 4 500'), new FakeContext());
    await vi.runAllTimersAsync();
    expect(textIn((await run).events)).toBe('1 2 3 4 ');
    expect(Date.now() - startedAtMs).toBe(1500);
  });

  it('takes input between its steps and says which', async () => {
    const context = new FakeContext();
    context.pending.push([], [userMessage('left', 'm2'), userMessage('then right', 'm3')]);
    const run = runAttempt(agent, activated('/steer 3'), context);
    await vi.runAllTimersAsync();
    const { events } = await run;
    expect(textIn(events, 'taken-1')).toBe('');
    expect(textIn(events, 'taken-2')).toBe('I took “left” and “then right” after step 2 of 3.');
    expect(textIn(events)).toBe('All steps are done: 3.');
    expect(context.checkpoints).toBe(3);
  });

  it('stops between its steps when the run is cancelled', async () => {
    const context = new FakeContext();
    const run = runAttempt(agent, activated('/steer 3'), context);
    context.abort();
    await expect(run).rejects.toMatchObject({ code: 'claim-lost' });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('ignores for a minute that it is told to stop', async () => {
    const context = new FakeContext();
    const run = runAttempt(agent, activated('/hang'), context);
    await vi.advanceTimersByTimeAsync(0);
    context.abort();
    await vi.advanceTimersByTimeAsync(59_999);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(textIn((await run).events)).toBe('I am listening again.');
  });
});

describe('a later attempt of the demo agent', () => {
  it('does not count again', async () => {
    const counter = new MemoryCounter();
    const counting = new DemoAgent({ id: 'demo', clock: systemClock, counter });
    const first = new FakeContext();
    const events = attemptOf(counting, activated('/count'), first);
    for await (const event of events) if (event.type === 'text.ended') break;

    const second = first.nextAttempt();
    second.answer('go-on', approved);
    const { events: again } = await runAttempt(counting, activated('/count'), second);
    expect(textIn(again, 'counted')).toBe('I counted, and am number 1.');
    expect(textIn(again)).toBe('I am still number 1; the counter stands at 1.');
    expect(await counter.read()).toBe(1);
  });

  it('yields the same events for the same answers', async () => {
    const first = new FakeContext();
    first.answer('send-1', denied);
    first.answer('send-2', approved);
    const { events } = await runAttempt(agent, activated('/approve 2'), first);
    const { events: again } = await runAttempt(agent, activated('/approve 2'), first.nextAttempt());
    expect(again).toEqual(events);
  });
});

describe('what the demo agent does on the side of its client', () => {
  const home = { workspace: { cwd: '/home/ann', additionalDirectories: ['/srv'] } };

  async function answerOn(client: Attachment | undefined, text: string): Promise<readonly RunEventBody[]> {
    const context = new FakeContext();
    context.client = client;
    return (await runAttempt(agent, activated(text, home), context)).events;
  }

  it('says where it is, and what was brought along', async () => {
    const server = { transport: 'http', name: 'docs', url: 'http://127.0.0.1:9', headers: {} } as const;
    const events = await answerOn({ id: 'ide', mcpServers: [server] }, '/where');
    expect(textIn(events)).toBe('I am at home in /home/ann. I may look into /srv. I was brought the MCP servers docs.');
  });

  it('reads a file, by a path from its home', async () => {
    const readTextFile = vi.fn(async () => 'twelve chars');
    const events = await answerOn({ id: 'ide', mcpServers: [], readTextFile }, '/read notes.txt');
    expect(readTextFile).toHaveBeenCalledWith({ path: '/home/ann/notes.txt' }, expect.any(AbortSignal));
    expect(textIn(events)).toBe('/home/ann/notes.txt has 12 characters.');
  });

  it('writes a file, and shows the difference', async () => {
    const writeTextFile = vi.fn(async () => undefined);
    const events = await answerOn({ id: 'ide', mcpServers: [], writeTextFile }, '/write /tmp/a two words');
    expect(writeTextFile).toHaveBeenCalledWith({ path: '/tmp/a', text: 'two words' }, expect.any(AbortSignal));
    const [result] = events.filter((event) => event.type === 'tool.result');
    expect(result).toMatchObject({ parts: [{ type: 'diff', path: '/tmp/a', newText: 'two words' }] });
  });

  it('runs a command, shows its terminal, and lets go of it', async () => {
    const release = vi.fn(async () => undefined);
    const runCommand: Attachment['runCommand'] = async () => ({
      id: 'term-1',
      exit: async () => ({ exitCode: 0 }),
      output: async () => ({ text: 'hello\n', truncated: false }),
      kill: async () => undefined,
      release,
      [Symbol.asyncDispose]: release,
    });
    const events = await answerOn({ id: 'ide', mcpServers: [], runCommand }, '/shell echo hello');
    expect(events).toContainEqual(expect.objectContaining({ content: [{ type: 'terminal', id: 'term-1' }] }));
    expect(textIn(events)).toBe('echo hello ended with 0 and said: hello');
    expect(release).toHaveBeenCalledOnce();
  });

  it.each(['/read a', '/write a b', '/shell ls'])('says so where its client lets it not: %s', async (text) => {
    expect(textIn(await answerOn(undefined, text))).toMatch(/^Your client does not let me /);
  });
});

describe('the settings of the demo agent', () => {
  it.each([
    [{ mode: 'loud', options: {} }, 'You said: “HELLO YOU”'],
    [{ options: { marks: 'none', count: true } }, 'You said: hello you (2 words)'],
    [{ mode: 'unknown', options: { marks: 'constructor' } }, 'You said: “hello you”'],
  ])('change how it quotes: %o', async (settings, text) => {
    const { events } = await runAttempt(agent, activated('hello you', { settings }), new FakeContext());
    expect(textIn(events)).toBe(text);
  });
});
