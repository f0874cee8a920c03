import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Json } from '../../../schemas/json.ts';
import type { RunEventBody } from '../../../schemas/run-event.ts';
import type { Agent, RunContext } from '../../../src/agents/agent.ts';
import { deferred } from '../../../src/deferred.ts';
import { emptyView, foldEvent, type Item } from '../../../src/events/view.ts';
import { Fault } from '../../../src/fault.ts';
import type { Ids } from '../../../src/ids.ts';
import { Mailbox } from '../../../src/mailbox/mailbox.ts';
import { readPath } from '../../../src/mailbox/views.ts';
import { MemoryStore } from '../../../src/stores/memory-store.ts';
import { checkStore } from '../../support/checker.ts';
import { dyingAt, type ProcessStore } from '../../support/crashing-store.ts';
import { alice, caller, limits, scripted, submission } from '../../support/mailbox-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const thread = { scope: alice.scope, threadId: 't' };
const move = fc.constantFrom(
  'text',
  'reasoning',
  'tool',
  'asked-tool',
  'ask',
  'two-asks',
  'once',
  'input',
  'checkpoint',
  'state',
  'snapshot',
  'open-step',
  'close-step',
  'open-subagent',
  'close-subagent',
  'notice',
  'plan',
  'activity',
  'artifact',
  'encrypted',
  'flaky',
);
type Move = typeof move extends fc.Arbitrary<infer Value> ? Value : never;

/** What is outside of the agent: its script, and what its effects did. */
interface World {
  readonly moves: readonly Move[];
  readonly begin: Promise<void>;
  readonly effects: Map<string, number>;
  readonly stumbled: Set<string>;
  readonly isFlaky: boolean;
}

function player(world: World): Agent {
  return scripted(async function* (_, context) {
    await world.begin;
    const steps: string[] = [];
    const subagents: string[] = [];
    yield { type: 'state.snapshot', state: { list: [] }, origin: 'agent' };
    for (const [index, one] of world.moves.entries()) {
      yield* play(one, `${index}`, { context, world, steps, subagents });
    }
  });
}

interface Stage {
  readonly context: RunContext;
  readonly world: World;
  readonly steps: string[];
  readonly subagents: string[];
}

function* text(context: RunContext, key: string, said: string): Generator<RunEventBody> {
  const id = context.id(key);
  yield { type: 'text.started', id, role: 'assistant' };
  for (const delta of said.split(/(?<= )/)) yield { type: 'text.delta', id, delta };
  yield { type: 'text.ended', id };
}

async function* play(one: Move, key: string, stage: Stage): AsyncGenerator<RunEventBody> {
  const { context, world, steps, subagents } = stage;
  const id = context.id(key);
  switch (one) {
    case 'text':
      yield* text(context, key, `text ${key} of words`);
      return;
    case 'encrypted':
      yield { type: 'text.started', id, role: 'assistant' };
      yield { type: 'encrypted', entity: 'message', id, value: key };
      yield { type: 'text.ended', id };
      return;
    case 'reasoning':
      yield { type: 'reasoning.started', id };
      yield { type: 'reasoning.delta', id, delta: key };
      yield { type: 'reasoning.ended', id };
      return;
    case 'tool':
    case 'asked-tool': {
      yield { type: 'tool.started', id, name: key, runBy: 'agent' };
      yield { type: 'tool.args', id, delta: '{}' };
      yield { type: 'tool.called', id, args: '{}' };
      yield { type: 'tool.output', id, stream: 'stdout', delta: 'before ' };
      if (one === 'asked-tool') await context.ask(key, { kind: 'approval', text: key, toolCallId: id });
      yield { type: 'tool.output', id, stream: 'stdout', delta: 'after' };
      const parts = [{ type: 'text' as const, text: `result ${key}` }];
      yield { type: 'tool.result', id, messageId: context.id(`${key}/r`), status: 'ok', parts, origin: 'agent' };
      return;
    }
    case 'ask': {
      const [decision] = await context.ask(key, { kind: 'approval', text: key });
      yield* text(context, key, JSON.stringify(decision));
      return;
    }
    case 'two-asks':
      await Promise.all(['a', 'b'].map((name) => context.ask(`${key}${name}`, { kind: 'approval', text: name })));
      return;
    case 'once': {
      const effect = async (): Promise<string> => {
        world.effects.set(key, (world.effects.get(key) ?? 0) + 1);
        await new Promise(setImmediate);
        return `effect ${key}`;
      };
      yield* text(context, key, await context.once(key, effect, 'repeat'));
      return;
    }
    case 'input': {
      const messages = await context.input();
      yield* text(context, key, `took ${messages.length}`);
      return;
    }
    case 'checkpoint':
      await context.checkpoint();
      return;
    case 'state':
      yield { type: 'state.delta', patch: [{ op: 'add', path: '/list/-', value: key }], origin: 'agent' };
      return;
    case 'snapshot':
      yield { type: 'state.snapshot', state: { list: [key] }, origin: 'agent' };
      return;
    case 'open-step': {
      const name = `step ${steps.length}`;
      steps.push(name);
      yield { type: 'step.started', name };
      return;
    }
    case 'close-step': {
      const name = steps.pop();
      if (name !== undefined) yield { type: 'step.finished', name };
      return;
    }
    case 'open-subagent': {
      const subagent = `sub ${subagents.length}`;
      subagents.push(subagent);
      yield { type: 'subagent.started', id: subagent, name: subagent };
      return;
    }
    case 'close-subagent': {
      const subagent = subagents.pop();
      if (subagent !== undefined) yield { type: 'subagent.finished', id: subagent };
      return;
    }
    case 'notice':
      yield { type: 'notice', level: 'info', text: key };
      yield { type: 'usage', provider: 'p', model: 'm', tokens: { input: 1 } };
      return;
    case 'plan':
      yield { type: 'plan', planId: 'plan', entries: [{ content: key, priority: 'low', status: 'pending' }] };
      return;
    case 'activity': {
      const activityType = 'x';
      yield { type: 'activity.snapshot', id: 'activity', activityType, content: { did: [] }, replace: false };
      const patch = [{ op: 'add' as const, path: '/did/-', value: key }];
      yield { type: 'activity.delta', id: 'activity', activityType, patch };
      return;
    }
    case 'artifact':
      yield { type: 'artifact', id, parts: [{ type: 'text', text: 'one' }], append: false, last: false };
      yield { type: 'artifact', id, parts: [{ type: 'text', text: 'two' }], append: true, last: true };
      return;
    case 'flaky':
      if (!world.isFlaky || world.stumbled.has(key)) return;
      world.stumbled.add(key);
      yield* text(context, 'stumble', 'never to be kept');
      throw new Fault('agent-failed', 'stumbled');
  }
}

/** The same ids for the same requests in every execution. */
class CountedIds implements Ids {
  readonly #counts = new Map<string, number>();

  next(prefix: string): string {
    const count = (this.#counts.get(prefix) ?? 0) + 1;
    this.#counts.set(prefix, count);
    return `${prefix}_${String(count).padStart(6, '0')}`;
  }
}

interface Fate {
  /** After how many writes each process dies, and whether that last write is kept. */
  readonly deaths: readonly (readonly [number, boolean])[];
  /** How many looks a question stays open. */
  readonly patience: readonly number[];
  readonly parkAfterMs: number;
  readonly isFlaky: boolean;
}

const kindly: Fate = { deaths: [], patience: [0], parkAfterMs: 300_000, isFlaky: false };

/** Plays a script to its end, through its fate; returns what is left of it for everybody to see. */
async function outcomeOf(moves: readonly Move[], fate: Fate): Promise<unknown> {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const begin = deferred();
  const world = { moves, begin: begin.promise, effects: new Map(), stumbled: new Set<string>(), isFlaky: fate.isFlaky };
  const agent = player(world);
  const ids = new CountedIds();
  const deaths = [...fate.deaths];
  const failures: unknown[] = [];
  const log = { debug() {}, info() {}, warn() {}, error: (fields: object) => void failures.push(fields) };
  let accepts = 2;
  const open = (): { mailbox: Mailbox; of: ProcessStore; started: Promise<void> } => {
    const [write, isKept] = deaths.shift() ?? [Number.POSITIVE_INFINITY, true];
    const of = dyingAt(store, write + accepts, isKept);
    accepts = 0;
    const agents = { cards: () => [agent.card], find: () => agent };
    const rules = { ...limits, maxAttempts: 99, maxInterruptions: 99, parkAfterMs: fate.parkAfterMs };
    const mailbox = new Mailbox({ store: of.store, agents, clock, ids, limits: rules, log });
    const started = mailbox.start();
    return { mailbox, of, started };
  };
  let now = open();
  await now.started;
  const { runId } = await now.mailbox.submit(alice, submission('one'));
  await now.mailbox.submit(alice, submission('two', { whenBusy: 'steer' }));
  begin.resolve();
  const patience = [...fate.patience];
  for (let look = 0; ; look++) {
    await clock.advance(40);
    if (now.of.isDead()) {
      now = open();
      continue;
    }
    const run = await store.findRecord(thread, 'run', runId);
    if (run?.status === 'done') break;
    if (look > 3000) throw new Error(`it never ends: ${JSON.stringify(await store.findLane(thread))}`);
    const lane = await store.findLane(thread);
    const ticketId = lane?.open?.tickets[0]?.id;
    if (ticketId === undefined) continue;
    const waits = patience.shift() ?? 0;
    if (waits > 0) {
      patience.unshift(waits - 1);
      continue;
    }
    const decided = now.mailbox.tickets.decide(caller, ticketId, { answer: { type: 'approve' } });
    void decided.catch((error: unknown) => failures.push(error));
  }
  await clock.advance(40);
  expect(failures).toEqual([]);
  expect(await checkStore(store, ['local'])).toEqual([]);
  const events = await store.readEvents(thread, 0, 100_000);
  const view = emptyView(runId);
  for (const event of events) foldEvent(view, event);
  const path = await readPath(store, thread, (await store.findRecord(thread, 'run', runId))?.headId);
  return {
    outcome: view.outcome,
    state: view.state,
    items: [...view.items.values()].filter(isPlaced).map(plain),
    others: Object.fromEntries(
      [...view.items].filter(([, item]) => !isPlaced(item)).map(([id, item]) => [id, plain(item)]),
    ),
    steps: [...view.steps],
    subagents: Object.fromEntries(view.subagents),
    counts: view.counts,
    thread: (await store.findRecord(thread, 'thread', ''))?.state,
    path: path.map(({ id, parentId, role, parts, toolCalls }) => ({ id, parentId, role, parts, toolCalls })),
  };
}

/** Whether its place among the others shows. */
function isPlaced({ kind }: Item): boolean {
  return kind !== 'plan' && kind !== 'activity' && kind !== 'artifact';
}

function plain(item: Item): Json {
  const drop = new Set(['final', 'seq', 'runId', 'activation']);
  return JSON.parse(JSON.stringify(item, (key, value: unknown) => (drop.has(key) ? undefined : value))) as Json;
}

const fate: fc.Arbitrary<Fate> = fc.record({
  deaths: fc.array(fc.tuple(fc.integer({ min: 1, max: 25 }), fc.boolean()), { maxLength: 4 }),
  patience: fc.array(fc.integer({ min: 0, max: 8 }), { maxLength: 6 }),
  parkAfterMs: fc.constantFrom(1, 200, 300_000),
  isFlaky: fc.boolean(),
});

test(
  'a deterministic agent leaves the same behind, however often its process dies, parks or fails',
  { tags: ['kill-loses-nothing-told', 'answer-is-recorded-with-its-outcome', 'dead-process-costs-an-interruption'] },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(move, { minLength: 1, maxLength: 12 }), fate, async (moves, its) => {
        expect(await outcomeOf(moves, its)).toEqual(await outcomeOf(moves, kindly));
      }),
      { seed: 20_260, numRuns: 250, interruptAfterTimeLimit: 8000 },
    );
  },
);
