// The operations as gRPC calls them. The SDK's codecs and definition are used, its service is not: it writes without
// waiting for its reader, goes on for callers who have left, and tells callers what unexpected errors say.
import type { StreamResponse } from '@a2a-js/sdk';
import type { grpcService } from '@a2a-js/sdk/server/grpc';
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
import { drained, GrpcCall, type StreamingCall, type TenantRequest, type UnaryCall } from './grpc-call.ts';
import { encodeGrpcStatus, type GrpcStatus } from './grpc-status.ts';
import type { Handler } from './handler.ts';
import type { Handlers } from './handlers.ts';
import { activate } from './http.ts';
import { endsStream } from './task-fold.ts';
import { chooseVersion } from './version.ts';

/** Stands for a request whose bytes could not be read. */
export const unreadableRequest: TenantRequest = { tenant: '' };

export interface GrpcServiceOptions extends GrpcOptions {
  readonly handlers: Handlers;
  readonly principalOf: (metadata: Metadata) => Principal;
}

/** A request that was taken up, for the agent that it names. */
interface Taken<Request> {
  readonly request: Request;
  readonly call: Call;
  readonly handler: Handler;
}

export class GrpcService {
  readonly #options: GrpcServiceOptions;

  constructor(options: GrpcServiceOptions) {
    this.#options = options;
  }

  implementation(): ReturnType<typeof grpcService> {
    return {
      sendMessage: this.#unary(async ({ handler, request, call }) => ({
        payload: { $case: 'task', value: await handler.sendMessage(request, call) },
      })),
      sendStreamingMessage: this.#streaming(({ handler, request, call }) => handler.sendMessageStream(request, call)),
      subscribeToTask: this.#streaming(({ handler, request, call }) => handler.resubscribe(request, call)),
      getTask: this.#unary(({ handler, request, call }) => handler.getTask(request, call)),
      listTasks: this.#unary(({ handler, request, call }) => handler.listTasks(request, call)),
      cancelTask: this.#unary(({ handler, request, call }) => handler.cancelTask(request, call)),
      createTaskPushNotificationConfig: this.#unary(({ handler, request, call }) =>
        handler.createTaskPushNotificationConfig(request, call),
      ),
      getTaskPushNotificationConfig: this.#unary(({ handler, request, call }) =>
        handler.getTaskPushNotificationConfig(request, call),
      ),
      listTaskPushNotificationConfigs: this.#unary(({ handler, request, call }) =>
        handler.listTaskPushNotificationConfigs(request, call),
      ),
      deleteTaskPushNotificationConfig: this.#unary(async ({ handler, request, call }) => {
        await handler.deleteTaskPushNotificationConfig(request, call);
        return {};
      }),
      getExtendedAgentCard: this.#unary(({ handler, request, call }) =>
        handler.getAuthenticatedExtendedAgentCard(request, call),
      ),
    };
  }

  #unary<Request extends TenantRequest, Response>(
    operate: (taken: Taken<Request>) => Promise<Response>,
  ): handleUnaryCall<Request, Response> {
    return (wire, callback) => {
      void this.#answer(wire, operate, callback);
    };
  }

  async #answer<Request extends TenantRequest, Response>(
    wire: UnaryCall<Request, Response>,
    operate: (taken: Taken<Request>) => Promise<Response>,
    callback: sendUnaryData<Response>,
  ): Promise<void> {
    using open = this.#open(wire);
    try {
      const response = await operate(await this.#take(wire, open));
      open.end(codes.OK);
      callback(null, response);
    } catch (thrown) {
      callback(this.#refuse(open, thrown));
    }
  }

  #streaming<Request extends TenantRequest>(
    operate: (taken: Taken<Request>) => AsyncGenerator<StreamResponse>,
  ): handleServerStreamingCall<Request, StreamResponse> {
    return (wire) => {
      void this.#stream(wire, operate);
    };
  }

  async #stream<Request extends TenantRequest>(
    wire: StreamingCall<Request, StreamResponse>,
    operate: (taken: Taken<Request>) => AsyncGenerator<StreamResponse>,
  ): Promise<void> {
    const { clock, handlers } = this.#options;
    const { slowViewerMs } = handlers.limits;
    using open = this.#open(wire);
    const { signal } = open;
    try {
      let isAtEnd = false;
      for await (const frame of operate(await this.#take(wire, open))) {
        isAtEnd = isLast(frame);
        if (!wire.write(frame)) await drained(wire, { clock, slowViewerMs, signal });
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
  async #take<Request extends TenantRequest, Response>(
    wire: UnaryCall<Request, Response> | StreamingCall<Request, Response>,
    open: GrpcCall<Request, Response>,
  ): Promise<Taken<Request>> {
    const { handlers, principalOf, log } = this.#options;
    const { metadata, request } = wire;
    const { headers, signal } = open;
    const call = handlers.open({ headers, url: undefined, principal: principalOf(metadata), log, signal });
    open.call = call;
    chooseVersion(call.requestedVersion, ['1.0']);
    if (request === unreadableRequest) throw unreadable('request');
    const { tenant } = request;
    const handler = handlers.get(tenant === '' ? undefined : tenant);
    if (tenant !== '') call.setTenant(tenant);
    const activated = activate(call.requestedExtensions ?? [], await handler.getAgentCard());
    if (activated.length > 0) wire.sendMetadata(extensionsMetadata(activated));
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
function isLast({ payload }: StreamResponse): boolean {
  const status = payload?.$case === 'task' || payload?.$case === 'statusUpdate' ? payload.value.status : undefined;
  return status !== undefined && endsStream(status.state);
}

function extensionsMetadata(activated: readonly string[]): Metadata {
  const metadata = new Metadata();
  metadata.set('a2a-extensions', activated.join(', '));
  return metadata;
}
