import type { ConnectionHandler } from '../../src/adapter.ts';
import { Fault } from '../../src/fault.ts';
import type { GrpcOptions } from './options.ts';

const packages = ['@grpc/grpc-js', '@bufbuild/protobuf'] as const;

/**
 * A2A over gRPC. Its packages are loaded here and nowhere else, so that only those who serve it need them.
 * @throws Fault `config-invalid`: they are not installed
 */
export async function openGrpc(options: GrpcOptions): Promise<ConnectionHandler> {
  try {
    const { GrpcServer } = await import('./grpc-server.ts');
    return new GrpcServer(options);
  } catch (cause) {
    const missing = packages.find((name) => isMissing(cause, name));
    if (missing === undefined) throw cause;
    throw new Fault('config-invalid', `a2a.grpc needs ${missing}: npm install ${packages.join(' ')}`, {
      path: 'a2a.grpc',
      cause,
    });
  }
}

function isMissing(cause: unknown, name: string): boolean {
  return (
    cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND' && cause.message.includes(name)
  );
}
