import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TaskState } from '@a2a-js/sdk';
import { AgentEvent, DefaultRequestHandler, InMemoryTaskStore } from '@a2a-js/sdk/server';
import { jsonRpcHandler, UserBuilder } from '@a2a-js/sdk/server/express';
import express from 'express';
import { cardOf } from '../adapters/a2a/card.ts';
import type { Calls } from './a2a-calls.ts';
import { runClient } from './client.ts';
import { answer, benchAgent } from './fixture.ts';
import { serving } from './serving.ts';
import { quantile, type Row } from './table.ts';

type Method = 'SendMessage' | 'SendStreamingMessage';

const methods: readonly Method[] = ['SendMessage', 'SendStreamingMessage'];
const said = 'a short answer of a few words';

/** Whole tasks over JSON-RPC, beside a server that does nothing and the SDK's own with its store in memory. */
export async function a2a(calls: number): Promise<readonly Row[]> {
  const measured = new Map<string, Calls>();
  const measure = async (name: string, url: string): Promise<void> => {
    await runClient('a2a-calls.ts', [url, 'SendMessage', 16, calls / 4]);
    for (const method of methods) {
      for (const connections of [1, 16, 64]) {
        const count = connections === 1 ? calls / 4 : calls;
        measured.set(
          `${name} ${method} ${connections}`,
          await runClient('a2a-calls.ts', [url, method, connections, count]),
        );
      }
    }
  };
  await listening(echo, (url) => measure('echo', url));
  await listening(sdkServer(), (url) => measure('sdk', url));
  for (const kind of ['memory', 'file'] as const) {
    await serving(answer, { kind }, ({ url }) => measure(kind, `${url}/a2a/bench`));
  }
  return methods.flatMap((method) =>
    [1, 16, 64].flatMap((connections) =>
      ['memory', 'file'].flatMap((kind) => rowsOf(measured, { method, connections, kind })),
    ),
  );
}

function rowsOf(
  measured: ReadonlyMap<string, Calls>,
  { method, connections, kind }: { readonly method: Method; readonly connections: number; readonly kind: string },
): Row[] {
  const of = (name: string): Calls => {
    const found = measured.get(`${name} ${method} ${connections}`);
    if (found === undefined) throw new Error(`${name} was not measured`);
    return found;
  };
  const ours = of(kind);
  const what = `A2A ${method}, ${connections} at once, ${kind} store`;
  const p99 = (one: Calls): number => quantile(one.tookMs, 0.99);
  const [value, unit] = [rateOf(ours), '/s'];
  return [
    { what, value, unit, beside: { what: 'a bare echo', value: rateOf(of('echo')) } },
    { what, value, unit, beside: { what: 'the SDK’s server in memory', value: rateOf(of('sdk')) } },
    { what: `${what}, p99`, value: p99(ours), unit: 'ms', beside: { what: 'the SDK’s', value: p99(of('sdk')) } },
  ];
}

function rateOf({ tookMs, elapsedMs }: Calls): number {
  return (tookMs.length * 1000) / elapsedMs;
}

const echo: RequestListener = (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(Buffer.concat(chunks));
  });
};

/** The SDK's server as its documentation sets it up, with an agent that says what ours says. */
function sdkServer(): RequestListener {
  const card = cardOf(benchAgent(answer).card, {
    baseUrl: 'http://localhost',
    grpcAddress: undefined,
    defaultAgentId: undefined,
    needsToken: false,
    pushes: false,
  });
  const handler = new DefaultRequestHandler(card, new InMemoryTaskStore(), {
    execute: async ({ taskId, contextId, userMessage }, bus) => {
      const task = (state: TaskState) => ({ state, message: undefined, timestamp: new Date().toISOString() });
      const common = { contextId, metadata: undefined };
      const status = task(TaskState.TASK_STATE_WORKING);
      bus.publish(AgentEvent.task({ ...common, id: taskId, status, artifacts: [], history: [userMessage] }));
      const parts = [
        { content: { $case: 'text' as const, value: said }, metadata: undefined, filename: '', mediaType: '' },
      ];
      const artifact = { artifactId: 'answer', name: '', description: '', parts, metadata: undefined, extensions: [] };
      bus.publish(AgentEvent.artifactUpdate({ ...common, taskId, artifact, append: false, lastChunk: true }));
      bus.publish(AgentEvent.statusUpdate({ ...common, taskId, status: task(TaskState.TASK_STATE_COMPLETED) }));
      bus.finished();
    },
    cancelTask: () => Promise.resolve(),
  });
  return express().use(jsonRpcHandler({ requestHandler: handler, userBuilder: UserBuilder.noAuthentication }));
}

async function listening(listener: RequestListener, work: (url: string) => Promise<void>): Promise<void> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
