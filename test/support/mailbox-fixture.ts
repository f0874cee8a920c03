import type { Door } from '../../schemas/id.ts';
import type { RunEvent, RunEventBody } from '../../schemas/run-event.ts';
import type { Agent, Activated, RunContext } from '../../src/agents/agent.ts';
import type { Clock } from '../../src/clock.ts';
import { systemClock } from '../../src/clock.ts';
import type { Submission } from '../../src/gateway.ts';
import { TimeOrderedIds } from '../../src/ids.ts';
import type { Log } from '../../src/log.ts';
import { Mailbox, type MailboxLimits } from '../../src/mailbox/mailbox.ts';
import type { PushPorts } from '../../src/mailbox/outbox.ts';
import type { Store } from '../../src/mailbox/store.ts';
import { MemoryStore } from '../../src/stores/memory-store.ts';
import { until } from './until.ts';

export const limits: MailboxLimits = {
  maxAttempts: 5,
  backoffBaseMs: 250,
  backoffCapMs: 30_000,
  maxInterruptions: 20,
  graceMs: 5000,
  parkAfterMs: 300_000,
  ticketTtlMs: 7 * 86_400_000,
  queuePerThread: 100,
  queueInAll: 10_000,
  mergeWindowMs: 16,
  maxUnflushedBytes: 1_048_576,
  maxRunEvents: 100_000,
  maxRunBytes: 64 * 1_048_576,
  maxRunning: 256,
  wakeFallbackMs: 2000,
  shutdownGraceMs: 1000,
  retentionMs: undefined,
};

export const alice = { scope: 'local', actor: 'alice' };
/** The same at the control API's door. */
export const caller = { ...alice, door: 'control', origin: 'user' } as const;

export type Script = (activation: Activated, context: RunContext) => AsyncIterable<RunEventBody>;

/** An agent that does what the test says. */
export function scripted(run: Script, card: Partial<Agent['card']> = {}): Agent {
  return {
    card: {
      id: 'scripted',
      version: '1',
      name: 'Scripted',
      description: 'does what the test says',
      skills: [],
      capabilities: {
        input: [],
        reasoning: true,
        tools: true,
        clientTools: true,
        state: true,
        approvals: true,
        subagents: true,
      },
      recovery: 'rerun',
      takesInput: true,
      ...card,
    },
    run,
  };
}

export interface Fixture {
  readonly mailbox: Mailbox;
  readonly store: Store;
  readonly logged: readonly { readonly fields: object; readonly message: string }[];
  readonly submit: (key: string, change?: Partial<Submission>) => ReturnType<Mailbox['submit']>;
  readonly events: (threadId?: string) => Promise<readonly RunEvent[]>;
  /** Waits for the n-th event of a type. */
  readonly seen: (type: RunEvent['type'], count?: number, threadId?: string) => Promise<RunEvent>;
  readonly done: (key: string, door?: Door) => Promise<void>;
}

/** A running mailbox with one scripted agent. */
export async function open(
  agent: Agent,
  options: { store?: Store; clock?: Clock; limits?: Partial<MailboxLimits>; push?: PushPorts } = {},
): Promise<Fixture> {
  const clock = options.clock ?? systemClock;
  const store = options.store ?? new MemoryStore({ clock });
  const logged: { fields: object; message: string }[] = [];
  const write = (fields: object, message: string): void => {
    logged.push({ fields, message });
  };
  const log: Log = { debug: write, info: write, warn: write, error: write };
  const agents = { cards: () => [agent.card], find: (id: string) => (id === agent.card.id ? agent : undefined) };
  const mailbox = new Mailbox({
    store,
    agents,
    clock,
    ids: new TimeOrderedIds(),
    limits: { ...limits, ...options.limits },
    log,
    ...(options.push === undefined ? {} : { push: options.push }),
  });
  await mailbox.start();
  const events = (threadId = 't'): Promise<readonly RunEvent[]> =>
    store.readEvents({ scope: alice.scope, threadId }, 0, 100_000);
  return {
    mailbox,
    store,
    logged,
    events,
    submit: (key, change) => mailbox.submit(alice, submission(key, change)),
    seen: (type, count = 1, threadId = 't') =>
      until(`${type} number ${count} on ${threadId}`, async () => {
        const found = (await events(threadId)).filter((event) => event.type === type);
        return found[count - 1];
      }),
    done: async (key, door = 'control') => {
      await until(`the end of ${key}`, async () => {
        const activation = await mailbox.findActivation(alice, 't', `${door}:${key}`);
        return activation?.state.is === 'answered';
      });
    },
  };
}

export function submission(key: string, change: Partial<Submission> = {}): Submission {
  return {
    threadId: 't',
    door: 'control',
    key,
    agentId: 'scripted',
    origin: 'user',
    messages: [{ role: 'user', parts: [{ type: 'text', text: key }] }],
    messagesAre: 'new',
    decisions: [],
    toolResults: [],
    whenBusy: 'queue',
    tools: [],
    context: [],
    references: [],
    acceptedModes: [],
    metadata: {},
    endsAt: 'done',
    priority: 128,
    ...change,
  };
}

/** One whole text. */
export function* say(context: RunContext, key: string, text: string): Generator<RunEventBody> {
  const id = context.id(key);
  yield { type: 'text.started', id, role: 'assistant' };
  yield { type: 'text.delta', id, delta: text };
  yield { type: 'text.ended', id };
}
