import { a2aAdapter } from '../adapters/a2a/adapter.ts';
import { agUiAdapter } from '../adapters/ag-ui/adapter.ts';
import { Config } from '../schemas/config.ts';
import type { Agent } from '../src/agents/agent.ts';
import { systemClock } from '../src/clock.ts';
import type { Receipt } from '../src/gateway.ts';
import { TimeOrderedIds } from '../src/ids.ts';
import { HttpServer } from '../src/server/http-server.ts';
import { createLog } from '../src/server/log.ts';
import { submission } from '../test/support/mailbox-fixture.ts';
import { benchAgent, onDisk, openMailbox, openStore } from './fixture.ts';

export interface Served {
  readonly url: string;
  /** Begins a run of the agent on a thread, for whoever comes to look. */
  submit(threadId: string): Promise<Receipt>;
}

/** A whole gateway over a store, on disk if not said otherwise, with one agent, for as long as the work takes. */
export async function serving<Result>(
  run: Agent['run'],
  { kind = 'file', ...change }: { kind?: 'file' | 'memory'; mergeWindowMs?: number },
  work: (served: Served) => Promise<Result>,
): Promise<Result> {
  return onDisk(async (directory) => {
    const store = await openStore(kind, directory);
    const mailbox = await openMailbox(store, benchAgent(run), change);
    const log = createLog({ pretty: false, level: 'silent' }, process.stderr);
    const shared = { gateway: mailbox, clock: systemClock };
    const server = new HttpServer({
      settings: Config.parse({ port: 0 }),
      adapters: [agUiAdapter(shared), a2aAdapter({ ...shared, baseUrl: () => 'http://localhost' })],
      about: () => ({}),
      storeHealth: () => store.health(),
      clock: systemClock,
      ids: new TimeOrderedIds(),
      log,
    });
    const port = await server.listen();
    server.open();
    try {
      return await work({
        url: `http://127.0.0.1:${port}`,
        submit: (threadId) =>
          mailbox.submit({ scope: 'local', actor: 'local' }, submission('bench', { threadId, agentId: 'bench' })),
      });
    } finally {
      await server.close(() => mailbox.stop());
      await store.close();
    }
  });
}
