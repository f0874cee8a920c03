import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import { Fault } from '../fault.ts';

export interface ListeningPlace {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** What a person changes to have it listen elsewhere. */
  readonly settings: { readonly host: string; readonly port: string };
}

/** Resolves with the port when the server listens. @throws Fault with what is in the way */
export async function listen(server: Server, { host, port, settings }: ListeningPlace): Promise<number> {
  try {
    await once(server.listen({ host, port }), 'listening');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const obstacle = obstacles[code ?? '']?.(settings) ?? code ?? message;
    throw new Fault('internal', `cannot listen on port ${port} of ${host}: ${obstacle}`, { cause });
  }
  return (server.address() as AddressInfo).port;
}

const obstacles: Readonly<Record<string, (settings: ListeningPlace['settings']) => string>> = {
  EADDRINUSE: ({ port }) => `it is in use; choose another with ${port}`,
  EACCES: ({ port }) => `this user may not; choose another with ${port}`,
  EADDRNOTAVAIL: ({ host }) => `this machine does not have that address; choose another with ${host}`,
  ENOTFOUND: ({ host }) => `that host is not known; choose another with ${host}`,
};
