import { answer, benchAgent, caller, cycle, onDisk, openMailbox, openStore } from './fixture.ts';
import { quantile, type Row } from './table.ts';

const turns = 200;

/** What it costs to add a turn to a thread that is long already. */
export async function threadLength(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const length of [10, 1000, 100_000]) rows.push(await onDisk((directory) => measure(length, directory)));
  const [shortest] = rows;
  if (shortest === undefined) return rows;
  return rows.map((row) => ({ ...row, beside: { what: 'the shortest', value: shortest.value } }));
}

async function measure(length: number, directory: string): Promise<Row> {
  const store = await openStore('file', directory);
  await grow(store, length);
  const mailbox = await openMailbox(store, benchAgent(answer));
  const times: number[] = [];
  for (let n = 0; n < turns; n++) {
    const startedAt = performance.now();
    await cycle(mailbox, 'long', `turn-${n}`);
    times.push(performance.now() - startedAt);
  }
  await mailbox.stop();
  await store.close();
  return {
    what: `a turn on a thread of ${length.toLocaleString('en')} messages`,
    value: quantile(times, 0.5),
    unit: 'ms',
    conditions: 'median, file store, one at a time',
  };
}

/** Writes a thread's messages as runs would have left them. */
async function grow(store: Awaited<ReturnType<typeof openStore>>, length: number): Promise<void> {
  const { scope, actor } = caller;
  const batch = 1000;
  for (let from = 0; from < length; from += batch) {
    const upTo = Math.min(length, from + batch);
    await store.update({ scope, threadId: 'long' }, (lane, _, nowMs) => ({
      lane: {
        scope,
        threadId: 'long',
        logId: 'log',
        orders: 0,
        queue: [],
        inputs: [],
        ...lane,
        lastMs: nowMs,
        head: upTo,
        messages: upTo,
        headId: `m${upTo}`,
      },
      writes: [
        ...(from === 0
          ? [
              {
                op: 'put' as const,
                kind: 'thread' as const,
                id: '',
                value: {
                  scope,
                  id: 'long',
                  contextId: 'long',
                  settings: { options: {} },
                  state: {},
                  metadata: {},
                  createdAtMs: nowMs,
                },
              },
            ]
          : []),
        ...Array.from({ length: upTo - from }, (__, index) => {
          const seq = from + index + 1;
          const parentId = seq === 1 ? undefined : `m${seq - 1}`;
          const role = seq % 2 === 1 ? ('user' as const) : ('assistant' as const);
          const message = {
            id: `m${seq}`,
            parentId,
            seq,
            actor,
            role,
            parts: [{ type: 'text' as const, text: 'some words' }],
          };
          return { op: 'put' as const, kind: 'message' as const, id: message.id, value: message };
        }),
        ...Array.from({ length: upTo - from }, (__, index) => ({
          op: 'event' as const,
          event: {
            seq: from + index + 1,
            atMs: nowMs,
            threadId: 'long',
            type: 'notice' as const,
            level: 'info' as const,
            text: 'grown',
          },
        })),
      ],
      outcome: undefined,
    }));
  }
}
