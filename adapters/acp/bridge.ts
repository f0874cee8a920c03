// An IDE's agent that never dies: between an IDE on this process's streams and a gateway that may go and come back. The
// IDE sees one unbroken connection. What it asked and was not answered is asked again under the same name; sessions go on
// after the last update that it was shown; a question that it is being asked is not asked twice. The `anyport/…` members
// of `_meta` are between the gateway and this alone.
import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../../schemas/json.ts';
import type { Log } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import { type Deferred, deferred } from '../../src/deferred.ts';
import { Fault } from '../../src/fault.ts';
import { BridgedQuestions } from './bridged-questions.ts';
import { BridgedSessions } from './bridged-sessions.ts';
import type { Channel, PausableChannel } from './channel.ts';
import { encodeError } from './faults.ts';
import { asObject, metaOf, sessionIn, withMeta, withoutMeta } from './meta.ts';
import { JsonRpcPeer, type PeerHandler, RpcError } from './peer.ts';
import { settledWithin } from './settled.ts';

export interface BridgeParts {
  /** The IDE's end. */
  readonly channel: Channel;
  /** Connects to the gateway. @throws Fault; one that is not retryable is told to the IDE */
  readonly dial: (signal: AbortSignal) => Promise<PausableChannel>;
  readonly clock: Clock;
  readonly log: Log;
  /** Between two tries to connect: doubled from the first to the longest. */
  readonly firstBackoffMs: number;
  readonly longestBackoffMs: number;
  /** How long the gateway may take to answer while it is being connected to, and to what is cancelled. */
  readonly answerMs: number;
}

/** Requests that would do their work again when they are sent again, but for their name. */
const namedMethods: ReadonlySet<string> = new Set(['session/new', 'session/prompt', '_session/steering']);
/** Requests that begin a turn. */
const turnMethods: ReadonlySet<string> = new Set(['session/prompt', '_session/steering']);
/** No method: it is answered -32601, and everything before it has been heard then. */
const heardMethod = '_anyport/heard';

/** A prompt that is not answered yet. */
interface Prompt {
  readonly sessionId: string;
  /** By `session/cancel`, of which a gateway that comes back may know nothing. */
  readonly cancelled: AbortController;
}

type Link =
  | { readonly is: 'idle' }
  | { readonly is: 'connecting' }
  | { readonly is: 'connected'; readonly gateway: JsonRpcPeer };

/**
 * Modes: `idle` → initialize → `connecting` ⇄ `connected`, until the IDE leaves; `connecting` → the gateway refuses →
 * `idle` → the next request → `connecting`. Requests wait while it connects.
 */
export class Bridge {
  readonly #parts: BridgeParts;
  readonly #clientId = randomUUID();
  readonly #ide: JsonRpcPeer;
  readonly #sessions = new BridgedSessions();
  readonly #questions: BridgedQuestions;
  readonly #prompts = new Set<Prompt>();
  readonly #answers = new Set<Promise<unknown>>();
  readonly #over = new AbortController();
  readonly #closed = deferred();
  #hello: JsonObject | undefined;
  #welcome: unknown;
  #link: Link = { is: 'idle' };
  /** Before the next try to connect. None after a connection that was good for something. */
  #waitMs = 0;
  /** The next connection, for those who wait for it. */
  #next: Deferred<JsonRpcPeer> = deferred();

  constructor(parts: BridgeParts) {
    this.#parts = parts;
    const { channel, clock, log } = parts;
    const handler: PeerHandler = {
      request: async (method, params, { signal }) => {
        const answer = this.#asked(method, params, signal);
        this.#answers.add(answer);
        try {
          return { result: await answer };
        } finally {
          this.#answers.delete(answer);
        }
      },
      notification: (method, params) => {
        this.#told(method, params);
      },
      closed: () => {
        this.#over.abort(new Fault('client-gone', 'the IDE has left'));
        if (this.#link.is !== 'connecting') void this.#hangUp();
      },
    };
    this.#ide = new JsonRpcPeer({ channel, handler, clock, log, encodeError });
    this.#questions = new BridgedQuestions(this.#ide);
  }

  /** Resolves when the IDE has left and the gateway is told. */
  get whenClosed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Resolves when all that was asked until now is answered, and after `ms` in any case. */
  drained(ms: number): Promise<void> {
    return settledWithin(this.#answers, this.#parts.clock, ms);
  }

  async #hangUp(): Promise<void> {
    if (this.#link.is === 'connected') await this.#link.gateway.close();
    this.#next.promise.catch(() => undefined);
    this.#next.reject(this.#over.signal.reason);
    this.#closed.resolve();
  }

  async #asked(method: string, params: unknown, signal: AbortSignal): Promise<unknown> {
    if (method === 'initialize') return this.#initialize(params);
    if (this.#hello === undefined) throw new RpcError(-32600, 'initialize comes first');
    const named = namedMethods.has(method) ? withMeta(params, { 'anyport/key': randomUUID() }) : params;
    if (method !== 'session/prompt') return this.#forward(method, named, signal);
    const prompt: Prompt = { sessionId: sessionIn(params), cancelled: new AbortController() };
    this.#prompts.add(prompt);
    try {
      return await this.#forward(method, named, signal, prompt.cancelled.signal);
    } finally {
      this.#prompts.delete(prompt);
      this.#questions.forgetAnswered(prompt.sessionId);
    }
  }

  async #initialize(params: unknown): Promise<unknown> {
    if (this.#hello !== undefined) throw new RpcError(-32600, 'the connection is initialized');
    const { clientCapabilities } = asObject(params);
    const capabilities = withMeta(clientCapabilities, { 'anyport/client': this.#clientId });
    this.#hello = { ...asObject(params), clientCapabilities: capabilities };
    try {
      await this.#connection();
      return this.#welcome;
    } catch (thrown) {
      this.#hello = undefined;
      throw thrown;
    }
  }

  /** Sent again for as long as the connection breaks first. What was cancelled meanwhile is sent, and cancelled at once. */
  async #forward(method: string, params: unknown, ...cancels: readonly AbortSignal[]): Promise<unknown> {
    for (;;) {
      // At once where it can be: what comes next from the IDE must not overtake it.
      const gateway = this.#link.is === 'connected' ? this.#link.gateway : await this.#connection();
      const stop = new AbortController();
      const cancel = (): void => {
        stop.abort();
      };
      const [fromIde] = cancels;
      fromIde?.addEventListener('abort', cancel);
      if (turnMethods.has(method)) this.#sessions.forgetCancel(sessionIn(params));
      try {
        const answer = gateway.request(method, this.#goingOn(method, params), { signal: stop.signal });
        if (cancels.some(({ aborted }) => aborted)) cancel();
        const result = await answer;
        this.#waitMs = 0;
        this.#answered(method, params, result);
        return withoutMeta(result);
      } catch (thrown) {
        this.#over.signal.throwIfAborted();
        if (thrown instanceof Fault && thrown.code === 'client-gone') continue;
        const isCutReplay = method === 'session/load' && this.#sessions.forgetReplay(sessionIn(params));
        if (isCutReplay && isLogGone(thrown)) continue;
        throw thrown;
      } finally {
        fromIde?.removeEventListener('abort', cancel);
      }
    }
  }

  /** A replay that was cut off goes on after what the IDE was shown of it. */
  #goingOn(method: string, params: unknown): unknown {
    const shown = method === 'session/load' ? this.#sessions.replayed(sessionIn(params)) : undefined;
    return shown === undefined ? params : withMeta(params, { 'anyport/after': shown });
  }

  #answered(method: string, params: unknown, result: unknown): void {
    const sessionId = sessionIn(params) || sessionIn(result);
    switch (method) {
      case 'session/new':
      case 'session/load':
      case 'session/resume':
        this.#sessions.opened(sessionId, params, result);
        return;
      case 'session/close':
      case 'session/delete':
        this.#sessions.closed(sessionId);
        return;
      default:
    }
  }

  #told(method: string, params: unknown): void {
    if (method === 'session/cancel') this.#cancel(sessionIn(params));
    else if (this.#link.is === 'connected') this.#link.gateway.notify(method, params);
  }

  #cancel(sessionId: string): void {
    this.#questions.cancelled(sessionId);
    for (const prompt of this.#prompts) if (prompt.sessionId === sessionId) prompt.cancelled.abort();
    if (this.#link.is === 'connected') void this.#tellCancel(this.#link.gateway, sessionId);
    else this.#sessions.cancelled(sessionId);
  }

  /** Never rejects. It counts as told when the gateway has answered what was asked behind it. */
  async #tellCancel(gateway: JsonRpcPeer, sessionId: string): Promise<void> {
    const heard = this.#sessions.cancelled(sessionId);
    gateway.notify('session/cancel', { sessionId });
    try {
      await gateway.request(heardMethod, {});
    } catch (thrown) {
      if (thrown instanceof RpcError) heard();
    }
  }

  /** The gateway, once it is there. @throws what stays wrong with it, as the IDE is to be told */
  #connection(): Promise<JsonRpcPeer> {
    this.#over.signal.throwIfAborted();
    if (this.#link.is === 'connected') return Promise.resolve(this.#link.gateway);
    if (this.#link.is === 'idle') void this.#connect();
    return this.#next.promise;
  }

  /** Never rejects; until it is connected, or the IDE has left, or what is wrong will stay so. */
  async #connect(): Promise<void> {
    this.#link = { is: 'connecting' };
    const { log, firstBackoffMs, longestBackoffMs } = this.#parts;
    const { signal } = this.#over;
    while (!signal.aborted) {
      if (this.#waitMs > 0) await this.#pause(this.#waitMs);
      this.#waitMs = Math.min(Math.max(this.#waitMs * 2, firstBackoffMs), longestBackoffMs);
      try {
        await this.#dial();
        return;
      } catch (thrown) {
        if (signal.aborted) break;
        const { retryable, message } = thrown instanceof RpcError ? refused(thrown) : Fault.from(thrown);
        if (!retryable) {
          this.#giveUp(thrown);
          return;
        }
        log.warn({ error: message }, 'the gateway is not there; it is tried again');
      }
    }
    await this.#hangUp();
  }

  /** Who waits is told; the next request tries again. */
  #giveUp(why: unknown): void {
    const { promise, reject } = this.#next;
    this.#next = deferred();
    this.#link = { is: 'idle' };
    this.#waitMs = 0;
    promise.catch(() => undefined);
    reject(why);
  }

  /** Connects, with every session going on. @throws why that failed, or that the IDE has left */
  async #dial(): Promise<void> {
    const { dial, clock, log, answerMs: timeoutMs } = this.#parts;
    const { signal } = this.#over;
    const channel = await dial(signal);
    let isGone = false;
    const handler = this.#handlerOf(
      channel,
      () => gateway,
      () => {
        isGone = true;
      },
    );
    // A run that does not stop at once is stopped after its grace: that is its answer.
    const limits = { cancelWaitMs: timeoutMs };
    const gateway: JsonRpcPeer = new JsonRpcPeer({ channel, handler, clock, log, limits });
    const leave = (): void => void gateway.close();
    signal.addEventListener('abort', leave);
    try {
      const welcome = await gateway.request('initialize', this.#hello, { timeoutMs });
      for (const { sessionId, params, cursor } of this.#sessions.resumptions()) {
        const after = cursor === undefined ? params : withMeta(params, { 'anyport/after': cursor });
        await this.#resume(gateway, sessionId, after);
      }
      signal.throwIfAborted();
      if (isGone) throw new Fault('upstream-failed', 'the gateway has left');
      this.#welcome = withoutMeta(welcome);
      this.#link = { is: 'connected', gateway };
      for (const sessionId of this.#sessions.cancelsToTell) void this.#tellCancel(gateway, sessionId);
      this.#next.resolve(gateway);
    } catch (thrown) {
      await gateway.close();
      throw thrown;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  async #resume(gateway: JsonRpcPeer, sessionId: string, params: JsonObject): Promise<void> {
    try {
      const result = await gateway.request('session/resume', params, { timeoutMs: this.#parts.answerMs });
      const open = asObject(asObject(result)['_meta'])['anyport/tickets'];
      this.#questions.keepOnly(sessionId, Array.isArray(open) ? open : []);
    } catch (thrown) {
      if (!(thrown instanceof RpcError) || passes(thrown)) throw thrown;
      this.#parts.log.warn({ sessionId, error: thrown.message }, 'a session does not go on where it was');
      if (isLogGone(thrown) && this.#sessions.forgetCursor(sessionId)) {
        const { _meta: _, ...fromNow } = params;
        await this.#resume(gateway, sessionId, fromNow);
      } else {
        this.#sessions.closed(sessionId);
        this.#questions.keepOnly(sessionId, []);
      }
    }
  }

  /** `gone`: told when the connection breaks. */
  #handlerOf(channel: PausableChannel, gateway: () => JsonRpcPeer, gone: () => void): PeerHandler {
    return {
      request: async (method, params, { signal }) => {
        const ticket = metaOf(params, 'anyport/ticket');
        const said = withoutMeta(params);
        const result =
          ticket === undefined
            ? this.#ide.request(method, said, { signal })
            : this.#questions.ask({ ticket, method, params: said, from: gateway(), signal });
        return { result: await result };
      },
      notification: (method, params) => {
        if (method === 'session/update' && !this.#sessions.isNew(params)) return;
        if (metaOf(params, 'anyport/cursor') !== undefined) this.#waitMs = 0;
        this.#ide.notify(method, withoutMeta(params));
        const room = this.#ide.room();
        if (room === undefined) return;
        channel.pause();
        void room.then(() => {
          channel.resume();
        });
      },
      closed: () => {
        gone();
        this.#lost(gateway);
      },
    };
  }

  /** Not while it is being connected: who does that sees it too. */
  #lost(gateway: () => JsonRpcPeer): void {
    if (this.#link.is !== 'connected' || this.#link.gateway !== gateway() || this.#over.signal.aborted) return;
    this.#next = deferred();
    void this.#connect();
  }

  async #pause(ms: number): Promise<void> {
    const { clock } = this.#parts;
    const { signal } = this.#over;
    const { promise, resolve } = deferred();
    const end = (): void => {
      resolve();
    };
    const cancel = clock.at(clock.now() + ms * (0.5 + Math.random() / 2), end);
    signal.addEventListener('abort', end);
    await promise;
    signal.removeEventListener('abort', end);
    cancel();
  }
}

/** What the gateway says of a request of the bridge's own. */
function refused({ message, data }: RpcError): { readonly retryable: boolean; readonly message: string } {
  return { message, retryable: asObject(data)['retryable'] === true };
}

/** What is unexpected about one session, perhaps each time, must not keep the others from going on. */
function passes(thrown: RpcError): boolean {
  return refused(thrown).retryable && asObject(thrown.data)['code'] !== 'internal';
}

function isLogGone(thrown: unknown): boolean {
  return thrown instanceof RpcError && asObject(thrown.data)['code'] === 'cursor-expired';
}
