// gRPC, of 1.0 and of 0.3. https://a2a-protocol.org/v1.0.1/specification/#10-grpc-protocol-binding
import type { Duplex } from 'node:stream';
import { LegacyA2AService } from '@a2a-js/sdk/compat/v0_3/server/grpc';
import { A2AService } from '@a2a-js/sdk/server/grpc';
import {
  type ConnectionInjector,
  type Metadata,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import type { Principal } from '../../schemas/id.ts';
import type { ConnectionHandler } from '../../src/adapter.ts';
import { deferred } from '../../src/deferred.ts';
import { Fault } from '../../src/fault.ts';
import type { GrpcOptions } from './options.ts';
import { GrpcService, unreadableRequest } from './grpc-service.ts';
import { grpcV03 } from './grpc-v0-3.ts';
import { grpcV1 } from './grpc-v1.ts';
import { encodeGrpcStatus } from './grpc-status.ts';
import { Handlers } from './handlers.ts';

/** Calls that one connection may have under way; further ones wait at their client. */
const maxStreams = 1000;

/** Callers are recognised before their message is read: who is not known sends nothing that has to be kept. */
export class GrpcServer implements ConnectionHandler {
  readonly #server: Server;
  readonly #connections: ConnectionInjector;
  /** The end of each connection that is open. */
  readonly #open = new Set<Promise<void>>();

  constructor(options: GrpcOptions) {
    const handlers = new Handlers(options);
    const { maxBodyBytes, keepAliveMs } = handlers.limits;
    const principals = new WeakMap<Metadata, Principal>();
    this.#server = new Server({
      'grpc.max_receive_message_length': maxBodyBytes,
      'grpc.max_concurrent_streams': maxStreams,
      'grpc.keepalive_time_ms': keepAliveMs,
      interceptors: [admission(options.recognise, principals)],
    });
    const service = new GrpcService({ ...options, handlers, principalOf: (metadata) => known(principals, metadata) });
    this.#server.addService(readable(A2AService), grpcV1(service));
    this.#server.addService(readable(LegacyA2AService), grpcV03(service));
    this.#connections = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
  }

  take(connection: Duplex): void {
    const closed = deferred();
    this.#open.add(closed.promise);
    connection.once('close', () => {
      this.#open.delete(closed.promise);
      closed.resolve();
    });
    this.#connections.injectConnection(connection);
  }

  /**
   * Connections close when their calls have ended. grpc-js alone does not wait for that on Node 24: closing a server closes
   * its sessions there, and it takes such for gone.
   */
  async drain(): Promise<void> {
    const isShut = deferred();
    this.#server.tryShutdown(() => {
      isShut.resolve();
    });
    await Promise.all([isShut.promise, ...this.#open]);
  }

  destroy(): void {
    this.#server.forceShutdown();
  }
}

function admission(recognise: GrpcOptions['recognise'], principals: WeakMap<Metadata, Principal>): ServerInterceptor {
  return (_method, call) =>
    new ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, proceed) {
            try {
              principals.set(metadata, recognise(metadata.get('authorization').join(', ') || undefined));
            } catch (thrown) {
              call.sendStatus(encodeGrpcStatus(thrown));
              return;
            }
            proceed(metadata);
          },
        });
      },
    });
}

function known(principals: WeakMap<Metadata, Principal>, metadata: Metadata): Principal {
  const principal = principals.get(metadata);
  if (principal === undefined) throw new Fault('unauthenticated', 'the caller was not recognised');
  return principal;
}

/** The SDK's, but what cannot be read is answered in the protocol's words: grpc-js would call it an error of ours. */
function readable(definition: ServiceDefinition): ServiceDefinition {
  const methods = Object.entries(definition).map(([name, method]) => {
    const requestDeserialize = (bytes: Buffer): object => {
      try {
        return method.requestDeserialize(bytes) as object;
      } catch {
        return unreadableRequest;
      }
    };
    return [name, { ...method, requestDeserialize }];
  });
  return Object.fromEntries(methods) as ServiceDefinition;
}
