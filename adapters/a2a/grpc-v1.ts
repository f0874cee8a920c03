// gRPC of 1.0. https://a2a-protocol.org/v1.0.1/specification/#10-grpc-protocol-binding
import type { StreamResponse } from '@a2a-js/sdk';
import type { grpcService } from '@a2a-js/sdk/server/grpc';
import type { GrpcDialect, GrpcService, Operate } from './grpc-service.ts';

const v1: GrpcDialect<StreamResponse> = {
  version: '1.0',
  extensionsHeader: 'a2a-extensions',
  encodeFrame: (event) => event,
};

export function grpcV1(service: GrpcService): ReturnType<typeof grpcService> {
  const unary = <Request extends object, Response>(operate: Operate<Request, Promise<Response>>) =>
    service.unary(v1, operate);
  const streaming = <Request extends object>(operate: Operate<Request, AsyncGenerator<StreamResponse>>) =>
    service.streaming(v1, operate);
  return {
    sendMessage: unary(async ({ handler, request, call }) => ({
      payload: { $case: 'task', value: await handler.sendMessage(request, call) },
    })),
    sendStreamingMessage: streaming(({ handler, request, call }) => handler.sendMessageStream(request, call)),
    subscribeToTask: streaming(({ handler, request, call }) => handler.resubscribe(request, call)),
    getTask: unary(({ handler, request, call }) => handler.getTask(request, call)),
    listTasks: unary(({ handler, request, call }) => handler.listTasks(request, call)),
    cancelTask: unary(({ handler, request, call }) => handler.cancelTask(request, call)),
    createTaskPushNotificationConfig: unary(({ handler, request, call }) =>
      handler.createTaskPushNotificationConfig(request, call),
    ),
    getTaskPushNotificationConfig: unary(({ handler, request, call }) =>
      handler.getTaskPushNotificationConfig(request, call),
    ),
    listTaskPushNotificationConfigs: unary(({ handler, request, call }) =>
      handler.listTaskPushNotificationConfigs(request, call),
    ),
    deleteTaskPushNotificationConfig: unary(async ({ handler, request, call }) => {
      await handler.deleteTaskPushNotificationConfig(request, call);
      return {};
    }),
    getExtendedAgentCard: unary(({ handler, request, call }) =>
      handler.getAuthenticatedExtendedAgentCard(request, call),
    ),
  };
}
