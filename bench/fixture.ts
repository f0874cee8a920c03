import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunEventBody } from '../schemas/run-event.ts';
import type { Agent } from '../src/agents/agent.ts';
import { systemClock } from '../src/clock.ts';
import { TimeOrderedIds } from '../src/ids.ts';
import { Mailbox } from '../src/mailbox/mailbox.ts';
import type { Store } from '../src/mailbox/store.ts';
import { FileStore } from '../src/stores/file-store.ts';
import { MemoryStore } from '../src/stores/memory-store.ts';
import { limits, scripted, submission } from '../test/support/mailbox-fixture.ts';

export const caller = { scope: 'local', actor: 'bench' };

/** A directory beside the benchmark, so that it is on the disk that is measured. */
export async function onDisk<Result>(work: (directory: string) => Promise<Result>): Promise<Result> {
  const directory = await mkdtemp(join(process.cwd(), '.bench-'));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

export async function openStore(kind: 'file' | 'memory', directory: string): Promise<Store> {
  return kind === 'file' ? FileStore.open({ directory, clock: systemClock }) : new MemoryStore({ clock: systemClock });
}

export function benchAgent(run: Agent['run']): Agent {
  return scripted(run, { id: 'bench', takesInput: false });
}

/** A turn of three events. */
export async function* answer(_: unknown, context: { id(key: string): string }): AsyncGenerator<RunEventBody> {
  const id = context.id('answer');
  yield { type: 'text.started', id, role: 'assistant' };
  yield { type: 'text.delta', id, delta: 'a short answer of a few words' };
  yield { type: 'text.ended', id };
}

export async function openMailbox(
  store: Store,
  agent: Agent,
  change: { mergeWindowMs?: number } = {},
): Promise<Mailbox> {
  const silent = (): void => undefined;
  const mailbox = new Mailbox({
    store,
    agents: { cards: () => [agent.card], find: (id) => (id === agent.card.id ? agent : undefined) },
    clock: systemClock,
    ids: new TimeOrderedIds(),
    limits: { ...limits, maxRunEvents: 1_000_000, maxRunBytes: 256 * 1_048_576, ...change },
    log: { debug: silent, info: silent, warn: console.error, error: console.error },
  });
  await mailbox.start();
  return mailbox;
}

/** Submits, and waits until the run is done. */
export async function cycle(mailbox: Mailbox, threadId: string, key: string): Promise<void> {
  const { activation, runId } = await mailbox.submit(caller, submission(key, { threadId, agentId: 'bench' }));
  const over = new AbortController();
  for await (const page of mailbox.follow(caller, threadId, activation.afterSeq, over.signal)) {
    if (page.some((event) => event.type === 'run.finished' && event.runId === runId)) return;
  }
}
