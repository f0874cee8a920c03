import { expect, test } from 'vitest';
import type { RunEventBody } from '../../../schemas/run-event.ts';
import { type Deferred, deferred } from '../../../src/deferred.ts';
import { emptyView } from '../../../src/events/view.ts';
import { Fault } from '../../../src/fault.ts';
import { TimeOrderedIds } from '../../../src/ids.ts';
import type { Command, CommandType, Outcomes } from '../../../src/lane/command.ts';
import type { Lane } from '../../../src/lane/lane.ts';
import { Attempt } from '../../../src/mailbox/attempt.ts';
import { Slots } from '../../../src/mailbox/slots.ts';
import type { Store } from '../../../src/mailbox/store.ts';
import { limits, open, scripted, type Script } from '../../support/mailbox-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const thread = { scope: 'local', threadId: 't' };
const ticket = { id: 'tkt_1', closed: undefined } as { id: string; closed: object | undefined };
const agentTurn: Record<string, object> = {
  ask: { tickets: [ticket] },
  wait: { waiting: true },
  resume: {},
  once: { is: 'started' },
  endOnce: {},
  checkpoint: {},
};

/** One attempt whose turns are answered when the test says so. */
function attemptOf(run: Script, options: { append?: () => Promise<unknown> } = {}) {
  const clock = new ManualClock();
  let free = 0;
  const slots = new Slots(1, () => {
    free += 1;
  });
  slots.tryTake();
  const turns: string[] = [];
  const held = new Map<string, Deferred<void>>();
  const store = {
    append: options.append ?? (() => Promise.resolve({ first: 1, last: 1 })),
    findRecord: () => Promise.resolve(ticket),
  } as unknown as Store;
  const attempt = new Attempt(
    {
      thread,
      started: {
        runId: 'run',
        agentId: 'scripted',
        token: 'clm',
        attempt: 1,
        turn: 0,
        baseId: undefined,
        boundarySeq: 0,
        startedBy: [],
        firstSeq: 1,
        fresh: { requests: [], messages: [], state: {}, workspace: undefined, settings: { options: {} } },
      },
      view: emptyView('run'),
      activated: {
        runId: 'run',
        scope: 'local',
        threadId: 't',
        actor: 'alice',
        messages: [],
        tools: [],
        context: [],
        forwardedProps: undefined,
        references: [],
        acceptedModes: [],
        trace: undefined,
        metadata: {},
        state: {},
        workspace: undefined,
        settings: { options: {} },
      },
      client: () => undefined,
    },
    scripted(run),
    {
      store,
      clock,
      ids: new TimeOrderedIds(),
      slots,
      limits,
      turn: async <Type extends CommandType>(_: unknown, command: Command<Type>) => {
        turns.push(command.type);
        await held.get(command.type)?.promise;
        return agentTurn[command.type] as Outcomes[Type];
      },
    },
  );
  const hold = (type: CommandType): Deferred<void> => {
    const gate = deferred();
    held.set(type, gate);
    return gate;
  };
  return { attempt, clock, slots, turns, hold, freed: () => free };
}

const question = { kind: 'approval', text: 'ok?' } as const;

function said(text: string): RunEventBody {
  return { type: 'notice', level: 'info', text };
}

test(
  'an agent that ends while its waiting is being recorded gives its slot back once',
  { tags: 'slots-come-back' },
  async () => {
    const end = deferred();
    const it = attemptOf(async function* (_, context) {
      void context.ask('a', question);
      yield said('asked');
      await end.promise;
    });
    const recorded = it.hold('wait');
    const ended = it.attempt.run();
    await it.clock.advance(150);
    expect(it.turns).toEqual(['ask', 'wait']);
    end.resolve();
    expect((await ended).is).toBe('turn-ended');
    recorded.resolve();
    await it.clock.advance(0);
    expect(it.attempt.holdsSlot).toBe(true);
    expect(it.freed()).toBe(0);
  },
);

test(
  'an agent that ends while its attempt takes a slot again leaves none taken',
  { tags: 'slots-come-back' },
  async () => {
    const end = deferred();
    const goOn = deferred();
    const it = attemptOf(async function* (_, context) {
      void context.ask('a', question);
      await goOn.promise;
      void context.once('late', () => Promise.resolve(1));
      await end.promise;
      yield* [];
    });
    const ended = it.attempt.run();
    await it.clock.advance(150);
    expect(it.attempt.holdsSlot).toBe(false);
    expect(it.slots.tryTake()).toBe(true);
    goOn.resolve();
    await it.clock.advance(0);
    end.resolve();
    await ended;
    it.slots.give();
    await it.clock.advance(0);
    expect(it.attempt.holdsSlot).toBe(false);
    expect(it.slots.tryTake()).toBe(true);
  },
);

test('waiting is recorded once at a time, and its slot given back once, however slow the store is', async () => {
  const more = deferred();
  const never = deferred();
  const it = attemptOf(async function* (_, context) {
    void context.ask('a', question);
    yield said('one');
    await more.promise;
    yield said('two');
    await never.promise;
  });
  const recorded = it.hold('wait');
  void it.attempt.run();
  await it.clock.advance(150);
  more.resolve();
  await it.clock.advance(300);
  recorded.resolve();
  await it.clock.advance(300);
  expect(it.freed()).toBe(it.turns.filter((type) => type === 'resume').length + 1);
  expect(it.turns.at(-1)).toBe('wait');
  expect(it.attempt.holdsSlot).toBe(false);
});

test('an effect that begins while the run waits takes a slot first', async () => {
  const late = deferred();
  const never = deferred<number>();
  let began = false;
  const it = attemptOf(async function* (_, context) {
    void context.ask('a', question);
    await late.promise;
    await context.once('late', () => {
      began = true;
      return never.promise;
    });
    yield said('never');
  });
  void it.attempt.run();
  await it.clock.advance(150);
  expect(it.slots.tryTake()).toBe(true);
  late.resolve();
  await it.clock.advance(500);
  expect(began).toBe(false);
  it.slots.give();
  await it.clock.advance(500);
  expect({ began, holds: it.attempt.holdsSlot }).toEqual({ began: true, holds: true });
});

test('a question asked after the attempt was told to stop rejects at once', async () => {
  const late = deferred();
  const it = attemptOf(async function* (_, context) {
    await late.promise;
    await context.ask('a', question);
    yield said('never');
  });
  const ended = it.attempt.run();
  await it.clock.advance(0);
  it.attempt.abort(new Fault('shutting-down', 'stopping'));
  late.resolve();
  expect(await ended).toEqual({ is: 'aborted' });
});

test('a failed append stops the agent at once, not at its next event', async () => {
  let reason: unknown;
  const it = attemptOf(
    async function* (_, context) {
      context.signal.addEventListener('abort', () => {
        reason = context.signal.reason;
      });
      yield said('one');
      await new Promise(() => undefined);
    },
    { append: () => Promise.reject(new Fault('store-failed', 'the disk is gone')) },
  );
  expect(await it.attempt.run()).toMatchObject({ is: 'failed', fault: { code: 'store-failed' } });
  expect(reason).toMatchObject({ code: 'store-failed' });
});

test('what an agent left unawaited does not end the process', async () => {
  const unhandled: unknown[] = [];
  const listen = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', listen);
  try {
    const it = attemptOf(async function* (_, context) {
      void context.ask('a', question);
      void context.ask('a', question);
      void context.once('b', () => Promise.reject(new Error('an effect failed')));
      await context.ask('c', question);
      yield said('never');
    });
    const ended = it.attempt.run();
    await it.clock.advance(150);
    it.attempt.abort(new Fault('claim-lost', 'cancelled'));
    await ended;
    await it.clock.advance(0);
    expect(unhandled).toEqual([]);
  } finally {
    process.off('unhandledRejection', listen);
  }
});

test('an attempt that is spoken to while its waiting is being recorded goes on, and waits again', async () => {
  const it = attemptOf(async function* (_, context) {
    await context.ask('a', question);
    yield* [];
  });
  const phaseIs = (is: 'running' | 'waiting'): Lane => {
    const phase = { is, claim: { token: 'clm', owner: 'own' } };
    return { open: { phase, tickets: [ticket], entered: [] } } as unknown as Lane;
  };
  const recorded = it.hold('wait');
  void it.attempt.run();
  await it.clock.advance(100);
  for (const is of ['waiting', 'running'] as const) it.attempt.observe(phaseIs(is));
  recorded.resolve();
  await it.clock.advance(0);
  expect([it.attempt.holdsSlot, it.turns]).toEqual([true, ['ask', 'wait', 'resume']]);
  await it.clock.advance(100);
  expect([it.attempt.holdsSlot, it.turns]).toEqual([false, ['ask', 'wait', 'resume', 'wait']]);
});

test('an agent told to stop before it began is not called', { tags: 'stopped-before-start-never-runs' }, async () => {
  let calls = 0;
  const it = attemptOf(async function* () {
    calls += 1;
    yield* [];
  });
  it.attempt.abort(new Fault('claim-lost', 'cancelled'));
  expect(await it.attempt.run()).toEqual({ is: 'aborted' });
  expect(calls).toBe(0);
});

const bare =
  (next: () => Promise<IteratorResult<RunEventBody>>, more: object = {}): Script =>
  () => ({ [Symbol.asyncIterator]: () => ({ next, ...more }) });

test('an iterator without return, and one whose return throws, end as they end', async () => {
  const done = (): Promise<IteratorResult<RunEventBody>> => Promise.resolve({ done: true, value: undefined });
  expect((await attemptOf(bare(done)).attempt.run()).is).toBe('turn-ended');
  const refusing = (): never => {
    throw new Fault('agent-refused', 'no more');
  };
  const loud = {
    return: () => {
      throw new Error('cleanup failed');
    },
  };
  expect(await attemptOf(bare(refusing, loud)).attempt.run()).toMatchObject({ fault: { code: 'agent-refused' } });
  expect(await attemptOf(refusing).attempt.run()).toMatchObject({ fault: { code: 'agent-refused' } });
});

test('what an agent changes after it has yielded it is not changed in the log', async () => {
  const entries: { content: string; priority: 'low'; status: 'pending' | 'completed' }[] = [
    { content: 'a', priority: 'low', status: 'pending' },
  ];
  const it = attemptOf(async function* () {
    yield { type: 'plan', planId: 'p', entries };
    for (const entry of entries) entry.status = 'completed';
    await Promise.resolve();
  });
  await it.attempt.run();
  expect(it.attempt.view.items.get('p')).toMatchObject({ entries: [{ status: 'pending' }] });
});

test('an event that is no JSON fails the attempt for good', async () => {
  const it = attemptOf(async function* () {
    yield { type: 'custom', name: 'big', value: 1n as unknown as number };
    await Promise.resolve();
  });
  expect(await it.attempt.run()).toMatchObject({ is: 'failed', fault: { code: 'agent-protocol', retryable: false } });
});

const finished = { type: 'completed', stop: 'end_turn', pendingToolCalls: [] };
test.each<[string, unknown]>([
  ['the end of the run', { type: 'run.finished', outcome: finished }],
  ['a question of its own making', { type: 'ticket.opened', ticket: { id: 'mine' } }],
  ['a type that there is none of', { type: 'text.begun', id: 'a' }],
  ['a number', 5],
  ['nothing', undefined],
  ['null', null],
  ['a delta that is no text', { type: 'text.delta', id: 'a', delta: 5 }],
  ['a delta without any', { type: 'text.delta', id: 'a', delta: undefined }],
  ['a part of an unknown kind', { type: 'part.added', messageId: 'a', part: { type: 'hologram' } }],
  ['an id that is an object', { type: 'text.started', id: { a: 1 }, role: 'assistant' }],
  ['an artifact without parts', { type: 'artifact', id: 'b', append: false, last: true }],
  ['a plan that is a text', { type: 'plan', planId: 'p', entries: 'abc' }],
])('an agent that yields %s fails for good, and nothing of that is recorded', async (_, nonsense) => {
  const agent = scripted(async function* () {
    yield { type: 'text.started', id: 'a', role: 'assistant' };
    yield await Promise.resolve(nonsense as RunEventBody);
  });
  const { submit, seen, events } = await open(agent);
  await submit('one');
  expect(await seen('run.finished')).toMatchObject({
    outcome: { type: 'failed', fault: { code: 'agent-protocol' }, retryable: false },
  });
  expect((await events()).slice(3).map(({ type }) => type)).toEqual(['text.started', 'run.finished']);
});

test.each<[string, object]>([
  ['its subagent', { subagentId: 'sub' }],
  ['metadata', { metadata: { a: 1 } }],
  ['its upstream’s own event', { raw: { type: 'chunk' } }],
])('a delta is recorded with %s', async (_, tags) => {
  const agent = scripted(async function* () {
    yield { type: 'text.started', id: 'a', role: 'assistant' };
    yield await Promise.resolve({ type: 'text.delta' as const, id: 'a', delta: 'text', ...tags });
  });
  const { submit, seen } = await open(agent);
  await submit('one');
  expect(await seen('text.delta')).toMatchObject({ delta: 'text', ...tags });
});

test('events of another log that an agent passes on get the numbers and names of its own', async () => {
  const foreign = { seq: 77, atMs: 5, threadId: 'other', runId: 'other', attempt: 9, token: 'other' };
  const agent = scripted(async function* () {
    const level = 'info' as const;
    yield { ...foreign, type: 'text.started', id: 'a', role: 'assistant' };
    yield { ...foreign, type: 'text.delta', id: 'a', delta: 'text' };
    yield await Promise.resolve({ ...foreign, type: 'notice' as const, level, text: 'n' });
  });
  const { submit, seen, events } = await open(agent);
  const { runId } = await submit('one');
  await seen('run.finished');
  const own = (await events()).slice(3);
  expect(own.map(({ seq }) => seq)).toEqual([4, 5, 6, 7]);
  for (const event of own) expect(event).toMatchObject({ threadId: 't', runId, attempt: 1 });
});
