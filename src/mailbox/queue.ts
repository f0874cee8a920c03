import type { Activation } from '../../schemas/activation.ts';
import type { QueueEntry } from '../../schemas/control.ts';
import type { ActivationId, Principal, ThreadId, ThreadKey } from '../../schemas/id.ts';
import type { MessageInput } from '../../schemas/message.ts';
import { Fault } from '../fault.ts';
import type { Caller, Queue } from '../gateway.ts';
import { inOrder } from '../lane/lane.ts';
import type { Runner } from './runner.ts';
import type { Store } from './store.ts';

/** What waits on a thread. */
export class MailboxQueue implements Queue {
  readonly #store: Store;
  readonly #runner: Runner;

  constructor({ store, runner }: { readonly store: Store; readonly runner: Runner }) {
    this.#store = store;
    this.#runner = runner;
  }

  async list({ scope }: Principal, threadId: ThreadId): Promise<readonly QueueEntry[]> {
    const thread = { scope, threadId };
    const lane = await this.#store.findLane(thread);
    if (lane === undefined) throw new Fault('not-found', `no thread has the id ${threadId}`);
    const entries = await Promise.all(inOrder(lane).map((id) => this.#entry(thread, id)));
    return entries.filter((entry) => entry !== undefined);
  }

  /** Undefined where a run has taken it since. */
  async #entry(thread: ThreadKey, id: ActivationId): Promise<QueueEntry | undefined> {
    const activation = await this.#store.findRecord(thread, 'activation', id);
    const request = await this.#store.findRecord(thread, 'request', id);
    if (activation === undefined || request === undefined) return undefined;
    const { is } = activation.state;
    if (is !== 'queued' && is !== 'pending') return undefined;
    const { digest: _, ...shown } = activation;
    return { activation: shown, messages: request.messages, whenBusy: request.whenBusy };
  }

  async edit(
    caller: Caller,
    threadId: ThreadId,
    id: ActivationId,
    change: { readonly revision: number; readonly messages: readonly MessageInput[] },
  ): Promise<Activation> {
    const thread = { scope: caller.scope, threadId };
    return (await this.#runner.turn(thread, { type: 'edit', activationId: id, ...change, by: caller })).activation;
  }

  async reorder(caller: Caller, threadId: ThreadId, ids: readonly ActivationId[]): Promise<readonly QueueEntry[]> {
    const thread = { scope: caller.scope, threadId };
    await this.#runner.turn(thread, { type: 'reorder', activationIds: ids, by: caller });
    return this.list(caller, threadId);
  }

  async retract(caller: Caller, threadId: ThreadId, id: ActivationId): Promise<Activation> {
    const thread = { scope: caller.scope, threadId };
    return (await this.#runner.turn(thread, { type: 'retract', activationId: id, by: caller })).activation;
  }
}
