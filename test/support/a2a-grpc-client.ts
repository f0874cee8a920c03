import { AgentCard, type SendMessageRequest, type SubscribeToTaskRequest } from '@a2a-js/sdk';
import { A2AService } from '@a2a-js/sdk/server/grpc';
import {
  type ClientReadableStream,
  credentials,
  makeGenericClientConstructor,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { deferred } from '../../src/deferred.ts';
import type { A2aServer } from './a2a-server.ts';

export async function cardOf({ url }: Pick<A2aServer, 'url'>, path = ''): Promise<AgentCard> {
  const headers = { 'a2a-version': '1.0' };
  const response = await fetch(`${url}${path}/.well-known/agent-card.json`, { headers });
  return AgentCard.fromJSON(await response.json());
}

/** The client of the SDK’s definition, without the SDK: it says nothing of itself. */
export async function raw(server: A2aServer): Promise<Raw> {
  const { supportedInterfaces } = await cardOf(server);
  const address = supportedInterfaces.find(({ protocolBinding }) => protocolBinding === 'GRPC')?.url ?? '';
  const Client = makeGenericClientConstructor(A2AService, 'A2AService');
  return new Client(address, credentials.createInsecure()) as unknown as Raw;
}

export interface Raw {
  makeUnaryRequest(
    path: string,
    serialize: (value: unknown) => Buffer,
    deserialize: (bytes: Buffer) => unknown,
    argument: unknown,
    metadata: Metadata,
    callback: (error: ServiceError | null) => void,
  ): NodeJS.EventEmitter;
  sendStreamingMessage(request: SendMessageRequest, metadata: Metadata): ClientReadableStream<unknown>;
  subscribeToTask(request: SubscribeToTaskRequest, metadata: Metadata): ClientReadableStream<unknown>;
  close(): void;
}

export function metadataOf(entries: Record<string, string> = {}): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries({ 'a2a-version': '1.0', ...entries })) metadata.set(name, value);
  return metadata;
}

/** Bytes as the request of SendMessage. Resolves with the status, and the metadata that came before it. */
export async function sendBytes(
  server: A2aServer,
  bytes: Buffer,
  said: Metadata,
): Promise<[ServiceError | null, Metadata]> {
  const client = await raw(server);
  const answered = deferred<ServiceError | null>();
  const { path, responseDeserialize } = A2AService.sendMessage;
  const call = client.makeUnaryRequest(path, () => bytes, responseDeserialize, {}, said, answered.resolve);
  let first = new Metadata();
  call.on('metadata', (metadata: Metadata) => (first = metadata));
  const error = await answered.promise;
  client.close();
  return [error, first];
}
