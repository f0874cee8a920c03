import { agUiAdapter } from '../../adapters/ag-ui/index.ts';
import { Config, type ConfigInput } from '../../schemas/config.ts';
import type { Agent } from '../../src/agents/agent.ts';
import { MemoryCounter } from '../../src/agents/demo/counter.ts';
import { DemoAgent } from '../../src/agents/demo/demo-agent.ts';
import { AgentRegistry } from '../../src/agents/registry.ts';
import { systemClock } from '../../src/clock.ts';
import { TimeOrderedIds } from '../../src/ids.ts';
import { Mailbox } from '../../src/mailbox/mailbox.ts';
import { HttpServer } from '../../src/server/http-server.ts';
import { createLog } from '../../src/server/log.ts';
import { MemoryStore } from '../../src/stores/memory-store.ts';
import { limits } from './mailbox-fixture.ts';

export interface Port extends AsyncDisposable {
  readonly url: string;
  readonly mailbox: Mailbox;
  readonly logged: readonly string[];
}

/** The whole gateway in this process, with the demo agent and others. */
export async function openPort(others: readonly Agent[] = [], config: ConfigInput = {}): Promise<Port> {
  const clock = systemClock;
  const store = new MemoryStore({ clock });
  const ids = new TimeOrderedIds();
  const logged: string[] = [];
  const log = createLog({ pretty: false, level: 'info' }, { write: (line) => logged.push(line) });
  const agents = new AgentRegistry([new DemoAgent({ id: 'demo', clock, counter: new MemoryCounter() }), ...others]);
  const mailbox = new Mailbox({ store, agents, clock, ids, limits, log });
  const server = new HttpServer({
    settings: Config.parse({ port: 0, ...config }),
    adapters: [agUiAdapter({ gateway: mailbox, clock })],
    about: () => ({}),
    storeHealth: () => store.health(),
    clock,
    ids,
    log,
  });
  const port = await server.listen();
  await mailbox.start();
  server.open();
  return {
    url: `http://127.0.0.1:${port}`,
    mailbox,
    logged,
    async [Symbol.asyncDispose]() {
      await server.close(() => mailbox.stop());
    },
  };
}
