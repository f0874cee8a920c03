// Requests that this side has sent. json-rpc-2.0 knows which answer is whose; when to wait no longer is said here.
// https://agentclientprotocol.com/protocol/v1/cancellation
import {
  createJSONRPCErrorResponse,
  createJSONRPCNotification,
  createJSONRPCRequest,
  JSONRPCClient,
  type JSONRPCRequest,
  type JSONRPCResponse,
} from 'json-rpc-2.0';
import type { Clock } from '../../src/clock.ts';
import { Fault } from '../../src/fault.ts';
import type { JsonRpcId } from './channel.ts';
import { RpcError } from './json-rpc.ts';

export const cancelMethod = '$/cancel_request';
export const requestCancelled = -32800;

export interface RequestOptions {
  /** Asks the other side to cancel. The request settles with what it answers to that. */
  readonly signal?: AbortSignal | undefined;
  /** The longest wait for an answer. */
  readonly timeoutMs?: number | undefined;
}

interface Parts {
  readonly send: (message: object) => void;
  readonly clock: Clock;
  /** The longest wait for an answer after a cancellation. */
  readonly cancelWaitMs: number;
}

interface OpenRequest {
  readonly method: string;
  /** Why no answer is waited for any more. */
  reason?: unknown;
  readonly stops: (() => void)[];
}

export class OwnRequests {
  readonly #parts: Parts;
  readonly #client: JSONRPCClient;
  readonly #open = new Map<JsonRpcId, OpenRequest>();
  #nextId = 1;
  #end: Fault | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#client = new JSONRPCClient((request: JSONRPCRequest) => {
      try {
        parts.send(request);
      } catch (thrown) {
        this.giveUp(request.id ?? null, thrown);
      }
    });
  }

  /**
   * Sends at once. Rejects with an `RpcError`, which is the other side's answer or -32800 where none came to a
   * cancellation; with a fault, `timeout` or `client-gone`; or with what `send` threw.
   */
  async request(method: string, params: unknown, options: RequestOptions): Promise<unknown> {
    if (this.#end !== undefined) throw this.#end;
    if (options.signal?.aborted === true) throw cancelled(method);
    const id = this.#nextId++;
    const open: OpenRequest = { method, stops: [] };
    this.#open.set(id, open);
    this.#limit(id, open, options);
    const { result, error } = await this.#client.requestAdvanced(createJSONRPCRequest(id, method, params));
    if (open.reason !== undefined) throw open.reason;
    if (error) throw new RpcError(error.code, error.message, error.data);
    return result;
  }

  /** Whether it answers an open request. */
  settle(response: JSONRPCResponse): boolean {
    const open = this.#open.get(response.id);
    if (open === undefined) return false;
    this.#open.delete(response.id);
    for (const stop of open.stops) stop();
    this.#client.receive(response);
    return true;
  }

  /** Rejects an open request; its answer may still come, and is one to nothing then. */
  giveUp(id: JsonRpcId, reason: unknown): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    open.reason = reason;
    this.settle(createJSONRPCErrorResponse(id, requestCancelled, 'given up'));
  }

  /** Rejects all that are open, and all to come. */
  end(fault: Fault): void {
    this.#end = fault;
    for (const id of this.#open.keys()) this.giveUp(id, fault);
  }

  #limit(id: number, open: OpenRequest, { signal, timeoutMs }: RequestOptions): void {
    const { clock, cancelWaitMs } = this.#parts;
    const { method, stops } = open;
    if (timeoutMs !== undefined) {
      const overdue = (): void => {
        if (signal?.aborted !== true) this.#cancel(id);
        this.giveUp(id, new Fault('timeout', `${method} was not answered within ${timeoutMs} ms`));
      };
      stops.push(wakeAfter(clock, timeoutMs, overdue));
    }
    if (signal === undefined) return;
    const abort = (): void => {
      this.#cancel(id);
      stops.push(wakeAfter(clock, cancelWaitMs, () => this.giveUp(id, cancelled(method))));
    };
    signal.addEventListener('abort', abort, { once: true });
    stops.push(() => {
      signal.removeEventListener('abort', abort);
    });
  }

  #cancel(id: number): void {
    this.#parts.send(createJSONRPCNotification(cancelMethod, { requestId: id }));
  }
}

function cancelled(method: string): RpcError {
  return new RpcError(requestCancelled, `${method} was cancelled`);
}

/** A clock's own timers are an hour at most. Returns the cancellation. */
function wakeAfter(clock: Clock, ms: number, wake: () => void): () => void {
  const atMs = clock.now() + ms;
  const arm = (): (() => void) =>
    clock.at(atMs, () => {
      if (clock.now() < atMs) disarm = arm();
      else wake();
    });
  let disarm = arm();
  return () => {
    disarm();
  };
}
