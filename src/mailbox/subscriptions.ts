import type { Door, Principal, RunId, ThreadKey } from '../../schemas/id.ts';
import {
  type DeadWebhook,
  type DeadWebhookId,
  PushTarget,
  type Subscription,
  type SubscriptionId,
  type SubscriptionRecord,
} from '../../schemas/subscription.ts';
import { Fault } from '../fault.ts';
import type { Caller, Page, PageRequest, SubscriptionInput, Subscriptions } from '../gateway.ts';
import { subscriptionKey } from '../lane/filing.ts';
import { shown } from '../lane/subscriptions.ts';
import { pageOf } from './lists.ts';
import type { Outbox } from './outbox.ts';
import type { Runner } from './runner.ts';
import type { Store } from './store.ts';

/** More than a run may ever have. */
const allOfRun = 1000;

/** Subscriptions to the runs of a scope. Without an outbox nothing can be sent, and so none be made. */
export class MailboxSubscriptions implements Subscriptions {
  readonly #store: Store;
  readonly #runner: Runner;
  readonly #outbox: Outbox | undefined;

  constructor(parts: { readonly store: Store; readonly runner: Runner; readonly outbox: Outbox | undefined }) {
    this.#store = parts.store;
    this.#runner = parts.runner;
    this.#outbox = parts.outbox;
  }

  check({ door }: Caller, target: PushTarget): void {
    this.#outboxFor(door).check(targetOf(target).url);
  }

  async create(caller: Caller, runId: RunId, input: SubscriptionInput): Promise<Subscription> {
    const outbox = this.#outboxFor(caller.door);
    const thread = await this.#locate(caller, runId);
    const { id, filter, codec, after } = input;
    const target = targetOf(input.target);
    outbox.check(target.url);
    const others = (await this.#all(thread, runId)).filter((one) => one.actor !== caller.actor || one.id !== id);
    const { subscription } = await this.#runner.turn(thread, {
      type: 'subscribe',
      subscription: {
        id,
        runId,
        actor: caller.actor,
        door: caller.door,
        target,
        filter,
        ...(codec === undefined ? {} : { codec }),
      },
      after,
      deadOnRun: others.filter(({ state }) => state.is === 'dead').length,
      claim: outbox.offer(),
    });
    return subscription;
  }

  async find(caller: Principal, runId: RunId, id: SubscriptionId): Promise<Subscription | undefined> {
    const thread = await this.#store.locate(caller.scope, 'run', runId);
    if (thread === undefined) return undefined;
    const key = subscriptionKey({ runId, id, actor: caller.actor });
    const record = await this.#store.findRecord(thread, 'subscription', key);
    if (record === undefined) return undefined;
    const lane = await this.#store.findLane(thread);
    return shown(
      record,
      lane?.subscriptions?.find((one) => one.id === key),
    );
  }

  async list(caller: Principal, runId: RunId): Promise<readonly Subscription[]> {
    const thread = await this.#locate(caller, runId);
    return (await this.#all(thread, runId)).filter(({ actor }) => actor === caller.actor);
  }

  async remove(caller: Principal, runId: RunId, id: SubscriptionId): Promise<void> {
    const thread = await this.#locate(caller, runId);
    const key = subscriptionKey({ runId, id, actor: caller.actor });
    await this.#runner.turn(thread, { type: 'unsubscribe', id: key });
  }

  listDead({ scope }: Principal, page: PageRequest): Promise<Page<DeadWebhook>> {
    return pageOf(this.#store, { scope, kind: 'subscription', label: 'dead' }, page, showDead);
  }

  async redrive(caller: Principal, webhookId: DeadWebhookId): Promise<void> {
    const { actor, door, runId, id, target, filter, codec, state } = (await this.#findBy(caller, webhookId)).record;
    if (state.is === 'active') return;
    // It is its maker's still, whoever redrives it.
    const maker: Caller = { scope: caller.scope, actor, door, origin: 'agent' };
    await this.create(maker, runId, { id, target, filter, codec });
  }

  async discard(caller: Principal, webhookId: DeadWebhookId): Promise<void> {
    const { thread, record } = await this.#findBy(caller, webhookId);
    if (record.state.is !== 'dead') throw notFound(webhookId);
    await this.#runner.turn(thread, { type: 'unsubscribe', id: subscriptionKey(record) });
  }

  async #findBy(
    { scope }: Principal,
    webhookId: DeadWebhookId,
  ): Promise<{ readonly thread: ThreadKey; readonly record: SubscriptionRecord }> {
    const key = Buffer.from(webhookId, 'base64url').toString();
    const [runId = ''] = key.split('/', 1);
    const thread = await this.#store.locate(scope, 'run', runId);
    const record = thread && (await this.#store.findRecord(thread, 'subscription', key));
    if (thread === undefined || record === undefined) throw notFound(webhookId);
    return { thread, record };
  }

  #outboxFor(door: Door): Outbox {
    if (this.#outbox?.sendsFor(door) !== true) throw new Fault('unsupported', 'nothing is sent to webhooks from here');
    return this.#outbox;
  }

  /** Of all actors, in the order of their keys. */
  async #all(thread: ThreadKey, runId: RunId): Promise<Subscription[]> {
    const { subscriptions = [] } = (await this.#store.findLane(thread)) ?? {};
    // Keys of one run begin with its id and a slash, and `0` comes next.
    const { scope, threadId } = thread;
    const query = { scope, kind: 'subscription', threadId, before: `${runId}0`, limit: allOfRun } as const;
    const listed = (await this.#store.list(query)).filter(({ value }) => value.runId === runId).toReversed();
    return listed.map(({ key, value }) =>
      shown(
        value,
        subscriptions.find((one) => one.id === key),
      ),
    );
  }

  async #locate({ scope }: Principal, runId: RunId): Promise<ThreadKey> {
    const thread = await this.#store.locate(scope, 'run', runId);
    if (thread === undefined) throw new Fault('not-found', `no run has the id ${runId}`);
    return thread;
  }
}

/** Undefined where it is followed. */
function showDead(record: SubscriptionRecord): DeadWebhook | undefined {
  const { id, runId, threadId, actor, door, filter, createdAtMs, target, state } = record;
  if (state.is !== 'dead') return undefined;
  const { fault, attempts, atMs: diedAtMs } = state;
  const webhookId = Buffer.from(subscriptionKey(record)).toString('base64url');
  const { host } = new URL(target.url);
  return { webhookId, id, runId, threadId, actor, door, filter, createdAtMs, host, fault, attempts, diedAtMs };
}

function notFound(webhookId: DeadWebhookId): Fault {
  return new Fault('not-found', `no webhook has the id ${webhookId}`);
}

/** What doors hand over came from outside, and ends in headers. */
function targetOf(target: PushTarget): PushTarget {
  const parsed = PushTarget.safeParse(target);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = ['target', ...(issue?.path ?? [])].join('.');
  throw new Fault('invalid-request', issue?.message ?? 'the target is not one', { path });
}
