// One client's connection: its version is chosen by its first request, and everything it then asks is done for sessions,
// which are threads. What it brought in goes on when it leaves. https://agentclientprotocol.com/protocol/v1/overview
import { randomUUID } from 'node:crypto';
import type { WhenBusy } from '../../schemas/activation.ts';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type { ThreadPatch } from '../../schemas/control.ts';
import type { Principal, ThreadId } from '../../schemas/id.ts';
import type { Thread, Workspace } from '../../schemas/thread.ts';
import type { Log } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import { deferred } from '../../src/deferred.ts';
import { Fault } from '../../src/fault.ts';
import type { Caller, Gateway } from '../../src/gateway.ts';
import type { Channel } from './channel.ts';
import { encodeError, errorAnswer } from './faults.ts';
import { JsonRpcPeer, type PeerHandler, type Reply, RpcError } from './peer.ts';
import { noSession } from './no-session.ts';
import { type Attached, type From, Session } from './session.ts';
import { listSessions } from './session-list.ts';
import { settledWithin } from './settled.ts';
import { decodeMode, decodeOption } from './settings.ts';
import {
  type Audience,
  type ClientSide,
  type Operation,
  type Surroundings,
  tokenMethod,
  type Version,
} from './version.ts';

export interface ConnectionParts {
  readonly gateway: Gateway;
  readonly principal: Principal;
  readonly card: AgentCard;
  /** The newest first. */
  readonly versions: readonly [Version, ...Version[]];
  readonly clock: Clock;
  readonly log: Log;
  /** Whether callers need a token. Who got here has one. */
  readonly needsToken: boolean;
  readonly whenBusy: WhenBusy;
}

/** What is known of a client once it has said who it is. */
interface Known {
  readonly version: Version;
  readonly client: ClientSide & { readonly clientId: string };
}

interface Attaching extends Pick<Surroundings, 'mcpServers'> {
  readonly from: From;
  /** Ends it early. */
  readonly signal?: AbortSignal | undefined;
}

type Doing<Do extends Operation['do']> = Extract<Operation, { do: Do }>;

/** Modes: `new` → initialize → `open` → the channel closes → `closed`, for good. */
export class Connection implements PeerHandler {
  readonly #parts: ConnectionParts;
  readonly #peer: JsonRpcPeer;
  readonly #sessions = new Map<ThreadId, Session>();
  /** What opens and closes each session: one after the other. */
  readonly #turns = new Map<ThreadId, Promise<unknown>>();
  readonly #initialized = deferred();
  readonly #closed = deferred();
  #known: Known | undefined;
  #isClosed = false;
  readonly #asked = new Set<Promise<unknown>>();

  constructor(channel: Channel, parts: ConnectionParts) {
    this.#parts = parts;
    const { clock, log } = parts;
    this.#peer = new JsonRpcPeer({ channel, handler: this, clock, log, encodeError });
  }

  /** Resolves when its client has said who it is; never for one that does not. */
  get whenInitialized(): Promise<void> {
    return this.#initialized.promise;
  }

  /** Resolves when its channel has closed and it follows nothing any more. */
  get whenClosed(): Promise<void> {
    return this.#closed.promise;
  }

  close(): Promise<void> {
    return this.#peer.close();
  }

  /** Resolves when all that was asked until now is answered, and after `ms` in any case. */
  drained(ms: number): Promise<void> {
    return settledWithin(this.#asked, this.#parts.clock, ms);
  }

  async request(method: string, params: unknown, { signal }: { readonly signal: AbortSignal }): Promise<Reply> {
    const reply = this.#answer(method, params, signal);
    this.#asked.add(reply);
    try {
      return await reply;
    } finally {
      this.#asked.delete(reply);
    }
  }

  async #answer(method: string, params: unknown, signal: AbortSignal): Promise<Reply> {
    if (method === 'initialize') return this.#initialize(params);
    const known = this.#known;
    if (known === undefined) throw new RpcError(-32600, 'initialize comes first');
    const operation = known.version.decodeRequest(method, params, this.#parts.card);
    try {
      return await this.#perform(operation, known, signal);
    } catch (thrown) {
      if (!('sessionId' in operation) || Fault.from(thrown).code !== 'not-found') throw thrown;
      throw errorAnswer(thrown, { sessionId: operation.sessionId });
    }
  }

  /** https://agentclientprotocol.com/protocol/v1/initialization#version-negotiation */
  #initialize(params: unknown): Reply {
    if (this.#known !== undefined) throw new RpcError(-32600, 'the connection is initialized');
    const { versions, card, needsToken } = this.#parts;
    const asked = requestedVersion(params);
    const version = versions.find(({ number }) => number === asked) ?? versions[0];
    const client = version.decodeClient(params);
    this.#known = { version, client: { ...client, clientId: client.clientId ?? randomUUID() } };
    this.#initialized.resolve();
    return { result: version.encodeAgent(card, needsToken) };
  }

  notification(method: string, params: unknown): void {
    const sessionId = this.#known?.version.decodeCancel(method, params);
    const session = sessionId === undefined ? undefined : this.#sessions.get(sessionId);
    if (session === undefined) return;
    session.cancel().catch((thrown: unknown) => {
      this.#parts.log.error({ cause: thrown }, 'an ACP session could not be cancelled');
    });
  }

  closed(): void {
    this.#isClosed = true;
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    void Promise.all(sessions.map((session) => session.detach())).then(() => {
      this.#closed.resolve();
    });
  }

  async #perform(operation: Operation, known: Known, signal: AbortSignal): Promise<Reply> {
    const { version } = known;
    switch (operation.do) {
      case 'authenticate':
        return this.#authenticate(operation);
      case 'new':
        return this.#new(operation, known);
      case 'load':
        return this.#open(operation, { is: 'start', after: operation.after }, known, signal);
      case 'resume': {
        const { after: cursor } = operation;
        return this.#open(operation, cursor === undefined ? { is: 'now' } : { is: 'after', cursor }, known, signal);
      }
      case 'list':
        return this.#list(operation, version);
      case 'close':
        await this.#inTurn(operation.sessionId, (id) => this.#close(this.#session(id)));
        return { result: {} };
      case 'delete':
        return this.#inTurn(operation.sessionId, (id) => this.#delete(id));
      case 'prompt': {
        const { sessionId, ...words } = operation;
        return { result: version.encodeEnd(await this.#session(sessionId).prompt(words, signal)) };
      }
      case 'steer': {
        const { sessionId, ...words } = operation;
        return { result: version.encodeSteered(await this.#session(sessionId).steer(words)) };
      }
      case 'set-mode':
        await this.#patch(operation.sessionId, { settings: decodeMode(this.#parts.card, operation.mode) });
        return { result: {} };
      case 'set-option':
        return this.#setOption(operation, known);
    }
  }

  /** Whoever got here was recognised before. */
  #authenticate({ methodId }: Doing<'authenticate'>): Reply {
    if (this.#parts.needsToken && methodId === tokenMethod) return { result: {} };
    throw new Fault('invalid-request', 'methodId: there is no such method', { path: 'methodId' });
  }

  async #new({ home, mcpServers, key }: Doing<'new'>, known: Known): Promise<Reply> {
    const { gateway } = this.#parts;
    const named = key === undefined ? {} : { id: `acp-${known.client.clientId}-${key}` };
    const { status } = await gateway.threads.create(this.#caller, { ...named, workspace: home });
    const { id } = status.thread;
    const attached = await this.#attach(id, { from: { is: 'now' }, mcpServers }, known);
    return this.#opened(attached, known, id);
  }

  #open(asked: Doing<'load' | 'resume'>, from: From, known: Known, signal: AbortSignal): Promise<Reply> {
    return this.#inTurn(asked.sessionId, async (id) => {
      await this.#adopt(id, asked.home);
      return this.#opened(await this.#attach(id, { from, signal, mcpServers: asked.mcpServers }, known), known);
    });
  }

  #inTurn<Result>(id: ThreadId, work: (id: ThreadId) => Promise<Result>): Promise<Result> {
    const result = (this.#turns.get(id) ?? Promise.resolve()).then(() => work(id));
    const over: Promise<void> = result.then(noop, noop).then(() => {
      if (this.#turns.get(id) === over) this.#turns.delete(id);
    });
    this.#turns.set(id, over);
    return result;
  }

  /**
   * A session is opened where it is at home; one that came through another door has no home yet, and gets this one. Its
   * further directories are those that its client names now.
   */
  async #adopt(id: ThreadId, home: Workspace): Promise<void> {
    const { gateway } = this.#parts;
    const status = await gateway.threads.find(this.#caller, id);
    if (status === undefined) throw noSession(id);
    const { workspace } = status.thread;
    if (workspace !== undefined && workspace.cwd !== home.cwd) {
      throw new Fault('invalid-request', `cwd: the session is at home in ${workspace.cwd}`, { path: 'cwd' });
    }
    if (JSON.stringify(workspace) !== JSON.stringify(home)) {
      await gateway.threads.patch(this.#caller, id, { workspace: home });
    }
  }

  async #attach(id: ThreadId, { from, mcpServers, signal }: Attaching, known: Known): Promise<Attached> {
    const session = this.#sessions.get(id) ?? this.#newSession(id, known);
    try {
      const attached = await session.attach(from, mcpServers, signal);
      if (this.#isClosed) throw new Fault('client-gone', 'the connection has closed');
      this.#sessions.set(id, session);
      return attached;
    } catch (thrown) {
      this.#forget(session);
      await session.detach(thrown instanceof RpcError ? undefined : Fault.from(thrown));
      throw thrown;
    }
  }

  #newSession(id: ThreadId, known: Known): Session {
    const { gateway, card, whenBusy, log } = this.#parts;
    const ended = (): void => {
      this.#forget(session);
    };
    const parts = { gateway, caller: this.#caller, card, whenBusy, log, peer: this.#peer, ended, ...known };
    const session: Session = new Session(id, parts);
    return session;
  }

  #forget(session: Session): void {
    if (this.#sessions.get(session.id) === session) this.#sessions.delete(session.id);
  }

  /** What is asked of it meanwhile is asked of no session. */
  async #close(session: Session): Promise<void> {
    this.#forget(session);
    await session.close();
  }

  /** A client knows of the session when it is answered, and is told nothing of it before. */
  #opened({ status: { thread, open }, cursor, begin }: Attached, known: Known, id?: ThreadId): Reply {
    const { version, client } = known;
    const { card } = this.#parts;
    const goesOn = client.takesCursors ? { cursor, ticketIds: open?.ticketIds ?? [] } : undefined;
    return {
      result: version.encodeSession({ id, settings: thread.settings, goesOn }, { card, client }),
      after: () => {
        const opened = this.#sessions.get(thread.id);
        for (const update of version.encodeOpened(thread, card)) opened?.tell(update);
        begin();
      },
    };
  }

  async #list({ cwd, cursor }: Doing<'list'>, version: Version): Promise<Reply> {
    const { sessions, next } = await listSessions(this.#parts.gateway, this.#caller, { cwd, cursor });
    return { result: version.encodeSessions(sessions, next) };
  }

  /** What is not there is deleted already. */
  async #delete(id: ThreadId): Promise<Reply> {
    const { gateway } = this.#parts;
    const session = this.#sessions.get(id);
    if (session !== undefined) await this.#close(session);
    try {
      await gateway.threads.remove(this.#caller, id, { children: 'keep', force: true });
    } catch (thrown) {
      if (Fault.from(thrown).code !== 'not-found') throw thrown;
    }
    return { result: {} };
  }

  async #setOption({ sessionId, option, value }: Doing<'set-option'>, { version, client }: Known): Promise<Reply> {
    const { card } = this.#parts;
    const { settings } = await this.#patch(sessionId, { settings: decodeOption(card, option, value) });
    return { result: version.encodeSettings(settings, { card, client } satisfies Audience) };
  }

  async #patch(sessionId: ThreadId, patch: ThreadPatch): Promise<Thread> {
    const { id } = this.#session(sessionId);
    return (await this.#parts.gateway.threads.patch(this.#caller, id, patch)).thread;
  }

  /** @throws Fault `not-found`: it was not opened on this connection */
  #session(id: ThreadId): Session {
    const session = this.#sessions.get(id);
    if (session === undefined) throw noSession(id);
    return session;
  }

  get #caller(): Caller {
    return { ...this.#parts.principal, door: 'acp', origin: 'user' };
  }
}

/** Ends a connection when the gateway stops. One that ends before is forgotten. */
export function closeWith(stopping: AbortSignal, connection: Connection): void {
  const close = (): void => {
    void connection.close();
  };
  stopping.addEventListener('abort', close, { once: true });
  void connection.whenClosed.then(() => {
    stopping.removeEventListener('abort', close);
  });
  if (stopping.aborted) close();
}

function noop(): void {
  // What settles is looked at elsewhere.
}

/** Versions are whole numbers; what is none of ours is answered with our newest. @throws Fault `invalid-request` */
function requestedVersion(params: unknown): number {
  const version: unknown =
    typeof params === 'object' && params !== null && 'protocolVersion' in params ? params.protocolVersion : undefined;
  if (typeof version === 'number' && Number.isInteger(version) && version >= 0 && version <= 65_535) return version;
  const path = 'protocolVersion';
  throw new Fault('invalid-request', `${path}: must be a whole number from 0 to 65535`, { path });
}
