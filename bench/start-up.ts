import { answer, benchAgent, cycle, onDisk, openMailbox, openStore } from './fixture.ts';
import type { Row } from './table.ts';

const runs = 100_000;

/** How long a gateway takes to serve again over a directory with many finished runs. */
export async function startUp(): Promise<readonly Row[]> {
  return onDisk(async (directory) => {
    const before = await openStore('file', directory);
    const filling = await openMailbox(before, benchAgent(answer));
    let next = 0;
    const fill = async (): Promise<void> => {
      for (let n = next++; n < runs; n = next++) await cycle(filling, `thread-${n % 10_000}`, `run-${n}`);
    };
    await Promise.all(Array.from({ length: 256 }, fill));
    await filling.stop();
    await before.close();
    const startedAt = performance.now();
    const store = await openStore('file', directory);
    const mailbox = await openMailbox(store, benchAgent(answer));
    const value = performance.now() - startedAt;
    await mailbox.stop();
    await store.close();
    return [
      {
        what: 'start-up',
        value,
        unit: 'ms',
        conditions: `${runs.toLocaleString('en')} finished runs on 10,000 threads`,
      },
    ];
  });
}
