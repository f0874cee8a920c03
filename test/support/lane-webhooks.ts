import type { RunEvent } from '../../schemas/run-event.ts';
import type { Command, Outcomes } from '../../src/lane/command.ts';
import { subscriptionKey } from '../../src/lane/filing.ts';
import type { Lane } from '../../src/lane/lane.ts';
import { isWanted } from '../../src/lane/subscriptions.ts';
import { checkDeliveries } from './deliveries.ts';
import type { LaneDriver } from './lane-driver.ts';

/** A receiver, and what is known of the subscription that sends to it. */
interface Webhook {
  readonly runId: string;
  readonly filter: 'status' | 'everything';
  /** Where it began. */
  readonly after: number;
  cursor: number;
  attempts: number;
  retryAtMs: number | undefined;
  isDead: boolean;
  /** The numbers it accepted. */
  readonly accepted: number[];
  /** Whether something was sent and then not recorded. */
  crashes: boolean;
}

/** A model of a thread's subscriptions: what every webhook was told, and where each of them is. */
export class LaneWebhooks {
  readonly #driver: LaneDriver;
  readonly #hooks = new Map<string, Webhook>();

  constructor(driver: LaneDriver) {
    this.#driver = driver;
  }

  /** The next events that a webhook wants. */
  wantedBy(key: string): RunEvent[] {
    const hook = this.#hooks.get(key);
    if (hook === undefined) return [];
    return this.#driver.log.filter((event) => event.seq > hook.cursor && isWanted(event, hook));
  }

  /** The webhook answers that it has it. */
  accept(key: string, seq: number): void {
    this.#hooks.get(key)?.accepted.push(seq);
  }

  /** Whoever sent that is gone. */
  crash(key: string): void {
    const hook = this.#hooks.get(key);
    if (hook !== undefined) hook.crashes = true;
  }

  /** When the next webhook is tried again. */
  get retriesAtMs(): number[] {
    return [...this.#hooks.values()].flatMap(({ retryAtMs }) => (retryAtMs === undefined ? [] : [retryAtMs]));
  }

  /** What a command that was carried out says. */
  follow(command: Command, outcome: unknown, lane: Lane): void {
    switch (command.type) {
      case 'subscribe':
        this.#subscribed(command, outcome as Outcomes['subscribe']);
        return;
      case 'unsubscribe':
        this.#hooks.delete(command.id);
        return;
      case 'claimPush': {
        const hook = this.#hooks.get(command.id);
        const { subscription } = outcome as Outcomes['claimPush'];
        if (hook === undefined || subscription === undefined) return;
        expectTrue((hook.retryAtMs ?? 0) <= lane.lastMs, `${command.id} is claimed before its time`);
        hook.retryAtMs = undefined;
        return;
      }
      case 'pushed':
        this.#moved(command.id, command.upTo, (outcome as Outcomes['pushed']).is);
        return;
      case 'pushFailed':
        this.#failed(command, (outcome as Outcomes['pushFailed']).is, lane);
        return;
      default:
    }
  }

  #subscribed({ subscription }: Command<'subscribe'>, made: Outcomes['subscribe']): void {
    const { runId, filter } = subscription;
    const known = this.#hooks.get(subscriptionKey(subscription));
    const { cursor, attempts } = made.subscription;
    const fresh = { runId, filter, after: cursor, accepted: [], crashes: false };
    if (known !== undefined) expectTrue(cursor >= known.cursor, `a webhook goes back to ${cursor}`);
    // One that had been given up may have been told to begin later.
    const hook = known !== undefined && cursor === known.cursor ? known : fresh;
    const retryAtMs = made.subscription.wakeAtMs;
    this.#hooks.set(subscriptionKey(subscription), { ...hook, cursor, attempts, retryAtMs, isDead: false });
  }

  #moved(key: string, upTo: number, is: 'active' | 'over'): void {
    const hook = this.#hooks.get(key);
    if (hook === undefined) return;
    if (upTo > hook.cursor) {
      hook.attempts = 0;
      hook.cursor = upTo;
    }
    if (is === 'active' || hook.isDead) return;
    const run = this.#driver.get('run', hook.runId);
    expectTrue(run.status === 'done', `${key} is over and its run goes on`);
    this.#checkTold(key, hook, run.lastSeq ?? 0);
    this.#hooks.delete(key);
  }

  #failed(command: Command<'pushFailed'>, is: Outcomes['pushFailed']['is'], lane: Lane): void {
    const hook = this.#hooks.get(command.id);
    if (hook === undefined || hook.isDead) return;
    this.#moved(command.id, command.upTo, is === 'over' ? 'over' : 'active');
    if (is === 'over') return;
    const { maxAttempts, backoffBaseMs, backoffCapMs } = this.#driver.rules.push;
    hook.attempts += 1;
    hook.isDead = is === 'dead';
    expectTrue(
      hook.isDead === (command.final || hook.attempts >= maxAttempts),
      `${command.id} is ${is} after ${hook.attempts}`,
    );
    const waitMs = Math.max(command.retryAfterMs ?? 0, backoffBaseMs * 2 ** (hook.attempts - 1));
    hook.retryAtMs = hook.isDead ? undefined : lane.lastMs + Math.min(backoffCapMs, waitMs);
  }

  /** What holds after every step. */
  check(lane: Lane): void {
    const moving = lane.subscriptions ?? [];
    const alive = [...this.#hooks].filter(([, hook]) => !hook.isDead);
    const ids = moving.map(({ id }) => id).toSorted();
    expectTrue(String(ids) === String(alive.map(([id]) => id).toSorted()), `${String(ids)} are active in the lane`);
    expectTrue(lane.subscriptions === undefined || moving.length > 0, 'a lane keeps an empty list of subscriptions');
    for (const { id, cursor, attempts, wakeAtMs } of moving) {
      const hook = this.#hooks.get(id);
      expectTrue(cursor === hook?.cursor, `${id} is at ${cursor}, not at ${hook?.cursor}`);
      expectTrue(cursor <= lane.head, `${id} is at ${cursor}, beyond the log`);
      expectTrue(attempts === hook?.attempts, `${id} has failed ${attempts} times, not ${hook?.attempts}`);
      expectTrue(wakeAtMs === hook?.retryAtMs, `${id} wakes at ${wakeAtMs}, not at ${hook?.retryAtMs}`);
    }
    for (const [key, hook] of this.#hooks) this.#checkTold(key, hook, hook.cursor);
  }

  #checkTold(key: string, { crashes, accepted, ...hook }: Webhook, upTo: number): void {
    const [violation] = checkDeliveries(this.#driver.log, { ...hook, upTo }, accepted, crashes);
    expectTrue(violation === undefined, `${key}: ${violation}`);
  }
}

function expectTrue(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
