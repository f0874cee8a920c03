// WebSocket handshakes: https://www.rfc-editor.org/rfc/rfc6455#section-4.2
import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export function isHandshake({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';
}

/** Answers a handshake that is refused: Node has let go of its connection. The connection ends with the answer. */
export function answerOn(socket: Socket, request: IncomingMessage): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.once('finish', () => {
    socket.destroySoon();
  });
  return response;
}

/**
 * Has a request served as if it asked for no other protocol, as HTTP allows: some clients ask for HTTP/2 with each first
 * request. Node hands over every such request once there is a listener, without its body.
 * https://www.rfc-editor.org/rfc/rfc9110#section-7.8
 */
export function ignoreUpgrade(server: Server, { request, socket, head }: Handshake): void {
  const { method = '', url = '', httpVersion, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    if (name.toLowerCase() !== 'upgrade') lines.push(`${name}: ${rawHeaders[at + 1] ?? ''}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit('connection', socket);
}

export interface Handshake {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  readonly head: Buffer;
}
