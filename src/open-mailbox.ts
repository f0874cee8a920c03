import { join } from 'node:path';
import { TaskPusher } from '../adapters/a2a/index.ts';
import type { Config } from '../schemas/config.ts';
import type { Agent } from './agents/agent.ts';
import { type Counter, FileCounter, MemoryCounter } from './agents/demo/counter.ts';
import { DemoAgent } from './agents/demo/demo-agent.ts';
import { AgentRegistry } from './agents/registry.ts';
import { systemClock } from './clock.ts';
import { TimeOrderedIds } from './ids.ts';
import type { Log } from './log.ts';
import { Mailbox, pushRules } from './mailbox/mailbox.ts';
import type { Store } from './mailbox/store.ts';
import { NotificationTokens } from './push/notification-tokens.ts';
import { WebhookSender } from './push/webhook-sender.ts';
import type { LoadedConfig } from './server/config.ts';
import { JwsKeys } from './server/jws-keys.ts';
import { FileStore } from './stores/file-store.ts';
import { MemoryStore } from './stores/memory-store.ts';

const clock = systemClock;
const ids = new TimeOrderedIds();

export interface MailboxParts {
  readonly mailbox: Mailbox;
  readonly agents: AgentRegistry;
  readonly store: Store;
  /** With what is signed; undefined: nothing is. */
  readonly keys: JwsKeys | undefined;
}

/** What a gateway is made of, whatever its doors are. Whoever uses the mailbox starts and stops it. */
export async function withMailbox(
  { settings, agents: entries }: LoadedConfig,
  { log, url }: { readonly log: Log; readonly url: () => string },
  use: (parts: MailboxParts) => Promise<void>,
): Promise<void> {
  const { limits } = settings;
  const counter = counterFor(settings);
  const agents = new AgentRegistry(entries.map((entry) => ('run' in entry ? entry : demoNamed(entry.id, counter))));
  const { maxSending, ...receivers } = settings.webhooks;
  const sender = new WebhookSender({ clock, ...receivers });
  const store = await openStore(settings);
  try {
    const rules = { ...limits, retentionMs: limits.retention.maxAgeMs };
    const a2a = new TaskPusher({ gateway: () => mailbox, shown: new Set(settings.a2a.show) });
    const keys = await jwsKeys(settings);
    const tokens =
      keys !== undefined && settings.signing.notifications
        ? new NotificationTokens({ signer: keys, clock, issuer: url })
        : undefined;
    const push = { sender, pushers: { a2a }, tokens, rules: pushRules, maxSending };
    const mailbox: Mailbox = new Mailbox({ store, agents, clock, ids, limits: rules, log, push });
    await use({ mailbox, agents, store, keys });
  } finally {
    await store.close();
  }
}

/** Undefined where nothing is signed that others check. */
async function jwsKeys({ signing, store, dataDir }: LoadedConfig['settings']): Promise<JwsKeys | undefined> {
  const { notifications, cards, keys, rotateAfterMs } = signing;
  if (!notifications && !cards) return undefined;
  if (keys.length > 0) return JwsKeys.read(keys);
  const nowMs = clock.now();
  return store === 'file' ? JwsKeys.keep(dataDir, { nowMs, rotateAfterMs }) : JwsKeys.make(nowMs);
}

function demoNamed(id: string, counter: Counter): Agent {
  return new DemoAgent({ id, clock, counter });
}

function counterFor({ store, dataDir }: Pick<Config, 'store' | 'dataDir'>): Counter {
  return store === 'file' ? new FileCounter(join(dataDir, 'demo-count.jsonl')) : new MemoryCounter();
}

function openStore({ store, dataDir, limits }: LoadedConfig['settings']): Promise<Store> | Store {
  if (store === 'memory') return new MemoryStore({ clock });
  return FileStore.open({ directory: dataDir, clock, minFreeDiskBytes: limits.minFreeDiskBytes });
}
