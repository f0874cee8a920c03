// HTTP+JSON, of 1.0. https://a2a-protocol.org/v1.0.1/specification/#11-httpjsonrest-protocol-binding
import {
  AgentCard,
  ListTasksResponse,
  SendMessageRequest,
  StreamResponse,
  Task,
  TaskPushNotificationConfig,
  TaskState,
  taskStateFromJSON,
} from '@a2a-js/sdk';
import { ContentTypeNotSupportedError } from '@a2a-js/sdk/errors';
import type { Exchange } from '../../src/adapter.ts';
import { Fault } from '../../src/fault.ts';
import { mediaTypeOf, readJson } from '../../src/json-body.ts';
import { decodeSegment } from '../../src/url-path.ts';
import type { Binding } from './binding.ts';
import type { Call } from './call.ts';
import { checkRaw, unreadable } from './decode.ts';
import { encodeRestError, Violations } from './faults.ts';
import { writeFrames } from './frames.ts';
import { activate, answer } from './http.ts';
import { chooseVersion } from './version.ts';

const contentType = 'application/a2a+json';

/** An operation, and what the path and the query say of it. */
export type Operation =
  | { readonly is: 'send' | 'stream' | 'list' | 'card' }
  | { readonly is: 'get' | 'cancel' | 'subscribe' | 'push'; readonly id: string }
  | { readonly is: 'push-config'; readonly id: string; readonly configId: string };

interface Route {
  readonly operation: Operation;
  readonly methods: readonly string[];
  readonly tenant: string;
}

/** What a path below an agent's names; undefined: nothing of this binding. */
export function routeOf(segments: readonly string[]): Route | undefined {
  const [first = '', ...rest] = segments;
  const direct = operationAt([first, ...rest]);
  if (direct !== undefined) return { ...direct, tenant: '' };
  const behindTenant = rest.length > 0 && first !== '' ? operationAt(rest) : undefined;
  return behindTenant === undefined ? undefined : { ...behindTenant, tenant: decodeSegment(first) };
}

function operationAt([first = '', second, third, fourth, ...more]: readonly string[]):
  | Omit<Route, 'tenant'>
  | undefined {
  if (more.length > 0) return undefined;
  if (second === undefined) {
    switch (first) {
      case 'message:send':
        return { operation: { is: 'send' }, methods: ['POST'] };
      case 'message:stream':
        return { operation: { is: 'stream' }, methods: ['POST'] };
      case 'tasks':
        return { operation: { is: 'list' }, methods: ['GET'] };
      case 'extendedAgentCard':
        return { operation: { is: 'card' }, methods: ['GET'] };
      default:
        return undefined;
    }
  }
  if (first !== 'tasks' || second === '') return undefined;
  if (third === 'pushNotificationConfigs') {
    const id = decodeSegment(second);
    if (fourth === undefined) return { operation: { is: 'push', id }, methods: ['GET', 'POST'] };
    const configId = decodeSegment(fourth);
    return { operation: { is: 'push-config', id, configId }, methods: ['GET', 'DELETE'] };
  }
  if (third !== undefined) return undefined;
  const [, name = '', verb] = /^(.*?)(?::(cancel|subscribe))?$/.exec(second) ?? [];
  const id = decodeSegment(name);
  if (verb === 'cancel') return { operation: { is: 'cancel', id }, methods: ['POST'] };
  // The text says POST, the protocol's own definition GET.
  if (verb === 'subscribe') return { operation: { is: 'subscribe', id }, methods: ['GET', 'POST'] };
  return { operation: { is: 'get', id }, methods: ['GET'] };
}

export async function serveRest(exchange: Exchange, binding: Binding, route: Route): Promise<void> {
  const { request, response } = exchange;
  using open = binding.open(exchange);
  const { call } = open;
  try {
    if (!route.methods.includes(request.method ?? '')) {
      response.setHeader('allow', route.methods.join(', '));
      const refused = new Fault('unsupported', `only ${route.methods.join(' and ')} is served here`);
      answer(response, { status: 405, body: encodeRestError(refused).body, contentType });
      return;
    }
    chooseVersion(call.requestedVersion, ['1.0']);
    const activated = activate(call.requestedExtensions ?? [], await binding.handler.getAgentCard());
    if (activated.length > 0) response.setHeader('A2A-Extensions', activated.join(', '));
    if (route.tenant !== '') call.setTenant(route.tenant);
    await perform(exchange, binding, { call, route });
  } catch (thrown) {
    if (response.destroyed) return;
    const fault = call.fault ?? thrown;
    binding.report(exchange, fault);
    const { http: status, body } = encodeRestError(fault);
    answer(response, { status, body, contentType });
  }
}

async function perform(
  exchange: Exchange,
  binding: Binding,
  { call, route: { operation, tenant } }: { readonly call: Call; readonly route: Route },
): Promise<void> {
  const { response, url } = exchange;
  const { handler } = binding;
  const reply = (body: unknown): void => {
    answer(response, { status: 200, body: body as object, contentType });
  };
  switch (operation.is) {
    case 'send':
      return reply({ task: Task.toJSON(await handler.sendMessage(await readSend(exchange, binding, tenant), call)) });
    case 'stream':
      return stream(
        exchange,
        binding,
        call,
        handler.sendMessageStream(await readSend(exchange, binding, tenant), call),
      );
    case 'subscribe':
      return stream(exchange, binding, call, handler.resubscribe({ id: operation.id, tenant }, call));
    case 'get': {
      const historyLength = wholeNumber(url, 'historyLength');
      return reply(Task.toJSON(await handler.getTask({ id: operation.id, tenant, historyLength }, call)));
    }
    case 'cancel':
      return reply(Task.toJSON(await handler.cancelTask({ id: operation.id, tenant, metadata: undefined }, call)));
    case 'list':
      return reply(await list(url, binding, { call, tenant }));
    case 'card':
      return reply(AgentCard.toJSON(await handler.getAuthenticatedExtendedAgentCard({ tenant }, call)));
    case 'push':
      return exchange.request.method === 'POST'
        ? createConfig(exchange, binding, { call, taskId: operation.id, tenant })
        : reply(await listConfigs(url, binding, { call, taskId: operation.id, tenant }));
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

async function createConfig(
  exchange: Exchange,
  binding: Binding,
  { call, taskId, tenant }: { readonly call: Call; readonly taskId: string; readonly tenant: string },
): Promise<void> {
  const params = decodeBody(await readBody(exchange, binding), TaskPushNotificationConfig);
  if (params.taskId !== '' && params.taskId !== taskId) {
    throw new Violations([{ field: 'taskId', description: 'is not the one of the path' }]);
  }
  const made = await binding.handler.createTaskPushNotificationConfig({ ...params, tenant, taskId }, call);
  const body = TaskPushNotificationConfig.toJSON(made) as object;
  answer(exchange.response, { status: 201, body, contentType });
}

async function listConfigs(
  url: URL,
  { handler }: Binding,
  { call, taskId, tenant }: { readonly call: Call; readonly taskId: string; readonly tenant: string },
): Promise<object> {
  const pageSize = wholeNumber(url, 'pageSize') ?? 0;
  const pageToken = url.searchParams.get('pageToken') ?? '';
  const listed = await handler.listTaskPushNotificationConfigs({ tenant, taskId, pageSize, pageToken }, call);
  return {
    configs: listed.configs.map((config) => TaskPushNotificationConfig.toJSON(config)),
    nextPageToken: listed.nextPageToken,
  };
}

async function readBody({ request }: Exchange, { limits }: Binding): Promise<object> {
  const given = mediaTypeOf(request.headers['content-type']);
  if (given !== contentType && given !== 'application/json') {
    throw new ContentTypeNotSupportedError(`the body must be ${contentType} or application/json`);
  }
  const body = await readJson(request, limits.maxBodyBytes);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new Violations([{ field: 'body', description: 'must be an object' }]);
  }
  return body;
}

async function readSend(exchange: Exchange, binding: Binding, tenant: string): Promise<SendMessageRequest> {
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

function stream(
  { response }: Exchange,
  { clock, limits }: Binding,
  call: Call,
  source: AsyncGenerator<StreamResponse>,
): Promise<void> {
  const encodeFault = (thrown: unknown): object => encodeRestError(thrown).body;
  return writeFrames({ response, clock, limits, call, encodeFault }, encoded(source));
}

async function* encoded(source: AsyncGenerator<StreamResponse>): AsyncGenerator {
  for await (const one of source) yield StreamResponse.toJSON(one);
}

async function list(
  url: URL,
  { handler }: Binding,
  { call, tenant }: { readonly call: Call; readonly tenant: string },
): Promise<object> {
  const { searchParams: query } = url;
  const status = query.get('status');
  const includeArtifacts = query.get('includeArtifacts') === 'true';
  const listed = await handler.listTasks(
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
