import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Role, type Part, type SendMessageRequest, type StreamResponse, type Task } from '@a2a-js/sdk';
import { type Client, ClientFactory, JsonRpcTransportFactory, RestTransportFactory } from '@a2a-js/sdk/client';
import { GrpcTransportFactory } from '@a2a-js/sdk/client/grpc';
import { type CallOptions, type ChannelCredentials, InterceptingCall } from '@grpc/grpc-js';
import { a2aAdapter } from '../../adapters/a2a/adapter.ts';
import { openGrpc } from '../../adapters/a2a/grpc.ts';
import type { A2aOptions } from '../../adapters/a2a/options.ts';
import { TaskPusher } from '../../adapters/a2a/task-pusher.ts';
import { agUiAdapter } from '../../adapters/ag-ui/adapter.ts';
import { Config } from '../../schemas/config.ts';
import type { Principal } from '../../schemas/id.ts';
import type { Log } from '../../src/adapter.ts';
import type { Agent } from '../../src/agents/agent.ts';
import { MemoryCounter } from '../../src/agents/demo/counter.ts';
import { DemoAgent } from '../../src/agents/demo/demo-agent.ts';
import { AgentRegistry } from '../../src/agents/registry.ts';
import { systemClock } from '../../src/clock.ts';
import { Fault } from '../../src/fault.ts';
import { TimeOrderedIds } from '../../src/ids.ts';
import { Mailbox, pushRules } from '../../src/mailbox/mailbox.ts';
import { OwnPort, type OwnPortParts } from '../../src/server/own-port.ts';
import { WebhookSender } from '../../src/push/webhook-sender.ts';
import { MemoryStore } from '../../src/stores/memory-store.ts';
import { limits } from './mailbox-fixture.ts';

export interface A2aServer extends AsyncDisposable {
  readonly url: string;
  readonly mailbox: Mailbox;
  readonly logged: { readonly fields: object; readonly message: string }[];
}

export interface A2aServerOptions extends Partial<A2aOptions> {
  /** Serves gRPC too; what is left out is as by default, on a free port. */
  readonly grpc?: Partial<Pick<OwnPortParts, 'tls' | 'clock'>>;
}

/** A gateway of the demo agent (or others) whose doors are A2A and AG-UI; `Bearer NAME` is the caller NAME. */
export async function serveA2a(
  { grpc, ...options }: A2aServerOptions = {},
  agents?: readonly Agent[],
): Promise<A2aServer> {
  const clock = systemClock;
  const logged: A2aServer['logged'] = [];
  const write = (fields: object, message: string): void => {
    logged.push({ fields, message });
  };
  const log: Log = { debug: write, info: write, warn: write, error: write };
  const registry = new AgentRegistry(agents ?? [new DemoAgent({ id: 'demo', clock, counter: new MemoryCounter() })]);
  const store = new MemoryStore({ clock });
  const push = {
    sender: new WebhookSender({ clock, allow: ['127.0.0.0/8'] }),
    pushers: { a2a: new TaskPusher({ gateway: () => mailbox, shown: new Set() }) },
    rules: { ...pushRules, backoffBaseMs: 5 },
    maxSending: 8,
  };
  const ids = new TimeOrderedIds();
  const hurried = { ...limits, backoffBaseMs: 10 };
  const mailbox: Mailbox = new Mailbox({ store, agents: registry, clock, ids, limits: hurried, log, push });
  await mailbox.start();
  let url = '';
  let grpcAddress: string | undefined;
  const door: A2aOptions = {
    gateway: mailbox,
    clock,
    baseUrl: () => url,
    grpcAddress: () => grpcAddress,
    callerIs: 'person',
    ...options,
  };
  const a2a = a2aAdapter(door);
  const handler = grpc === undefined ? undefined : await openGrpc({ ...door, recognise, log });
  const settings = Config.parse({});
  const place = { path: 'a2a.grpc', host: '127.0.0.1', port: 0, tls: undefined, insecure: false };
  const ownPort = handler && (await OwnPort.create({ ...place, settings, handler, clock, log, ...grpc }));
  if (ownPort !== undefined) grpcAddress = `127.0.0.1:${await ownPort.listen()}`;
  const agUi = agUiAdapter({ gateway: mailbox, clock });
  const server = createServer((request, response) => {
    const target = new URL(request.url ?? '/', 'http://localhost');
    const adapter = target.pathname.startsWith('/ag-ui') ? agUi : a2a;
    const principal = recognise(request.headers.authorization);
    void adapter.handle({ request, response, url: target, principal, log });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    mailbox,
    logged,
    async [Symbol.asyncDispose]() {
      await Promise.all([mailbox.stop(), ownPort?.close()]);
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** @throws Fault `unauthenticated` for the caller `nobody` */
function recognise(authorization: string | undefined): Principal {
  const actor = /^Bearer (\w+)$/.exec(authorization ?? '')?.[1] ?? 'ada';
  if (actor === 'nobody') throw new Fault('unauthenticated', 'nobody is not known');
  return { scope: 'local', actor };
}

export const bindings = ['JSONRPC', 'HTTP+JSON', 'GRPC'] as const;
export type Binding = (typeof bindings)[number];

export interface Connection {
  /** Metadata of each call over gRPC. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly credentials?: ChannelCredentials;
}

/** The official client, unmodified, on one binding. */
export function connect(
  url: string,
  binding: Binding = 'JSONRPC',
  actor = 'ada',
  agentId = 'demo',
  { metadata, credentials }: Connection = {},
): Promise<Client> {
  const fetchImpl: typeof fetch = (input, init) => {
    const headers = new Headers(init?.headers);
    headers.set('authorization', `Bearer ${actor}`);
    return fetch(input, { ...init, headers });
  };
  const grpcCallOptions = { interceptors: [withMetadata({ authorization: `Bearer ${actor}`, ...metadata })] };
  const transports = [
    new JsonRpcTransportFactory({ fetchImpl }),
    new RestTransportFactory({ fetchImpl }),
    new GrpcTransportFactory({ grpcCallOptions, ...(credentials && { grpcChannelCredentials: credentials }) }),
  ];
  const factory = new ClientFactory({ transports, preferredTransports: [binding] });
  return factory.createFromUrl(url, `/a2a/${agentId}/.well-known/agent-card.json`);
}

function withMetadata(said: Readonly<Record<string, string>>): NonNullable<CallOptions['interceptors']>[number] {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start(metadata, listener, next) {
        for (const [name, value] of Object.entries(said)) metadata.set(name, value);
        next(metadata, listener);
      },
    });
}

let messages = 0;

export interface Wanted {
  readonly taskId?: string;
  readonly contextId?: string;
  readonly data?: unknown;
  readonly messageId?: string;
  readonly returnImmediately?: boolean;
  readonly historyLength?: number;
}

/** A message of one text, or of one data part. */
export function message(text: string, wanted: Wanted = {}): SendMessageRequest {
  const { taskId = '', contextId = '', data, messageId = `m${(messages += 1)}` } = wanted;
  const content: Part['content'] = data === undefined ? { $case: 'text', value: text } : { $case: 'data', value: data };
  const part = { content, metadata: undefined, filename: '', mediaType: '' };
  const { returnImmediately = false, historyLength } = wanted;
  return {
    tenant: '',
    message: {
      messageId,
      contextId,
      taskId,
      role: Role.ROLE_USER,
      parts: [part],
      metadata: undefined,
      extensions: [],
      referenceTaskIds: [],
    },
    configuration: {
      acceptedOutputModes: [],
      taskPushNotificationConfig: undefined,
      returnImmediately,
      ...(historyLength === undefined ? {} : { historyLength }),
    },
    metadata: undefined,
  };
}

export async function sendTask(client: Client, request: SendMessageRequest): Promise<Task> {
  const result = await client.sendMessage(request);
  if ('messageId' in result) throw new Error('a message came instead of a task');
  return result;
}

export function textOfParts(parts: readonly Part[]): string {
  return parts.map(({ content }) => (content?.$case === 'text' ? content.value : '')).join('');
}

export function artifactText(task: Task): string {
  return task.artifacts.map(({ parts }) => textOfParts(parts)).join('\n');
}

export function dataOf(parts: readonly Part[]): Record<string, unknown>[] {
  return parts.flatMap(({ content }) => (content?.$case === 'data' ? [content.value as Record<string, unknown>] : []));
}

/** A task as its follower has it, by the rules of the protocol. */
export class Followed {
  task: Task | undefined;
  readonly states: number[] = [];

  apply({ payload }: StreamResponse): void {
    switch (payload?.$case) {
      case 'task':
        this.task = structuredClone(payload.value);
        this.states.push(payload.value.status?.state ?? 0);
        break;
      case 'statusUpdate':
        this.states.push(payload.value.status?.state ?? 0);
        if (this.task !== undefined) this.task.status = payload.value.status;
        break;
      case 'artifactUpdate':
        this.#apply(payload.value.artifact, payload.value.append);
        break;
      default:
        throw new Error('not a frame of a task');
    }
  }

  #apply(artifact: Task['artifacts'][number] | undefined, append: boolean): void {
    if (artifact === undefined || this.task === undefined) throw new Error('an artifact came before its task');
    const { artifacts } = this.task;
    const known = artifacts.find(({ artifactId }) => artifactId === artifact.artifactId);
    if (known === undefined) artifacts.push(structuredClone(artifact));
    else if (append) known.parts.push(...artifact.parts);
    else known.parts = [...artifact.parts];
  }

  get text(): string {
    return this.task === undefined ? '' : artifactText(this.task);
  }
}

export async function follow(stream: AsyncIterable<StreamResponse>, followed = new Followed()): Promise<Followed> {
  for await (const one of stream) followed.apply(one);
  return followed;
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

/** One JSON-RPC request as it is on the wire. */
export async function rpc(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Answered> {
  const response = await fetch(`${url}/a2a/demo`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'a2a-version': '1.0', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}

/** Reads frames of a stream until there are enough, and then leaves; resolves with their ids and data. */
export function readFrames(
  url: string,
  options: { method?: string; body?: object; headers?: Record<string, string> },
  isEnough: (frames: readonly Frame[]) => boolean,
): Promise<Frame[]> {
  const { method = 'POST', body, headers } = options;
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, {
      method,
      headers: { 'content-type': 'application/json', 'a2a-version': '1.0', ...headers },
    });
    const frames: Frame[] = [];
    let text = '';
    sent.on('error', reject);
    sent.on('response', (response) => {
      response.setEncoding('utf8');
      response.on('error', () => undefined);
      response.on('data', (chunk: string) => {
        text += chunk;
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const block = text.slice(0, end);
          text = text.slice(end + 2);
          const data = /^data: (.*)$/m.exec(block)?.[1];
          if (data === undefined || isEnough(frames)) continue;
          frames.push({ id: /^id: (.*)$/m.exec(block)?.[1] ?? '', data: JSON.parse(data) as Record<string, unknown> });
        }
        if (isEnough(frames)) {
          sent.destroy();
          resolve(frames);
        }
      });
      response.on('end', () => {
        resolve(frames);
      });
    });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

export interface Frame {
  readonly id: string;
  readonly data: Record<string, unknown>;
}

/** Of the task that a stream of JSON-RPC began with. */
export function taskIdOf([first]: readonly Frame[]): string {
  const { task } = (first?.data['result'] ?? {}) as { task?: { id: string } };
  if (task === undefined) throw new Error('the stream did not begin with its task');
  return task.id;
}
