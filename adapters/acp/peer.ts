// One side of a JSON-RPC 2.0 connection on which both sides call. https://www.jsonrpc.org/specification
// Cancellation is ACP's: https://agentclientprotocol.com/protocol/v1/cancellation
import {
  createJSONRPCErrorResponse,
  createJSONRPCNotification,
  createJSONRPCSuccessResponse,
  JSONRPCErrorCode,
  type JSONRPCErrorResponse,
  type JSONRPCResponse,
  JSONRPCServer,
} from 'json-rpc-2.0';
import type { Log } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import { Fault } from '../../src/fault.ts';
import type { Channel, JsonRpcId } from './channel.ts';
import { decodeMessage, type Incoming, RpcError } from './json-rpc.ts';
import { cancelMethod, OwnRequests, requestCancelled, type RequestOptions } from './own-requests.ts';

export { RpcError } from './json-rpc.ts';

export interface Reply {
  readonly result: unknown;
  /** Called right after the response was queued: what it sends follows the response. */
  readonly after?: (() => void) | undefined;
}

export interface PeerHandler {
  /** Throws an RpcError for the protocol's own errors, -32601 for a method it does not know, or the signal's reason. */
  request(
    method: string,
    params: unknown,
    call: { readonly id: JsonRpcId; readonly signal: AbortSignal },
  ): Promise<Reply> | Reply;
  /** Called as it comes, in order. What it does not know it ignores. */
  notification(method: string, params: unknown): void;
  /** Called once, also when it is this side that closes. Nothing is sent any more. */
  closed(error?: unknown): void;
}

export interface RpcErrorBody {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

export interface PeerLimits {
  /** The other side's requests that may be open at once. Default 1024. */
  readonly maxConcurrentRequests?: number | undefined;
  /** The longest wait for an answer to a request of ours after its cancellation. Default 5000. */
  readonly cancelWaitMs?: number | undefined;
}

export interface PeerParts {
  readonly channel: Channel;
  readonly handler: PeerHandler;
  readonly clock: Clock;
  readonly log?: Log | undefined;
  /** What the other side is told of anything thrown but an RpcError. Default: -32603 and the fault's code. Throws nothing. */
  readonly encodeError?: ((thrown: unknown) => RpcErrorBody) | undefined;
  readonly limits?: PeerLimits | undefined;
}

/** A request of the other side's that is not yet answered. */
interface Call {
  readonly id: JsonRpcId;
  readonly signal: AbortSignal;
  after?: Reply['after'];
}

type IncomingRequest = Incoming & { readonly kind: 'request' };

/**
 * `open` until the channel closes or `close` is called.
 *
 * Messages are handled one by one as they come: what a notification's handler did is done before the next message is
 * looked at, and requests run beside each other. The answer to a request of ours is known in the microtasks after it
 * came; notifications in the same chunk of bytes are handled before those.
 */
export class JsonRpcPeer {
  readonly #channel: Channel;
  readonly #handler: PeerHandler;
  readonly #log: Log | undefined;
  readonly #encodeError: (thrown: unknown) => RpcErrorBody;
  readonly #maxConcurrentRequests: number;
  readonly #server: JSONRPCServer<Call>;
  readonly #calls = new Map<JsonRpcId, AbortController>();
  readonly #own: OwnRequests;
  #state: 'open' | 'closed' = 'open';

  constructor({ channel, handler, clock, log, encodeError, limits }: PeerParts) {
    this.#channel = channel;
    this.#handler = handler;
    this.#log = log;
    this.#encodeError = encodeError ?? encodeFault;
    this.#maxConcurrentRequests = limits?.maxConcurrentRequests ?? 1024;
    this.#server = this.#newServer();
    const send = (message: object): void => {
      this.#send(message);
    };
    this.#own = new OwnRequests({ send, clock, cancelWaitMs: limits?.cancelWaitMs ?? 5000 });
    channel.open({
      message: (value) => {
        this.#message(value);
      },
      malformed: (why) => {
        const { InvalidRequest, ParseError } = JSONRPCErrorCode;
        const code = why.code === 'too-large' ? InvalidRequest : ParseError;
        this.#send(createJSONRPCErrorResponse(null, code, why.message));
      },
      closed: (error) => {
        this.#end(error);
      },
    });
  }

  /** See `OwnRequests.request`. */
  request(method: string, params: unknown, options: RequestOptions = {}): Promise<unknown> {
    return this.#own.request(method, params, options);
  }

  /** Throws what the channel's `send` throws. After the close it does nothing. */
  notify(method: string, params: unknown): void {
    this.#send(createJSONRPCNotification(method, params));
  }

  /** The channel's. */
  room(): Promise<void> | undefined {
    return this.#channel.room();
  }

  /** Sends what is queued, and no answers after that. Resolves when the channel has closed. */
  close(): Promise<void> {
    this.#end();
    return this.#channel.close();
  }

  #send(message: object): void {
    if (this.#state === 'open') this.#channel.send(message);
  }

  #message(value: unknown): void {
    if (this.#state === 'closed') return;
    const message = decodeMessage(value);
    switch (message.kind) {
      case 'notification':
        this.#notification(message.method, message.params);
        return;
      case 'request':
        void this.#answer(message);
        return;
      case 'response':
        if (!this.#own.settle(message.response)) {
          this.#log?.debug({ id: message.response.id }, 'an answer to no open request was dropped');
        }
        return;
      case 'ill-formed response':
        this.#log?.debug({ id: message.id }, 'an ill-formed answer was dropped');
        this.#own.giveUp(message.id, new Fault('upstream-failed', 'the answer is no JSON-RPC response'));
        return;
      case 'ill-formed':
        this.#send(createJSONRPCErrorResponse(message.id, JSONRPCErrorCode.InvalidRequest, message.why));
    }
  }

  #notification(method: string, params: unknown): void {
    if (method === cancelMethod) {
      const { requestId } = (params ?? {}) as { readonly requestId?: JsonRpcId };
      if (requestId !== undefined) this.#calls.get(requestId)?.abort(new RpcError(requestCancelled, 'cancelled'));
      return;
    }
    try {
      this.#handler.notification(method, params);
    } catch (error) {
      this.#log?.error({ error, method }, 'a notification could not be handled');
    }
  }

  async #answer(request: IncomingRequest): Promise<void> {
    const { id } = request;
    const refusal = this.#refusal(id);
    if (refusal !== undefined) {
      this.#send(this.#encodeThrown(id, refusal));
      return;
    }
    const calling = new AbortController();
    const call: Call = { id, signal: calling.signal };
    this.#calls.set(id, calling);
    const { method, params } = request;
    const response = await this.#server.receive({ jsonrpc: '2.0', id, method, params }, call);
    this.#calls.delete(id);
    if (response !== null) this.#respond(response, call);
  }

  /** An id that is open already could be answered, but its sender would take one answer for the other. */
  #refusal(id: JsonRpcId): RpcError | Fault | undefined {
    if (this.#calls.has(id)) return new RpcError(JSONRPCErrorCode.InvalidRequest, 'this id is still in use');
    if (this.#calls.size < this.#maxConcurrentRequests) return undefined;
    return new Fault('too-many', `no more than ${this.#maxConcurrentRequests} requests may be open at once`);
  }

  #respond(response: JSONRPCResponse, { after }: Call): void {
    if (this.#state === 'closed') return;
    try {
      this.#send(response);
    } catch (thrown) {
      this.#send(this.#encodeThrown(response.id, thrown));
      return;
    }
    try {
      after?.();
    } catch (error) {
      this.#log?.error({ error }, 'what follows an answer failed');
    }
  }

  /** The handler knows the methods, so the server's own table of them stays empty. */
  #newServer(): JSONRPCServer<Call> {
    const server = new JSONRPCServer<Call>({ errorListener: () => undefined });
    server.applyMiddleware(async (_next, { method, params }, call) => {
      const reply = await this.#handler.request(method, params, call);
      call.after = reply.after;
      return createJSONRPCSuccessResponse(call.id, reply.result);
    });
    server.mapErrorToJSONRPCErrorResponse = (id, thrown) => this.#encodeThrown(id, thrown, this.#calls.get(id)?.signal);
    return server;
  }

  #encodeThrown(id: JsonRpcId, thrown: unknown, signal?: AbortSignal): JSONRPCErrorResponse {
    // Node's own waits reject with an error of theirs when they are aborted, not with the signal's reason.
    const isAborted = signal?.aborted === true && thrown instanceof Error && thrown.name === 'AbortError';
    const error: unknown = isAborted ? signal.reason : thrown;
    const { code, message, data } = error instanceof RpcError ? error : this.#encodeOther(error);
    return createJSONRPCErrorResponse(id, code, message, data);
  }

  #encodeOther(error: unknown): RpcErrorBody {
    if (Fault.from(error).code === 'internal') this.#log?.error({ error }, 'a request failed');
    return this.#encodeError(error);
  }

  #end(error?: unknown): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    const gone = new Fault('client-gone', 'the other side has left', { cause: error });
    this.#own.end(gone);
    for (const calling of this.#calls.values()) calling.abort(gone);
    try {
      this.#handler.closed(error);
    } catch (thrown) {
      this.#log?.error({ error: thrown }, 'a connection could not be cleaned up');
    }
  }
}

/** Faults' messages are for everyone to see; those of other things are withheld. */
function encodeFault(thrown: unknown): RpcErrorBody {
  const { code, message, retryable } = Fault.from(thrown);
  return { code: JSONRPCErrorCode.InternalError, message, data: { code, retryable } };
}
