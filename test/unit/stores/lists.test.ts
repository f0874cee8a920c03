import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ListedKind } from '../../../src/lane/filing.ts';
import type { Write } from '../../../src/lane/records.ts';
import { standingLabel } from '../../../src/lane/standing.ts';
import type { ListQuery, Store } from '../../../src/mailbox/store.ts';
import type { FileTuning } from '../../../src/stores/file-engine.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { fileStorage, memoryStorage, type Storage } from '../../support/open-stores.ts';
import {
  drop,
  laneOf,
  memory,
  pendingInput,
  queuedRun,
  runRecord,
  standingRecord,
  subscriptionRecord,
  threadOf,
  threadRecord,
  ticketRecord,
  write,
} from '../../support/turns.ts';

const clock = new ManualClock();
const names = ['a', 'b\u0000', '😀'];
const scopes = ['local', 's\t'];
const contexts = ['', 'one', '\ud800'];
const ends = (['completed', 'failed'] as const).map((is) => standingLabel({ actor: 'someone', agentId: 'demo', is }));
const [atMost, ids] = [3, ['1', '2', '3', '\u0001', '\uffff', '😀']];

/** What happens to a thread in one turn. */
interface Turn {
  readonly is: 'turn' | 'drop';
  readonly scope: string;
  readonly name: string;
  readonly puts: readonly Put[];
  readonly waiting: number;
}
interface Put {
  readonly kind: ListedKind | 'memory' | 'removed run' | 'removed standing' | 'removed ticket';
  readonly id: string;
  readonly change: number;
}
type Move = { readonly turns: readonly Turn[] } | 'reopen' | 'kill';

const put = fc.record<Put>({
  kind: fc.constantFrom(
    'run',
    'run',
    'standing',
    'removed standing',
    'ticket',
    'ticket',
    'thread',
    'subscription',
    'memory',
    'removed run',
    'removed ticket',
  ),
  id: fc.constantFrom(...ids),
  change: fc.nat(atMost),
});
const turn = fc.record<Turn>({
  is: fc.constantFrom('turn', 'turn', 'turn', 'turn', 'turn', 'drop'),
  scope: fc.constantFrom(...scopes),
  name: fc.constantFrom(...names),
  puts: fc.array(put, { maxLength: 5 }),
  waiting: fc.nat(atMost),
});
const turns = fc.record({ turns: fc.array(turn, { minLength: 1, maxLength: 4 }) });
const move = fc.oneof(
  { weight: 12, arbitrary: turns },
  { weight: 1, arbitrary: fc.constantFrom<Move>('reopen', 'kill') },
);
const query = fc.record<ListQuery<ListedKind>>({
  scope: fc.constantFrom(...scopes),
  kind: fc.constantFrom('run', 'standing', 'ticket', 'thread', 'subscription'),
  threadId: fc.option(fc.constantFrom(...names), { nil: undefined }),
  label: fc.option(
    fc.constantFrom('created', 'running', 'done', 'open', 'closed', 'active', 'dead', ...ends, ...contexts),
    {
      nil: undefined,
    },
  ),
  before: fc.option(fc.constantFrom(...names.flatMap((name) => ids.map((id) => `${name}${id}`)), '000000000000002:a'), {
    nil: undefined,
  }),
  limit: fc.integer({ min: 1, max: 8 }),
});
const tunings = fc.constantFrom<FileTuning>(
  { generationChars: 1, directCommits: 1 },
  { generationChars: 2000, directCommits: 2 },
  { generationChars: 6000, directCommits: 1 },
  { generationChars: 1_000_000, directCommits: 1 },
);

test('the file store lists what the memory store lists, whatever is applied when, and wherever its process ends', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(move, { minLength: 15, maxLength: 30, size: 'max' }),
      fc.array(query, { minLength: 12, maxLength: 12 }),
      tunings,
      async (moves, queries, tuning) => {
        await using memoryOnly = await memoryStorage();
        const model = await memoryOnly.open({ clock });
        let storage = await fileStorage(tuning);
        let store = await storage.open({ clock });
        for (const one of moves) {
          if (typeof one === 'string') {
            const left: Storage = one === 'kill' ? await storage.killed() : storage;
            await store.close();
            if (left !== storage) await storage[Symbol.asyncDispose]();
            storage = left;
            store = await storage.open({ clock });
          } else for (const of of [model, store]) await Promise.all(one.turns.map((each) => perform(of, each)));
          for (const asked of queries) {
            expect(await store.list(asked)).toEqual(await model.list(asked));
            const { label, before: from = '', ...of } = asked;
            const counted = { ...of, from, labels: label === undefined ? ends : [label] };
            expect(await store.count(counted)).toBe(await model.count(counted));
          }
          expect(store.waiting()).toBe(model.waiting());
        }
        await store.close();
        await storage[Symbol.asyncDispose]();
      },
    ),
    { numRuns: 15, endOnFailure: true },
  );
});

function perform(store: Store, { is, scope, name, puts, waiting }: Turn): Promise<unknown> {
  const thread = threadOf(name, scope);
  if (is === 'drop') return store.update(thread, drop(thread));
  const queue = waiting === 0 ? [] : [queuedRun('r', 'me', 1, waiting)];
  const inputs = waiting === atMost ? [pendingInput('i')] : [];
  const writes = puts.map((one) => writeOf(thread, one));
  return store.update(thread, (lane, found, nowMs) => ({
    ...write(thread, ...writes)(lane, found, nowMs),
    lane: { ...laneOf(thread, lane), queue, inputs },
  }));
}

/** Ids are a scope's own: they begin with their thread's name. */
function writeOf(thread: ReturnType<typeof threadOf>, { kind, id: end, change }: Put): Write {
  const id = `${thread.threadId}${end}`;
  switch (kind) {
    case 'run':
      return runRecord(thread, id, change === 0 ? { status: 'created' } : change === 1 ? {} : { endedAtMs: change });
    case 'ticket':
      return ticketRecord(thread, id, change === 0 ? undefined : { decision: { how: 'expired' }, atMs: change });
    case 'standing':
    case 'removed standing': {
      const place = { atMs: change >> 1 };
      const written = standingRecord(thread, end, { ...place, is: change % 2 === 0 ? 'completed' : 'failed' });
      return kind === 'standing' || written.op !== 'put' ? written : { op: 'remove', kind: 'standing', id: written.id };
    }
    case 'thread':
      // Its place never changes.
      return threadRecord(thread, names.indexOf(thread.threadId) + 1, contexts[change % contexts.length]);
    case 'subscription':
      return subscriptionRecord(thread, id, change === 0 ? undefined : change);
    case 'memory':
      return memory(id, change);
    case 'removed run':
      return { op: 'remove', kind: 'run', id };
    case 'removed ticket':
      return { op: 'remove', kind: 'ticket', id };
  }
}
