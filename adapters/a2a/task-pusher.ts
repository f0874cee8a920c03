// What a task's webhooks are told, out of the fold that its streams are told from.
import type { RunId } from '../../schemas/id.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { Subscription } from '../../schemas/subscription.ts';
import { Fault } from '../../src/fault.ts';
import type { Caller, Gateway, Pusher, PushRequest } from '../../src/gateway.ts';
import { pushCodecOf } from './push-codecs.ts';
import { isTerminal, type ShownWork, type TaskFold } from './task-fold.ts';
import { foldBetween, Tasks } from './tasks.ts';

export interface TaskPusherOptions {
  /** Asked for when there is something to tell: the gateway is made with its pushers. */
  readonly gateway: () => Gateway;
  readonly shown: ReadonlySet<ShownWork>;
  /** How many tasks are remembered between two looks; what is not is folded again. */
  readonly maxRemembered?: number;
}

interface Place {
  readonly fold: TaskFold;
  /** The last event that is in it. */
  at: number;
}

export class TaskPusher implements Pusher {
  readonly tokenHeader = 'X-A2A-Notification-Token';
  readonly #options: TaskPusherOptions;
  /** The least recently told first. */
  readonly #remembered = new Map<string, Place>();

  constructor(options: TaskPusherOptions) {
    this.#options = options;
  }

  async encodePush(subscription: Subscription, events: readonly RunEvent[]): Promise<readonly PushRequest[]> {
    const [first] = events;
    if (first === undefined) return [];
    const gateway = this.#options.gateway();
    const { scope, actor, door, runId, threadId } = subscription;
    const caller: Caller = { scope, actor, door, origin: 'agent' };
    const key = JSON.stringify([scope, runId, actor, subscription.id]);
    const known = this.#remembered.get(key);
    this.#remembered.delete(key);
    // What is told again, after a failure, begins before what is remembered.
    const isKnown = known !== undefined && known.at < first.seq;
    const place = isKnown ? known : await this.#placeBefore(caller, runId, first.seq);

    const { headers, encode } = pushCodecOf(subscription.codec);
    const requests: PushRequest[] = [];
    for (const event of events) {
      await foldBetween(gateway, caller, { threadId, fold: place.fold, after: place.at, before: event.seq });
      const bodies = encode(place.fold.fold(event), () => place.fold.snapshot());
      requests.push(...bodies.map((body) => ({ headers, body, upTo: event.seq, claims: { taskId: runId } })));
      place.at = event.seq;
    }
    if (!isTerminal(place.fold.state)) this.#remember(key, place);
    return requests;
  }

  async #placeBefore(caller: Caller, runId: RunId, seq: number): Promise<Place> {
    const gateway = this.#options.gateway();
    const report = await gateway.runs.find(caller, runId);
    if (report === undefined) throw new Fault('not-found', `no run has the id ${runId}`);
    const tasks = new Tasks({ gateway, agentId: report.run.agentId, shown: this.#options.shown });
    return { fold: await tasks.foldBefore(caller, runId, seq), at: seq - 1 };
  }

  #remember(key: string, place: Place): void {
    const { maxRemembered = 1000 } = this.#options;
    this.#remembered.set(key, place);
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size > maxRemembered && oldest !== undefined) this.#remembered.delete(oldest);
  }
}
