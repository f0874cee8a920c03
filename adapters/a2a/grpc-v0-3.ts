// gRPC of 0.3, which has no tenants: its callers have the default agent. The SDK translates between its messages and the
// types of 1.0 inside of its own service alone, so that each of that service's methods is called here around an operation
// of ours, for what it makes of the request and of the answer.
// https://github.com/a2aproject/A2A/blob/v0.3.0/specification/grpc/a2a.proto
import type { AgentCard, StreamResponse } from '@a2a-js/sdk';
import { type LegacyA2AService, legacyGrpcService } from '@a2a-js/sdk/compat/v0_3/server/grpc';
import { type A2ARequestHandler, ServerCallContext } from '@a2a-js/sdk/server';
import { Metadata } from '@grpc/grpc-js';
import { unreadable } from './decode.ts';
import { type GrpcDialect, type GrpcService, isLast, type Taken } from './grpc-service.ts';

type Service = ReturnType<typeof legacyGrpcService>;
type Frame = ReturnType<(typeof LegacyA2AService)['sendStreamingMessage']['responseDeserialize']>;

/** Which operation each method is of. */
const unaries = {
  sendMessage: 'sendMessage',
  getTask: 'getTask',
  cancelTask: 'cancelTask',
  createTaskPushNotificationConfig: 'createTaskPushNotificationConfig',
  getTaskPushNotificationConfig: 'getTaskPushNotificationConfig',
  listTaskPushNotificationConfig: 'listTaskPushNotificationConfigs',
  deleteTaskPushNotificationConfig: 'deleteTaskPushNotificationConfig',
  getAgentCard: 'getAuthenticatedExtendedAgentCard',
} as const;
const streams = { sendStreamingMessage: 'sendMessageStream', taskSubscription: 'resubscribe' } as const;
const operations = { ...unaries, ...streams };

type Method = keyof typeof operations;
type Source = (params: never) => Iterable<StreamResponse>;

const v03: GrpcDialect<Frame> = {
  version: '0.3',
  extensionsHeader: 'x-a2a-extensions',
  async encodeFrame(event) {
    const [frame] = await written('taskSubscription', { name: 'tasks/any' }, () => [event]);
    if (frame === undefined) throw new TypeError('0.3 has no such event');
    // The SDK says it of the ends of tasks alone, and a stream ends at a question too.
    if (frame.payload?.$case === 'statusUpdate') frame.payload.value.final = isLast(event);
    return frame;
  },
};

export function grpcV03(service: GrpcService): Service {
  const unary = (method: keyof typeof unaries) => service.unary<object, unknown>(v03, (taken) => answer(method, taken));
  const streaming = (method: keyof typeof streams) =>
    service.streaming<object, Frame>(v03, (taken) => follow(method, taken));
  return Object.fromEntries([
    ...keysOf(unaries).map((method) => [method, unary(method)]),
    ...keysOf(streams).map((method) => [method, streaming(method)]),
  ]) as Service;
}

/** @throws what the operation throws, Violations */
function answer(method: keyof typeof unaries, { request, handler, call }: Taken<object>): Promise<unknown> {
  let isReached = false;
  const operate = (params: never): Promise<unknown> => {
    isReached = true;
    return handler[unaries[method]](withoutZeros(params), call);
  };
  return new Promise((resolve, reject) => {
    serveBy(method, operate, wireOf(request), (error: unknown, response: unknown) => {
      if (error === null) resolve(response);
      else reject(isReached ? error : unreadable('request'));
    });
  });
}

async function* follow(
  method: keyof typeof streams,
  { request, handler, call }: Taken<object>,
): AsyncGenerator<StreamResponse, void, undefined> {
  let found: { readonly params: never } | undefined;
  await written(method, request, (params) => {
    found = { params };
    return [];
  });
  if (found === undefined) throw unreadable('request');
  yield* handler[streams[method]](withoutZeros(found.params), call);
}

/** A number that is not said is 0 there: the history is as long as it is. */
function withoutZeros(params: { readonly historyLength?: number; readonly configuration?: object }): never {
  const { historyLength, configuration, ...rest } = params;
  return {
    ...rest,
    historyLength: historyLength === 0 ? undefined : historyLength,
    configuration: configuration === undefined ? undefined : withoutZeros(configuration),
  } as never;
}

/** What a stream of the SDK's writes until its source ends. */
function written(method: keyof typeof streams, request: object, source: Source): Promise<Frame[]> {
  const frames: Frame[] = [];
  return new Promise((resolve) => {
    serveBy(method, source, {
      ...wireOf(request),
      write: (frame: Frame) => frames.push(frame),
      emit: () => false,
      end: () => {
        resolve(frames);
      },
    });
  });
}

/** A call as the SDK's service has it of grpc-js. */
function wireOf(request: object): object {
  return { request, metadata: new Metadata(), sendMetadata: () => undefined };
}

function serveBy(method: Method, operate: unknown, ...wire: readonly unknown[]): void {
  const requestHandler = {
    // All methods are bound before one is called.
    ...Object.fromEntries(Object.values(operations).map((name) => [name, operate])),
    getAgentCard: () => Promise.resolve(legacyCard),
  } as unknown as A2ARequestHandler;
  const service = legacyGrpcService({
    requestHandler,
    userBuilder: () => Promise.resolve({ isAuthenticated: true, userName: '' }),
    contextBuilder: () => new ServerCallContext({ requestedVersion: '0.3' }),
  });
  (service[method] as unknown as (...call: readonly unknown[]) => void)(...wire);
}

/** All that the SDK's service looks at in a card. */
const legacyCard = {
  supportedInterfaces: [{ url: '', protocolBinding: 'GRPC', tenant: '', protocolVersion: '0.3' }],
} as unknown as AgentCard;

function keysOf<Key extends string>(of: Readonly<Record<Key, unknown>>): Key[] {
  return Object.keys(of) as Key[];
}
