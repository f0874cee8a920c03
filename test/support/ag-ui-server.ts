import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { agUiAdapter, type AgUiOptions } from '../../adapters/ag-ui/adapter.ts';
import type { Log } from '../../src/adapter.ts';
import type { Gateway } from '../../src/gateway.ts';
import { ManualClock } from './manual-clock.ts';

export interface LogLine {
  readonly level: keyof Log;
  readonly fields: object;
  readonly message: string;
}

export interface TestServer extends AsyncDisposable {
  /** `path` under the adapter's prefix. */
  url(path: string): string;
  readonly clock: ManualClock;
  readonly logged: LogLine[];
  /** Resolves when a number of requests has been handled. */
  handled(count: number): Promise<void>;
}

/** The adapter behind a real server on a free port. */
export async function serve(gateway: Gateway, options: Partial<AgUiOptions> = {}): Promise<TestServer> {
  const clock = new ManualClock();
  const logged: LogLine[] = [];
  const write =
    (level: keyof Log) =>
    (fields: object, message: string): void => {
      logged.push({ level, fields, message });
    };
  const log: Log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  const adapter = agUiAdapter({ gateway, clock, ...options });
  const progress = new EventEmitter();
  let handled = 0;
  const principal = { scope: 'local', actor: 'ada' };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    void adapter.handle({ request, response, url, principal, log }).then(() => {
      handled += 1;
      progress.emit('handled');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: (path) => `http://127.0.0.1:${port}/ag-ui${path}`,
    clock,
    logged,
    async handled(count) {
      while (handled < count) await once(progress, 'handled');
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
