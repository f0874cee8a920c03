import type { Door, ThreadKey } from '../../schemas/id.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { PushTarget, Subscription } from '../../schemas/subscription.ts';
import type { Clock } from '../clock.ts';
import { deferred } from '../deferred.ts';
import type { Followers } from '../events/follow.ts';
import { Fault } from '../fault.ts';
import type { Pusher, PushRequest, ThreadView } from '../gateway.ts';
import type { Ids } from '../ids.ts';
import type { Command, CommandType, Outcomes, PushRules } from '../lane/command.ts';
import type { Lane, LaneClaim, LaneSubscription } from '../lane/lane.ts';
import { isWanted, shown } from '../lane/subscriptions.ts';
import type { Log } from '../log.ts';
import type { NotificationTokens } from '../push/notification-tokens.ts';
import type { PushMessage, PushSender, Sent } from '../push/sender.ts';
import { threadName } from '../thread-name.ts';
import { Slots } from './slots.ts';
import type { Store } from './store.ts';

/** What a gateway needs to send to webhooks. */
export interface PushPorts {
  readonly sender: PushSender;
  /** How each door that takes subscriptions tells events. */
  readonly pushers: Partial<Readonly<Record<Door, Pusher>>>;
  /** Undefined: nothing that is sent is signed. */
  readonly tokens?: NotificationTokens | undefined;
  readonly rules: PushRules;
  /** How many requests may be under way, of all subscriptions together. */
  readonly maxSending: number;
}

export interface OutboxParts {
  readonly push: PushPorts;
  readonly store: Store;
  readonly followers: Followers;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly wakeFallbackMs: number;
  readonly shutdownGraceMs: number;
  turn<Type extends CommandType>(thread: ThreadKey, command: Command<Type>): Promise<Outcomes[Type]>;
  /** The thread as the run saw it when an event was recorded. */
  view(subscription: Subscription, seq: number): Promise<ThreadView>;
}

/** So many events may be passed over before it is recorded that they were. */
const skipsPerRecord = 1000;

/** A subscription of this process's, being followed. */
interface Following {
  readonly thread: ThreadKey;
  readonly id: string;
  readonly claim: LaneClaim;
  /** What it is made of, as of the last look. */
  known: Subscription | undefined;
  /** Whether that may have changed since. */
  isStale: boolean;
  /** Aborted when nothing more is to be sent. */
  readonly ceasing: AbortController;
  /** Aborted when what is being sent is to be broken off as well. */
  readonly ending: AbortController;
}

/** Where one is in its log. */
interface Place {
  /** As recorded. */
  cursor: number;
  /** As read. */
  at: number;
}

type Failed = Extract<Sent, { readonly is: 'failed' }>;

/**
 * Delivers what subscriptions are for. Each one that is active is claimed by this process and followed along the log of its
 * thread, in order, one request at a time: what is accepted is recorded before the next is sent. A crash between the two
 * sends it again. After a failure the claim is given back until its time comes; everything in here can be lost and is found
 * again from the lanes.
 *
 * Modes: `open` → stop → `stopped`, for good.
 */
export class Outbox {
  readonly #parts: OutboxParts;
  readonly #owner: string;
  readonly #slots: Slots;
  /** By thread, then by the id of the subscription's record. */
  readonly #followed = new Map<string, Map<string, Following>>();
  readonly #underWay = new Set<Promise<void>>();
  /** Looks that are to be taken again, each with its cancellation. */
  readonly #later = new Set<() => void>();
  #stopped: Promise<void> | undefined;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
    this.#owner = parts.ids.next('own');
    this.#slots = new Slots(parts.push.maxSending, () => {});
  }

  sendsFor(door: Door): boolean {
    return this.#parts.push.pushers[door] !== undefined;
  }

  /** @throws Fault `invalid-request` */
  check(url: string): void {
    this.#parts.push.sender.check(url);
  }

  /** A claim that this process follows under. */
  offer(): LaneClaim {
    return { token: this.#parts.ids.next('clm'), owner: this.#owner };
  }

  /** Follows what is there to be followed, and lets go of what is not any more. Undefined: the thread is gone. */
  observe(thread: ThreadKey, lane: Lane | undefined): void {
    if (lane?.subscriptions === undefined && this.#followed.size === 0) return;
    const key = threadName(thread);
    const { subscriptions = [], lastMs = 0 } = lane ?? {};
    const followed = this.#followed.get(key);
    for (const [id, following] of followed ?? []) {
      following.isStale = true;
      if (!subscriptions.some((one) => one.id === id)) breakOff(following);
    }
    for (const one of subscriptions) {
      const isLater = one.claim === undefined && (one.wakeAtMs ?? 0) > lastMs;
      if (followed?.has(one.id) !== true && !isLater) this.#begin(thread, one);
    }
  }

  /** Lets what is being sent be answered and recorded, for a while, and sends nothing more. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const { clock, shutdownGraceMs } = this.#parts;
    for (const cancel of this.#later) cancel();
    for (const following of this.#all()) following.ceasing.abort();
    const cancel = clock.at(clock.now() + shutdownGraceMs, () => {
      for (const following of this.#all()) breakOff(following);
    });
    await Promise.all(this.#underWay);
    cancel();
  }

  #all(): Following[] {
    return [...this.#followed.values()].flatMap((followed) => [...followed.values()]);
  }

  #begin(thread: ThreadKey, { id, claim }: LaneSubscription): void {
    if (this.#stopped !== undefined) return;
    const isOurs = claim?.owner === this.#owner;
    const [ceasing, ending] = [new AbortController(), new AbortController()];
    const following = {
      thread,
      id,
      claim: isOurs ? claim : this.offer(),
      known: undefined,
      isStale: true,
      ceasing,
      ending,
    };
    const key = threadName(thread);
    const here = this.#followed.get(key) ?? new Map<string, Following>();
    this.#followed.set(key, here.set(id, following));
    const work = this.#follow(following, isOurs ? undefined : claim?.token).then(
      () => 0,
      (error: unknown) => {
        this.#say(following, error, 'a subscription could not be followed');
        return this.#parts.push.rules.backoffCapMs;
      },
    );
    const tracked = work.then(async (waitMs) => {
      here.delete(id);
      if (here.size === 0) this.#followed.delete(key);
      // What became of it meanwhile was nobody's to see: it was followed still.
      if (waitMs === 0) await this.#look(following);
      else this.#lookLater(following, waitMs);
      this.#underWay.delete(tracked);
    });
    this.#underWay.add(tracked);
  }

  async #look(following: Following): Promise<void> {
    try {
      this.observe(following.thread, await this.#parts.store.findLane(following.thread));
    } catch (error) {
      this.#say(following, error, 'a subscription could not be looked at');
      this.#lookLater(following, this.#parts.push.rules.backoffCapMs);
    }
  }

  #lookLater(following: Following, waitMs: number): void {
    if (this.#stopped !== undefined) return;
    const { clock } = this.#parts;
    const cancel = clock.at(clock.now() + waitMs, () => {
      this.#later.delete(cancel);
      void this.#look(following);
    });
    this.#later.add(cancel);
  }

  async #follow(following: Following, over: string | undefined): Promise<void> {
    const { id, claim } = following;
    const claimed = await this.#record(following, { type: 'claimPush', id, claim, over });
    if (claimed?.subscription === undefined) return;
    const { cursor } = claimed.subscription;
    const place = { cursor, at: cursor };
    while (!following.ceasing.signal.aborted) {
      try {
        await this.#deliver(following, place);
        return;
      } catch (error) {
        const { code } = Fault.from(error);
        if (code === 'not-found') return;
        if (code !== 'cursor-expired' || !(await this.#passEvicted(following, place))) throw error;
      }
    }
  }

  /** Goes along the log until the subscription is over, fails, or is not to be followed any more. */
  async #deliver(following: Following, place: Place): Promise<void> {
    const { thread, ceasing } = following;
    for await (const page of this.#parts.followers.follow(thread, place.at, ceasing.signal)) {
      const last = page.at(-1)?.seq ?? place.at;
      const known = await this.#known(following);
      if (known === undefined) return;
      const subscription = { ...known, cursor: place.cursor };
      const wanted = page.filter((event) => isWanted(event, subscription));
      const told = wanted.length === 0 ? 'nothing' : await this.#tell(following, place, { subscription, wanted });
      if (told === 'ends') return;
      place.at = last;
      const isEnd = wanted.some(({ type }) => type === 'run.finished');
      const isDue = told === 'something' || isEnd || last - place.cursor >= skipsPerRecord;
      if (isDue && !(await this.#moveTo(following, place, last))) return;
    }
  }

  /** Sends what is wanted of one page. `something`: the last request is accepted and not recorded yet. */
  async #tell(
    following: Following,
    place: Place,
    what: { readonly subscription: Subscription; readonly wanted: readonly RunEvent[] },
  ): Promise<'nothing' | 'something' | 'ends'> {
    const { subscription } = what;
    const pusher = this.#parts.push.pushers[subscription.door];
    let requests: readonly PushRequest[];
    try {
      if (pusher === undefined) throw new Fault('unsupported', `${subscription.door} sends nothing to webhooks`);
      requests = await pusher.encodePush(subscription, what.wanted, (seq) => this.#parts.view(subscription, seq));
    } catch (error) {
      this.#say(following, error, 'events could not be told to a webhook');
      await this.#fail(following, place, failedBy(error));
      return 'ends';
    }
    for (const [index, request] of requests.entries()) {
      const headers = { ...lowered(request.headers), ...secretsOf(subscription.target, pusher.tokenHeader) };
      const { body, claims } = request;
      const sent = await this.#send(following, { url: subscription.target.url, headers, body }, claims);
      if (sent === undefined) return 'ends';
      if (sent.is === 'failed') {
        await this.#fail(following, place, sent);
        return 'ends';
      }
      const next = requests[index + 1];
      const isLastOfEvent = next !== undefined && next.upTo > request.upTo;
      if (isLastOfEvent && !(await this.#moveTo(following, place, request.upTo))) return 'ends';
    }
    return requests.length === 0 ? 'nothing' : 'something';
  }

  /** Undefined when it is not to be sent any more. */
  async #send(following: Following, message: PushMessage, claims: PushRequest['claims']): Promise<Sent | undefined> {
    const { ceasing, ending } = following;
    const { sender, tokens } = this.#parts.push;
    // What cannot be recorded would be sent again and again.
    while (this.#parts.store.health().is !== 'open' && !ceasing.signal.aborted) await this.#pause(following);
    if ((await this.#slots.take(ceasing.signal)) === 'aborted') return undefined;
    try {
      const signed = tokens === undefined ? message : await tokens.signed(message, claims);
      return await sender.send(signed, ending.signal);
    } catch (error) {
      if (ending.signal.aborted) return undefined;
      this.#say(following, error, 'a webhook could not be sent to');
      return failedBy(error);
    } finally {
      this.#slots.give();
    }
  }

  /** Records how far it is. False: it is not to go on. */
  async #moveTo(following: Following, place: Place, upTo: number): Promise<boolean> {
    const { id, claim } = following;
    const recorded = await this.#record(following, { type: 'pushed', id, token: claim.token, upTo });
    place.cursor = Math.max(place.cursor, upTo);
    return recorded?.is === 'active';
  }

  async #fail(following: Following, place: Place, { fault, final, retryAfterMs }: Failed): Promise<void> {
    const { thread, id, claim } = following;
    // Read to the end of the last page; what was sent of this one is recorded already.
    const { at: upTo } = place;
    const recorded = await this.#record(following, {
      type: 'pushFailed',
      id,
      token: claim.token,
      upTo,
      fault,
      final,
      retryAfterMs,
    });
    const fields = { thread, subscription: id, code: fault.code, why: fault.message };
    if (recorded?.is === 'retrying') this.#parts.log.warn(fields, 'a webhook was not delivered; it is tried again');
    if (recorded?.is === 'dead') this.#parts.log.error(fields, 'a webhook was not delivered, and is given up');
  }

  /** What was evicted while nobody was to be told can be told to nobody. False: nothing was. */
  async #passEvicted(following: Following, place: Place): Promise<boolean> {
    const { store } = this.#parts;
    const [first] = await store.readEvents(following.thread, place.at, 1);
    const upTo = first === undefined ? (await store.findLane(following.thread))?.head : first.seq - 1;
    if (upTo === undefined || upTo <= place.at) return false;
    place.at = upTo;
    if (!(await this.#moveTo(following, place, upTo))) following.ceasing.abort();
    return true;
  }

  /** What it is made of now; read again after each turn of its thread alone, which deltas are not. */
  async #known(following: Following): Promise<Subscription | undefined> {
    const { store } = this.#parts;
    const { thread, id } = following;
    while (following.isStale) {
      following.isStale = false;
      const record = await store.findRecord(thread, 'subscription', id);
      const moving = (await store.findLane(thread))?.subscriptions?.find((one) => one.id === id);
      following.known = record === undefined || moving === undefined ? undefined : shown(record, moving);
    }
    return following.known;
  }

  /** One turn, as soon as the store takes it. Undefined: the subscription is not this process's any more, or all ends. */
  async #record<Type extends 'claimPush' | 'pushed' | 'pushFailed'>(
    following: Following,
    command: Command<Type>,
  ): Promise<Outcomes[Type] | undefined> {
    for (;;) {
      try {
        return await this.#parts.turn<Type>(following.thread, command);
      } catch (error) {
        const { code } = Fault.from(error);
        if (code === 'claim-lost' || code === 'not-found') return undefined;
        if (code !== 'store-failed' && code !== 'disk-low') throw error;
        if (following.ceasing.signal.aborted) return undefined;
        await this.#pause(following);
      }
    }
  }

  /** Until something may have changed that nobody tells of. */
  async #pause({ ceasing: { signal } }: Following): Promise<void> {
    const { clock, wakeFallbackMs } = this.#parts;
    if (signal.aborted) return;
    const { promise, resolve } = deferred();
    const wake = (): void => {
      resolve();
    };
    const cancel = clock.at(clock.now() + wakeFallbackMs, wake);
    signal.addEventListener('abort', wake, { once: true });
    await promise;
    cancel();
    signal.removeEventListener('abort', wake);
  }

  #say({ thread, id }: Following, error: unknown, what: string): void {
    this.#parts.log.error({ thread, subscription: id, error }, what);
  }
}

function breakOff({ ceasing, ending }: Following): void {
  ceasing.abort();
  ending.abort();
}

function failedBy(error: unknown): Failed {
  return { is: 'failed', fault: Fault.from(error).toRecord(), final: false, retryAfterMs: undefined };
}

function lowered(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** What shows the receiver who sends; it stands over whatever the door says. */
function secretsOf({ token, authentication }: PushTarget, tokenHeader: string): Record<string, string> {
  const { scheme, credentials } = authentication ?? {};
  return {
    ...(credentials === undefined ? {} : { authorization: `${scheme} ${credentials}` }),
    ...(token === undefined ? {} : { [tokenHeader.toLowerCase()]: token }),
  };
}
