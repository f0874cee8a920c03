import { monitorEventLoopDelay } from 'node:perf_hooks';
import { answer, benchAgent, cycle, onDisk, openMailbox, openStore } from './fixture.ts';
import { rate, type Row } from './table.ts';

/** Whole runs a second in process: accept, claim, three events, settle, followed to the end. */
export async function cycles(forMs: number): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const kind of ['file', 'memory'] as const) {
    for (const inFlight of [1, 16, 256]) {
      rows.push(await onDisk((directory) => measure(kind, inFlight, forMs, directory)));
    }
  }
  return rows;
}

async function measure(kind: 'file' | 'memory', inFlight: number, forMs: number, directory: string): Promise<Row> {
  const store = await openStore(kind, directory);
  const mailbox = await openMailbox(store, benchAgent(answer));
  await rate(inFlight, forMs / 4, (n) => cycle(mailbox, `warm-${n}`, 'k'));
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const value = await rate(inFlight, forMs, (n) => cycle(mailbox, `thread-${n}`, 'k'));
  delay.disable();
  await mailbox.stop();
  await store.close();
  return {
    what: `run cycles in process, ${kind} store, ${inFlight} in flight`,
    value,
    unit: '/s',
    conditions: `a new thread each; event loop delay p99 ${(delay.percentile(99) / 1e6).toFixed(1)} ms`,
  };
}
