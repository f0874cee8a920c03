// HTTP+JSON of 1.0. https://a2a-protocol.org/v1.0.1/specification/#11-httpjsonrest-protocol-binding
import {
  ListTasksResponse,
  SendMessageRequest,
  StreamResponse,
  Task,
  TaskPushNotificationConfig,
  TaskState,
  taskStateFromJSON,
} from '@a2a-js/sdk';
import { encodeCard } from './card.ts';
import { checkRaw, unreadable } from './decode.ts';
import { encodeRestError, Violations } from './faults.ts';
import { answer } from './http.ts';
import { type Performance, readBody, type RestDialect, stream } from './rest.ts';
import { routeOf } from './rest-routes.ts';

const contentType = 'application/a2a+json';
const streaming = { encode: (event: StreamResponse) => StreamResponse.toJSON(event), encodeFault: encodeRestError };

export const restV1: RestDialect = {
  version: '1.0',
  contentType,
  extensionsHeader: 'A2A-Extensions',
  routeOf,
  encodeFault: encodeRestError,
  perform,
};

async function perform(performance: Performance): Promise<void> {
  const { exchange, binding, call, route } = performance;
  const { operation, tenant } = route;
  const { response, url } = exchange;
  const { handler } = binding;
  const reply = (body: unknown): void => {
    answer(response, { status: 200, body: body as object, contentType });
  };
  switch (operation.is) {
    case 'send':
      return reply({ task: Task.toJSON(await handler.sendMessage(await readSend(performance), call)) });
    case 'stream':
      return stream(performance, handler.sendMessageStream(await readSend(performance), call), streaming);
    case 'subscribe':
      return stream(performance, handler.resubscribe({ id: operation.id, tenant }, call), streaming);
    case 'get': {
      const historyLength = wholeNumber(url, 'historyLength');
      return reply(Task.toJSON(await handler.getTask({ id: operation.id, tenant, historyLength }, call)));
    }
    case 'cancel':
      return reply(Task.toJSON(await handler.cancelTask({ id: operation.id, tenant, metadata: undefined }, call)));
    case 'list':
      return reply(await list(performance));
    case 'card':
      return reply(encodeCard(await handler.getAuthenticatedExtendedAgentCard({ tenant }, call)));
    case 'push':
      return exchange.request.method === 'POST'
        ? createConfig(performance, operation.id)
        : reply(await listConfigs(performance, operation.id));
    case 'push-config': {
      const named = { tenant, taskId: operation.id, id: operation.configId };
      if (exchange.request.method === 'GET') {
        return reply(TaskPushNotificationConfig.toJSON(await handler.getTaskPushNotificationConfig(named, call)));
      }
      await handler.deleteTaskPushNotificationConfig(named, call);
      return answer(response, { status: 204, body: undefined, contentType });
    }
  }
}

async function createConfig({ exchange, binding, call, route }: Performance, taskId: string): Promise<void> {
  const params = decodeBody(await readBody(exchange, binding), TaskPushNotificationConfig);
  if (params.taskId !== '' && params.taskId !== taskId) {
    throw new Violations([{ field: 'taskId', description: 'is not the one of the path' }]);
  }
  const { tenant } = route;
  const made = await binding.handler.createTaskPushNotificationConfig({ ...params, tenant, taskId }, call);
  const body = TaskPushNotificationConfig.toJSON(made) as object;
  answer(exchange.response, { status: 201, body, contentType });
}

async function listConfigs({ exchange, binding, call, route }: Performance, taskId: string): Promise<object> {
  const { url } = exchange;
  const pageSize = wholeNumber(url, 'pageSize') ?? 0;
  const pageToken = url.searchParams.get('pageToken') ?? '';
  const wanted = { tenant: route.tenant, taskId, pageSize, pageToken };
  const listed = await binding.handler.listTaskPushNotificationConfigs(wanted, call);
  return {
    configs: listed.configs.map((config) => TaskPushNotificationConfig.toJSON(config)),
    nextPageToken: listed.nextPageToken,
  };
}

async function readSend({ exchange, binding, route: { tenant } }: Performance): Promise<SendMessageRequest> {
  const body = await readBody(exchange, binding);
  checkRaw(body);
  const params = decodeBody(body, SendMessageRequest);
  if (tenant !== '' && params.tenant !== '' && params.tenant !== tenant) {
    throw new Violations([{ field: 'tenant', description: 'is not the one of the path' }]);
  }
  return params;
}

function decodeBody<Params>(body: object, codec: { fromJSON(body: object): Params }): Params {
  try {
    return codec.fromJSON(body);
  } catch {
    throw unreadable('body');
  }
}

async function list({ exchange: { url }, binding, call, route: { tenant } }: Performance): Promise<object> {
  const { searchParams: query } = url;
  const status = query.get('status');
  const includeArtifacts = query.get('includeArtifacts') === 'true';
  const listed = await binding.handler.listTasks(
    {
      tenant,
      contextId: query.get('contextId') ?? '',
      status: status === null ? TaskState.TASK_STATE_UNSPECIFIED : stateOf(status),
      pageSize: wholeNumber(url, 'pageSize'),
      pageToken: query.get('pageToken') ?? '',
      historyLength: wholeNumber(url, 'historyLength'),
      statusTimestampAfter: query.get('statusTimestampAfter') ?? undefined,
      includeArtifacts,
    },
    call,
  );
  const wire = ListTasksResponse.toJSON(listed) as { tasks?: object[] };
  const tasks = (wire.tasks ?? []).map((task) => (includeArtifacts ? { artifacts: [], ...task } : task));
  const { nextPageToken, pageSize, totalSize } = listed;
  return { tasks, nextPageToken, pageSize, totalSize };
}

function stateOf(text: string): TaskState {
  return taskStateFromJSON(/^\d+$/.test(text) ? Number(text) : text);
}

/** What is no number is told by whoever checks it. */
function wholeNumber({ searchParams }: URL, name: string): number | undefined {
  const text = searchParams.get(name);
  return text === null || text === '' ? undefined : Number(text);
}
