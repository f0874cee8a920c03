import { setImmediate as nextTick } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { RunEventBody } from '../../../schemas/run-event.ts';
import type { Agent, RunContext } from '../../../src/agents/agent.ts';
import { pause } from '../../../src/agents/demo/pause.ts';
import { Fault } from '../../../src/fault.ts';
import type { Caller } from '../../../src/gateway.ts';
import type { Lane } from '../../../src/lane/lane.ts';
import { Mailbox } from '../../../src/mailbox/mailbox.ts';
import type { Store } from '../../../src/mailbox/store.ts';
import { MemoryStore } from '../../../src/stores/memory-store.ts';
import { checkStore } from '../../support/checker.ts';
import { mortal } from '../../support/crashing-store.ts';
import { limits, say, scripted, submission } from '../../support/mailbox-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { Random } from '../../support/random.ts';

const firstSeed = Number(process.env['DRIVE_SEED'] ?? 5010);
const drives = Number(process.env['DRIVES'] ?? 15);

const threads = ['a', 'b', 'c'];
const people = ['ann', 'bob'].map((actor): Caller => ({ scope: 'local', actor, door: 'control', origin: 'user' }));
const recoveries = ['rerun', 'resume', 'fail'] as const;
const refusal: Record<string, true> = { 'disk-low': true, 'not-found': true, 'claim-lost': true };

/** Does the same in each attempt of a run, and something else in each run. */
function player(recovery: Agent['card']['recovery'], clock: ManualClock): Agent {
  const play = async function* (context: RunContext, random: Random, key: string): AsyncGenerator<RunEventBody> {
    const question = { kind: 'approval', text: key } as const;
    switch (
      random.weighted({ say: 6, ask: 2, askTwice: 1, once: 2, input: 3, pause: 4, fail: 1, state: 1, set: 1, hang: 1 })
    ) {
      case 'say':
        yield* say(context, key, key);
        return;
      case 'ask':
        await context.ask(key, random.below(3) > 0 ? question : { ...question, expiresInMs: 700, onExpiry: 'fail' });
        return;
      case 'askTwice':
        await Promise.all(['a', 'b'].map((name) => context.ask(`${key}${name}`, question, question)));
        return;
      case 'once':
        await context.once(key, () => nextTick(key), random.pick(['ask', 'repeat', 'fail']));
        return;
      case 'input':
        await context.input();
        return;
      case 'pause':
        await pause(clock, 50 + random.below(600), context.signal);
        return;
      case 'fail':
        if (context.attempt < 3) throw new Fault(random.pick(['agent-failed', 'agent-refused']), 'it failed');
        return;
      case 'state':
        yield { type: 'state.snapshot', state: { key }, origin: 'agent' };
        return;
      case 'set':
        await context.memory.run.set(key, key);
        return;
      case 'hang':
        if (random.below(3) === 0) await new Promise(() => undefined);
    }
  };
  return scripted(
    async function* ({ runId }, context) {
      const random = new Random(Number(runId.slice(runId.lastIndexOf('_') + 1)));
      for (let count = random.below(8), at = 0; at <= count; at++) yield* play(context, random, `${at}`);
    },
    { id: recovery, recovery, takesInput: recovery !== 'resume' },
  );
}

/** A store that now and then refuses a write, as a disk does that is full for a moment. */
class MoodyStore {
  readonly store: Store;
  odds = 0;

  constructor(base: Store, random: Random) {
    const refuses = (): boolean => this.odds > 0 && random.below(this.odds) === 0;
    this.store = new Proxy(base, {
      get: (_, name) => {
        const member = base[name as keyof Store] as (...args: unknown[]) => unknown;
        if (name !== 'update' && name !== 'append') return member.bind(base);
        return (...args: unknown[]) =>
          refuses() ? Promise.reject(new Fault('disk-low', 'the disk is full')) : member.apply(base, args);
      },
    });
  }
}

/** One world: people, agents, processes that come and go, and a store. */
class World {
  readonly store: MemoryStore;
  readonly trouble: unknown[] = [];
  readonly #clock = new ManualClock();
  readonly #random: Random;
  readonly #moody: MoodyStore;
  readonly #accepted: { readonly threadId: string; readonly logId: string; readonly id: string }[] = [];
  readonly #limits: typeof limits;
  readonly #counts = new Map<string, number>();
  #process: { readonly mailbox: Mailbox; readonly kill: () => void } | undefined;

  constructor(seed: number) {
    const random = (this.#random = new Random(seed));
    this.store = new MemoryStore({ clock: this.#clock });
    this.#moody = new MoodyStore(this.store, random);
    this.#moody.odds = 8 + random.below(60);
    const few = { maxAttempts: 3, maxInterruptions: 4, queuePerThread: 8, shutdownGraceMs: 300 };
    const [parkAfterMs, retentionMs] = [random.pick([1, 500, 300_000]), random.below(2) === 0 ? 2000 : undefined];
    this.#limits = { ...limits, ...few, parkAfterMs, retentionMs, maxRunning: 1 + random.below(3) };
  }

  async start(): Promise<void> {
    const agents = recoveries.map((recovery) => player(recovery, this.#clock));
    const say = (fields: object, message: string): void => {
      const { error } = fields as { readonly error?: unknown };
      const isKnown = error instanceof Fault && refusal[error.code] === true;
      if (message !== 'an attempt failed' && !isKnown) this.trouble.push(message, error);
    };
    const { store, kill } = mortal(this.#moody.store);
    const mailbox = new Mailbox({
      store,
      agents: {
        cards: () => agents.map(({ card }) => card),
        find: (id) => agents.find(({ card }) => card.id === id),
      },
      clock: this.#clock,
      ids: { next: (prefix) => `${prefix}_${String(this.#next(prefix)).padStart(6, '0')}` },
      limits: this.#limits,
      log: { debug: say, info: say, warn: say, error: say },
    });
    this.#process = { mailbox, kill };
    await mailbox.start();
  }

  #next(prefix: string): number {
    const count = (this.#counts.get(prefix) ?? 0) + 1;
    this.#counts.set(prefix, count);
    return count;
  }

  get #mailbox(): Mailbox {
    if (this.#process === undefined) throw new Error('there is no process');
    return this.#process.mailbox;
  }

  /** What is refused is refused; only what nobody expects counts. */
  #ask(work: Promise<unknown>): void {
    void work.catch((error: unknown) => {
      if (['internal', 'agent-protocol'].includes(Fault.from(error).code)) this.trouble.push(error);
    });
  }

  async stop(): Promise<void> {
    let isOver = false;
    const stopped = this.#mailbox.stop().then(() => (isOver = true));
    for (let look = 0; look < 50 && !isOver; look++) await this.#clock.advance(100);
    expect(isOver, 'the process stops').toBe(true);
    await stopped;
  }

  async act(): Promise<void> {
    const random = this.#random;
    const threadId = random.pick(threads);
    const by = random.pick(people);
    const lane = await this.store.findLane({ scope: 'local', threadId });
    const { open, queue = [] } = lane ?? {};
    const first = queue[0]?.activations[0]?.id;
    const ticketId = open?.tickets[0]?.id;
    const { threads: conversations, runs, tickets, queue: waiting } = this.#mailbox;
    switch (
      random.weighted({
        submit: 15,
        decide: 6,
        cancel: 3,
        stop: 2,
        retract: 2,
        change: 2,
        remove: 1,
        die: 3,
        restart: 1,
        wait: 14,
      })
    ) {
      case 'submit':
        this.#ask(this.#submit(by, threadId, lane));
        return;
      case 'decide': {
        const answer = random.pick([{ type: 'approve' }, { type: 'deny' }, { type: 'dismiss' }] as const);
        if (ticketId !== undefined) this.#ask(tickets.decide(by, ticketId, { answer }));
        return;
      }
      case 'cancel':
        if (open !== undefined) this.#ask(runs.cancel(by, open.runId));
        return;
      case 'stop':
        this.#ask(random.below(2) === 0 ? conversations.interrupt(by, threadId) : conversations.cancel(by, threadId));
        return;
      case 'retract':
        if (first !== undefined) this.#ask(waiting.retract(by, threadId, first));
        return;
      case 'change':
        this.#ask(conversations.patch(by, threadId, { title: `${random.below(5)}` }));
        return;
      case 'remove':
        if (random.below(3) === 0) this.#ask(conversations.remove(by, threadId, { children: 'keep', force: true }));
        return;
      case 'die':
        this.#process?.kill();
        // What was on its way to the disk arrives there before the next process looks.
        await this.#clock.advance(0);
        await this.start();
        return;
      case 'restart':
        await this.stop();
        await this.start();
        return;
      case 'wait':
        await this.#clock.advance(random.pick([0, 1, 20, 120, 300, 2500]));
    }
  }

  async #submit(by: Caller, threadId: string, lane: Lane | undefined): Promise<void> {
    const random = this.#random;
    const { open, left } = lane ?? {};
    const ticketId = random.below(3) === 0 ? open?.tickets[0]?.id : undefined;
    const toolCallIds = random.below(2) === 0 ? (left?.toolCallIds ?? []) : [];
    const { activation } = await this.#mailbox.submit(
      by,
      submission(`request ${this.#next('request')}`, {
        threadId,
        agentId: random.below(3) > 0 && open !== undefined ? open.agentId : random.pick(recoveries),
        whenBusy: random.pick(['queue', 'steer', 'steer', 'interrupt', 'reject']),
        bound: random.below(4) === 0 ? open?.runId : undefined,
        decisions: ticketId === undefined ? [] : [{ ticketId, answer: { type: 'approve' } }],
        toolResults: toolCallIds.map((toolCallId) => ({ toolCallId, parts: [{ type: 'text', text: 'result' }] })),
        endsAt: random.pick(['done', 'waiting']),
      }),
    );
    this.#accepted.push({ threadId, logId: activation.logId, id: activation.id });
  }

  /** Nobody asks for more, the disk has room again, and what asks or hangs is ended. */
  async rest(): Promise<readonly Lane[]> {
    let busy: readonly Lane[] = [];
    for (let look = 0; look < 200; look++) {
      if (look === 25) this.#moody.odds = 0;
      await this.#clock.advance(look < 30 ? 200 : 5000);
      busy = await this.#busy();
      if (busy.length === 0 && this.#moody.odds === 0) break;
      for (const { open } of busy) {
        for (const { id } of open?.tickets ?? []) {
          this.#ask(this.#mailbox.tickets.decide(people[0] as Caller, id, { answer: { type: 'dismiss' } }));
        }
        const isOver = open === undefined || open.phase.is === 'ending' || open.phase.is === 'stopping';
        if (look > 60 && !isOver) this.#ask(this.#mailbox.runs.cancel(people[0] as Caller, open.runId));
      }
    }
    return busy;
  }

  async #busy(): Promise<readonly Lane[]> {
    const keys = await this.store.listThreads('local', '', 100);
    const lanes = await Promise.all(keys.map((key) => this.store.findLane(key)));
    return lanes.flatMap((lane) =>
      lane !== undefined && (lane.open !== undefined || lane.queue.length > 0 || lane.inputs.length > 0) ? [lane] : [],
    );
  }

  /** Requests that were taken in, on threads that are there still, and are not over. */
  async unanswered(): Promise<readonly string[]> {
    const states = this.#accepted.map(async ({ threadId, logId, id }) => {
      const thread = { scope: 'local', threadId };
      if ((await this.store.findLane(thread))?.logId !== logId) return [];
      const is = (await this.store.findRecord(thread, 'activation', id))?.state.is;
      return is === 'answered' || is === 'retracted' ? [] : [`${id} on ${threadId} is ${is}`];
    });
    return (await Promise.all(states)).flat();
  }

  /** As many more as there are slots, and then some. */
  async startMore(): Promise<void> {
    for (let at = 0; at < 6; at++) this.#ask(this.#submit(people[0] as Caller, `more ${at}`, undefined));
    await this.#clock.advance(0);
  }
}

test(
  'whatever people do, processes die of and the disk has no room for, all that was accepted ends, and no slot is lost',
  {
    tags: ['kill-loses-nothing-told', 'unsettled-end-is-settled-later', 'slots-come-back'],
    timeout: 60_000 + drives * 2000,
  },
  async () => {
    for (let seed = firstSeed; seed < firstSeed + drives; seed++) {
      const world = new World(seed);
      await world.start();
      for (let act = 0; act < 120; act++) await world.act();
      expect(await world.rest(), `DRIVE_SEED=${seed}`).toEqual([]);
      await world.startMore();
      expect(await world.rest(), `DRIVE_SEED=${seed}`).toEqual([]);
      expect(await world.unanswered(), `DRIVE_SEED=${seed}`).toEqual([]);
      expect(await checkStore(world.store, ['local']), `DRIVE_SEED=${seed}`).toEqual([]);
      expect(world.trouble, `DRIVE_SEED=${seed}`).toEqual([]);
      await world.stop();
    }
  },
);
