// The operations as gRPC calls them. The SDK's codecs and definition are used, its service is not: it writes without
// waiting for its reader, goes on for callers who have left, and tells callers what unexpected errors say.
import type { StreamResponse } from '@a2a-js/sdk';
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type sendUnaryData,
  status as codes,
} from '@grpc/grpc-js';
import type { Principal } from '../../schemas/id.ts';
import { Fault } from '../../src/fault.ts';
import type { Call } from './call.ts';
import { unreadable } from './decode.ts';
import { report } from './faults.ts';
import type { GrpcOptions } from './options.ts';
import { drained, GrpcCall, type StreamingCall, type UnaryCall } from './grpc-call.ts';
import { encodeGrpcStatus, type GrpcStatus } from './grpc-status.ts';
import type { Handler } from './handler.ts';
import type { Handlers } from './handlers.ts';
import { activate } from './http.ts';
import { endsStream } from './task-fold.ts';
import { chooseVersion, type Version } from './version.ts';

/** Stands for a request whose bytes could not be read. */
export const unreadableRequest: object = {};

export interface GrpcServiceOptions extends GrpcOptions {
  readonly handlers: Handlers;
  readonly principalOf: (metadata: Metadata) => Principal;
}

/** A request that was taken up, for the agent that it names. */
export interface Taken<Request> {
  readonly request: Request;
  readonly call: Call;
  readonly handler: Handler;
}

export type Operate<Request, Result> = (taken: Taken<Request>) => Result;

/** How one version of the protocol says gRPC. */
export interface GrpcDialect<Frame> {
  readonly version: Version;
  /** In which extensions that are in use are told. */
  readonly extensionsHeader: string;
  readonly encodeFrame: (event: StreamResponse) => Frame | Promise<Frame>;
}

export class GrpcService {
  readonly #options: GrpcServiceOptions;

  constructor(options: GrpcServiceOptions) {
    this.#options = options;
  }

  unary<Request extends object, Response>(
    dialect: GrpcDialect<unknown>,
    operate: Operate<Request, Promise<Response>>,
  ): handleUnaryCall<Request, Response> {
    return (wire, callback) => {
      void this.#answer(wire, dialect, { operate, callback });
    };
  }

  streaming<Request extends object, Frame>(
    dialect: GrpcDialect<Frame>,
    operate: Operate<Request, AsyncGenerator<StreamResponse>>,
  ): handleServerStreamingCall<Request, Frame> {
    return (wire) => {
      void this.#stream(wire, dialect, operate);
    };
  }

  async #answer<Request extends object, Response>(
    wire: UnaryCall<Request, Response>,
    dialect: GrpcDialect<unknown>,
    how: { readonly operate: Operate<Request, Promise<Response>>; readonly callback: sendUnaryData<Response> },
  ): Promise<void> {
    const { operate, callback } = how;
    using open = this.#open(wire);
    try {
      const response = await operate(await this.#take(wire, dialect, open));
      open.end(codes.OK);
      callback(null, response);
    } catch (thrown) {
      callback(this.#refuse(open, thrown));
    }
  }

  async #stream<Request extends object, Frame>(
    wire: StreamingCall<Request, Frame>,
    dialect: GrpcDialect<Frame>,
    operate: Operate<Request, AsyncGenerator<StreamResponse>>,
  ): Promise<void> {
    const { clock, handlers } = this.#options;
    const { slowViewerMs } = handlers.limits;
    using open = this.#open(wire);
    const { signal } = open;
    try {
      let isAtEnd = false;
      for await (const event of operate(await this.#take(wire, dialect, open))) {
        isAtEnd = isLast(event);
        if (!wire.write(await dialect.encodeFrame(event))) await drained(wire, { clock, slowViewerMs, signal });
        if (signal.aborted) break;
      }
      if (signal.aborted && !isAtEnd) {
        throw new Fault('shutting-down', 'the gateway stops, and the task goes on after it; subscribe to it again');
      }
      open.end(codes.OK);
      wire.end();
    } catch (thrown) {
      wire.emit('error', this.#refuse(open, thrown));
    }
  }

  #open<Request, Response>(
    wire: UnaryCall<Request, Response> | StreamingCall<Request, Response>,
  ): GrpcCall<Request, Response> {
    const { clock, log, gateway } = this.#options;
    return new GrpcCall(wire, { clock, log, stopping: gateway.stopping });
  }

  /** Takes a request up for its caller and its agent: that is its tenant, as gRPC has no paths. */
  async #take<Request extends object, Response>(
    wire: UnaryCall<Request, Response> | StreamingCall<Request, Response>,
    { version, extensionsHeader }: GrpcDialect<unknown>,
    open: GrpcCall<Request, Response>,
  ): Promise<Taken<Request>> {
    const { handlers, principalOf, log } = this.#options;
    const { metadata, request } = wire;
    const { headers, signal } = open;
    const call = handlers.open({ headers, url: undefined, principal: principalOf(metadata), log, signal });
    open.call = call;
    chooseVersion(call.requestedVersion, [version]);
    if (request === unreadableRequest) throw unreadable('request');
    const tenant = tenantOf(request);
    const handler = handlers.get(tenant === '' ? undefined : tenant);
    if (tenant !== '') call.setTenant(tenant);
    const activated = activate(call.requestedExtensions ?? [], await handler.getAgentCard());
    if (activated.length > 0) wire.sendMetadata(metadataOf(extensionsHeader, activated.join(', ')));
    return { request, call, handler };
  }

  #refuse<Request, Response>(open: GrpcCall<Request, Response>, thrown: unknown): GrpcStatus {
    const fault = open.call?.fault ?? thrown;
    report(this.#options.log, fault);
    const status = encodeGrpcStatus(fault);
    open.end(status.code);
    return status;
  }
}

/** Whether a stream ends with this frame, as nothing more comes of its task by itself. */
export function isLast({ payload }: StreamResponse): boolean {
  const status = payload?.$case === 'task' || payload?.$case === 'statusUpdate' ? payload.value.status : undefined;
  return status !== undefined && endsStream(status.state);
}

/** Requests of 0.3 have none. */
function tenantOf(request: { readonly tenant?: string }): string {
  return request.tenant ?? '';
}

function metadataOf(name: string, value: string): Metadata {
  const metadata = new Metadata();
  metadata.set(name, value);
  return metadata;
}
