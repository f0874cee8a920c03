// The peer: a `node:http` server that answers each POST with as many text events as asked, one write each, and no more.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Serves `events` text frames to each request: as fast as they are read, or one every so often. */
export async function bareSse(
  events: number,
  pace?: { readonly everyMs: number; readonly text: () => string },
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    request.resume();
    request.once('end', () => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
      let n = 0;
      if (pace !== undefined) {
        const timer = setInterval(() => {
          const event = { type: 'TEXT_MESSAGE_CONTENT', messageId: 'answer', delta: pace.text() };
          response.write(`data: ${JSON.stringify(event)}\n\n`);
          n += 1;
          if (n < events) return;
          clearInterval(timer);
          response.end();
        }, pace.everyMs);
        return;
      }
      const write = (): void => {
        while (n < events) {
          n += 1;
          const event = { type: 'TEXT_MESSAGE_CONTENT', messageId: 'answer', delta: `word ${n} ` };
          if (!response.write(`data: ${JSON.stringify(event)}\n\n`)) {
            response.once('drain', write);
            return;
          }
        }
        response.end();
      };
      write();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
