import { WebSocket } from 'ws';
import type { Clock } from '../../src/clock.ts';
import { Fault } from '../../src/fault.ts';
import { maxMessageHeader } from './web-socket.ts';
import { WebSocketChannel } from './web-socket-channel.ts';

export interface DialOptions {
  /** Of the gateway: `http:` or `https:`. */
  readonly url: string;
  /** @throws Fault while the gateway cannot say which it is; the signal's reason */
  readonly agentId: (signal: AbortSignal) => Promise<string>;
  readonly token: string | undefined;
  readonly clock: Clock;
  /** For which agent it is, and again for the handshake. */
  readonly timeoutMs: number;
  readonly silenceMs: number;
}

/**
 * Connects to an agent behind a gateway.
 * @throws Fault `unauthenticated`, `forbidden`, `agent-not-found`, which stay; `upstream-failed`, `timeout`, which may pass
 */
export async function dial(options: DialOptions, signal: AbortSignal): Promise<WebSocketChannel> {
  return handshake(await agentIdOf(options, signal), options, signal);
}

/** A gateway that takes connections and says nothing is not waited for, and not beyond the end of who asks. */
async function agentIdOf({ agentId, clock, timeoutMs }: DialOptions, signal: AbortSignal): Promise<string> {
  const asking = new AbortController();
  const leave = (): void => {
    asking.abort(signal.reason);
  };
  const cancel = clock.at(clock.now() + timeoutMs, () => {
    asking.abort(new Fault('timeout', `the gateway did not say which agents it has within ${timeoutMs} ms`));
  });
  signal.addEventListener('abort', leave, { once: true });
  if (signal.aborted) leave();
  try {
    return await agentId(asking.signal);
  } finally {
    cancel();
    signal.removeEventListener('abort', leave);
  }
}

function handshake(agentId: string, options: DialOptions, signal: AbortSignal): Promise<WebSocketChannel> {
  const { url, token, clock, timeoutMs, silenceMs } = options;
  const target = new URL(`${url.replace(/\/$/, '')}/acp/${encodeURIComponent(agentId)}`);
  target.protocol = target.protocol === 'https:' ? 'wss:' : 'ws:';
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(target, ['acp'], {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      handshakeTimeout: timeoutMs,
      allowSynchronousEvents: false,
      maxPayload: 64 * 1024 * 1024,
    });
    const leave = (): void => {
      socket.terminate();
    };
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
    let maxSentBytes: number | undefined;
    socket.once('upgrade', ({ headers }) => {
      maxSentBytes = Number(headers[maxMessageHeader]) || undefined;
    });
    socket.once('open', () => {
      signal.removeEventListener('abort', leave);
      resolve(new WebSocketChannel({ socket, clock, silenceMs, maxSentBytes }));
    });
    socket.once('close', () => {
      signal.removeEventListener('abort', leave);
    });
    socket.once('unexpected-response', (_, response) => {
      reject(refusalOf(response.statusCode ?? 0, target));
      socket.terminate();
    });
    socket.on('error', (cause) => {
      reject(new Fault('upstream-failed', `the gateway at ${target.host} cannot be reached`, { cause }));
    });
  });
}

function refusalOf(status: number, { host, pathname }: URL): Fault {
  switch (status) {
    case 401:
      return new Fault('unauthenticated', `the gateway at ${host} asks for a token: set ANYPORT_TOKEN`);
    case 403:
      return new Fault('forbidden', `the gateway at ${host} does not let this caller in`);
    case 404:
      return new Fault('agent-not-found', `the gateway at ${host} serves nothing at ${pathname}`);
    default:
      return new Fault('upstream-failed', `the gateway at ${host} answered ${status}`);
  }
}
