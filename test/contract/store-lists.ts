import { expect, test } from 'vitest';
import type { Outcome } from '../../schemas/run.ts';
import { deferred } from '../../src/deferred.ts';
import type { Standing } from '../../schemas/standing.ts';
import type { ListedKind } from '../../src/lane/filing.ts';
import { standingKey, standingLabel } from '../../src/lane/standing.ts';
import type { ListQuery, Store } from '../../src/mailbox/store.ts';
import { compareKeys } from '../../src/stores/safe-key.ts';
import { ManualClock } from '../support/manual-clock.ts';
import type { NewStorage } from '../support/open-stores.ts';
import {
  change,
  claimed,
  drop,
  inParallel,
  laneOf,
  memory,
  openRun,
  pendingInput,
  queuedRun,
  running,
  runRecord,
  standingRecord,
  threadOf,
  threadRecord,
  ticketRecord,
  write,
} from '../support/turns.ts';

const clock = new ManualClock();
const [a, b] = [threadOf('a'), threadOf('b')];
const fault = { code: 'internal', message: 'it broke', retryable: false } as const;
const failed: Outcome = { type: 'failed', fault, retryable: false };
const closed = { decision: { how: 'dismissed' }, atMs: 1 } as const;
const oddTexts = [
  '\u0000',
  'a',
  'a\u0000',
  'a\tb',
  'a\n',
  '\u0001',
  'é',
  '\ufffd',
  '😀',
  '\ud800',
  '\udfff',
  '__proto__',
];

export function storeLists(newStorage: NewStorage): void {
  /** Writes, then checks what was written: at once, after the process was killed, and after it was closed. */
  const always = async (work: (store: Store) => Promise<unknown>, check: (store: Store) => Promise<void>) => {
    await using storage = await newStorage();
    const store = await storage.open({ clock });
    await work(store);
    await check(store);
    await using killed = await storage.killed();
    await store.close();
    for (const left of [killed, storage]) {
      await using again = await left.open({ clock });
      await check(again);
    }
  };

  test('runs of a whole scope are listed newest first, in pages, each with its thread', () =>
    always(
      async (store) => {
        for (let n = 0; n < 20; n++) {
          const thread = n % 3 === 0 ? a : b;
          await store.update(thread, write(thread, runRecord(thread, idOf(n)), memory(`m${n}`, n)));
        }
      },
      async (store) => {
        const ids = Array.from({ length: 20 }, (_, n) => idOf(19 - n));
        for (const limit of [1, 3, 19, 20, 1000]) expect(await all(store, { kind: 'run' }, limit)).toEqual(ids);
        const [newest, next] = await store.list({ scope: 'local', kind: 'run', limit: 2 });
        expect(newest).toMatchObject({ thread: b, key: idOf(19), value: { id: idOf(19), threadId: 'b' } });
        expect(next).toMatchObject({ thread: a, key: idOf(18), value: { id: idOf(18), threadId: 'a' } });
        expect(await store.list({ scope: 'local', kind: 'run', before: idOf(0), limit: 5 })).toEqual([]);
        expect(await store.list({ scope: 'local', kind: 'run', limit: 0 })).toEqual([]);
      },
    ));

  test('a run is listed under what it is now, and under nothing that it was', () =>
    always(
      async (store) => {
        await store.update(a, write(a, ...[0, 1, 2, 3, 4].map((n) => runRecord(a, idOf(n), { status: 'created' }))));
        for (const n of [1, 2, 3, 4]) await store.update(a, write(a, runRecord(a, idOf(n))));
        for (const n of [2, 3, 4]) await store.update(a, write(a, runRecord(a, idOf(n), { status: 'waiting' })));
        await Promise.all([
          store.update(a, write(a, runRecord(a, idOf(3), { endedAtMs: 1 }))),
          store.update(a, write(a, runRecord(a, idOf(4), { status: 'running' }))),
          store.update(a, write(a, runRecord(a, idOf(4), { endedAtMs: 1, outcome: failed }))),
        ]);
      },
      async (store) => {
        for (const threadId of [undefined, 'a']) {
          expect(
            await byLabel(store, { kind: 'run', threadId }, ['created', 'running', 'waiting', 'done', 'dead']),
          ).toEqual({
            created: [idOf(0)],
            running: [idOf(1)],
            waiting: [idOf(2)],
            done: [idOf(3)],
            dead: [idOf(4)],
          });
          expect(await all(store, { kind: 'run', threadId })).toEqual([4, 3, 2, 1, 0].map(idOf));
        }
      },
    ));

  test('a dead run is one no longer when something was done about it', () =>
    always(
      async (store) => {
        for (const n of [0, 1])
          await store.update(a, write(a, runRecord(a, idOf(n), { endedAtMs: 1, outcome: failed })));
        const setAside = { how: 'discarded', by: 'me', atMs: 2 } as const;
        await store.update(a, write(a, runRecord(a, idOf(0), { endedAtMs: 1, outcome: failed, setAside })));
      },
      async (store) => {
        expect(await byLabel(store, { kind: 'run' }, ['dead', 'done'])).toEqual({ dead: [idOf(1)], done: [idOf(0)] });
      },
    ));

  test('tickets are listed open or closed', () =>
    always(
      async (store) => {
        await inParallel(6, (n) => {
          const thread = n % 2 === 0 ? a : b;
          return store.update(thread, write(thread, ticketRecord(thread, idOf(n)), runRecord(thread, idOf(n))));
        });
        for (const n of [1, 2]) {
          const thread = n % 2 === 0 ? a : b;
          await store.update(thread, write(thread, ticketRecord(thread, idOf(n), closed)));
        }
      },
      async (store) => {
        expect(await byLabel(store, { kind: 'ticket' }, ['open', 'closed', 'running'])).toEqual({
          open: [5, 4, 3, 0].map(idOf),
          closed: [2, 1].map(idOf),
          running: [],
        });
        expect(await byLabel(store, { kind: 'ticket', threadId: 'a' }, ['open', 'closed'])).toEqual({
          open: [4, 0].map(idOf),
          closed: [idOf(2)],
        });
      },
    ));

  test('what is filed under labels is counted without those that are filed elsewhere, or before a place', () =>
    always(
      async (store) => {
        for (const n of [1, 2, 3, 4, 5]) {
          const thread = n % 2 === 0 ? a : b;
          const is = n < 4 ? 'completed' : 'failed';
          await store.update(thread, write(thread, standingRecord(thread, String(n), { atMs: n, is }), memory('m', n)));
        }
        const is = 'cancelled';
        await store.update(a, write(a, standingRecord(a, '2', { atMs: 2, is })));
        await store.update(b, (lane) => {
          const { id } = standingRecord(b, '1') as { id: string };
          return { lane: laneOf(b, lane), writes: [{ op: 'remove', kind: 'standing', id }], outcome: undefined };
        });
      },
      async (store) => {
        const labels = ['completed', 'failed', 'refused'].map((is) =>
          standingLabel({ actor: 'someone', agentId: 'demo', is: is as Standing['is'] }),
        );
        const asked = { scope: 'local', kind: 'standing', from: '' } as const;
        expect(await store.count({ ...asked, labels })).toBe(3);
        expect(await store.count({ ...asked, labels: labels.slice(0, 1) })).toBe(1);
        expect(await store.count({ ...asked, labels, from: standingKey({ atMs: 4, runId: '' }) })).toBe(2);
        expect(await store.count({ ...asked, labels, threadId: 'a' })).toBe(1);
        expect(await store.count({ ...asked, labels, threadId: 'none' })).toBe(0);
        expect(await store.count({ ...asked, labels, scope: 'other' })).toBe(0);
        expect(await store.count({ ...asked, labels: [] })).toBe(0);
        expect(await all(store, { kind: 'standing', label: labels[1] }, 1)).toEqual(['b5', 'a4']);
      },
    ));

  test('threads are listed by when they were made, and by their context', () =>
    always(
      async (store) => {
        const made = [
          ['z', 5, 'one'],
          ['y', 1_700_000_000_000, ''],
          ['x', 70, 'one'],
          ['w', 70, 'two'],
          ['v', 6, '\t'],
        ] as const;
        for (const [name, atMs, contextId] of made) {
          const thread = threadOf(name);
          await store.update(thread, write(thread, threadRecord(thread, atMs, contextId)));
        }
        const thread = threadOf('v');
        await store.update(thread, write(thread, threadRecord(thread, 6, '\n')));
      },
      async (store) => {
        expect(await all(store, { kind: 'thread' }, 2)).toEqual(['y', 'x', 'w', 'v', 'z']);
        expect(await byLabel(store, { kind: 'thread' }, ['one', 'two', '', '\t', '\n', 'x'])).toEqual({
          one: ['x', 'z'],
          two: ['w'],
          '': ['y'],
          '\t': [],
          '\n': ['v'],
          x: [],
        });
        expect(await all(store, { kind: 'thread', threadId: 'w' }, 1)).toEqual(['w']);
        expect(await all(store, { kind: 'thread', threadId: 'w', label: 'two' }, 1)).toEqual(['w']);
        expect(await all(store, { kind: 'thread', threadId: 'w', label: 'one' })).toEqual([]);
      },
    ));

  test('a list of one thread has nothing of the others', () =>
    always(
      async (store) => {
        for (let n = 0; n < 12; n++) {
          const thread = n % 2 === 0 ? a : b;
          await store.update(thread, write(thread, runRecord(thread, idOf(n), n > 5 ? { endedAtMs: 1 } : {})));
        }
      },
      async (store) => {
        expect(await all(store, { kind: 'run', threadId: 'a' }, 2)).toEqual([10, 8, 6, 4, 2, 0].map(idOf));
        expect(await all(store, { kind: 'run', threadId: 'b', label: 'done' }, 2)).toEqual([11, 9, 7].map(idOf));
        expect(await all(store, { kind: 'run', threadId: 'b', label: 'done', before: idOf(9) })).toEqual([idOf(7)]);
        expect(await all(store, { kind: 'run', threadId: 'none' })).toEqual([]);
        expect(await all(store, { kind: 'run', threadId: 'none', label: 'done' })).toEqual([]);
      },
    ));

  test('a list of one scope has nothing of the others, whatever they are called', () =>
    always(
      async (store) => {
        for (const scope of oddTexts) {
          const thread = threadOf('t', scope);
          await store.update(thread, write(thread, runRecord(thread, 'same'), threadRecord(thread, 1, scope)));
          await store.update(thread, write(thread, ticketRecord(thread, scope)));
        }
      },
      async (store) => {
        for (const scope of oddTexts) {
          const thread = threadOf('t', scope);
          expect(await store.list({ scope, kind: 'run', limit: 5 })).toMatchObject([{ thread, key: 'same' }]);
          expect(await store.list({ scope, kind: 'ticket', limit: 5 })).toMatchObject([{ thread, key: scope }]);
          expect(await store.list({ scope, kind: 'thread', label: scope, limit: 5 })).toMatchObject([{ thread }]);
        }
        expect(await store.list({ scope: 'local', kind: 'run', limit: 5 })).toEqual([]);
      },
    ));

  test('ids and names may be anything, and are ordered by their bytes', () =>
    always(
      async (store) => {
        for (const text of oddTexts) {
          const thread = threadOf(text);
          await store.update(thread, write(thread, threadRecord(thread, 7, text), runRecord(thread, text)));
          await store.update(thread, write(thread, runRecord(thread, text, { endedAtMs: 1 }), memory(text, 1)));
        }
      },
      async (store) => {
        const sorted = oddTexts.toSorted((one, other) => compareKeys(other, one));
        for (const limit of [1, 5, 100]) {
          expect(await all(store, { kind: 'run' }, limit)).toEqual(sorted);
          expect(await all(store, { kind: 'run', label: 'done' }, limit)).toEqual(sorted);
          expect(await all(store, { kind: 'thread' }, limit)).toEqual(sorted);
        }
        for (const text of oddTexts) {
          expect(await all(store, { kind: 'run', threadId: text, label: 'done' }, 1)).toEqual([text]);
          expect(await all(store, { kind: 'thread', label: text }, 1)).toEqual([text]);
        }
      },
    ));

  test('what is not there is in no list, nor are records that are not listed', () =>
    always(
      (store) => store.update(a, write(a, memory('m', 1))),
      async (store) => {
        for (const kind of ['run', 'ticket', 'thread'] as const) {
          for (const threadId of [undefined, 'a', 'none']) expect(await all(store, { kind, threadId })).toEqual([]);
        }
      },
    ));

  test('a record that was removed is in no list, until it is put again', () =>
    always(
      async (store) => {
        await store.update(a, write(a, ...[0, 1, 2, 3].map((n) => runRecord(a, idOf(n)))));
        for (const n of [0, 1, 2]) await store.update(a, write(a, { op: 'remove', kind: 'run', id: idOf(n) }));
        await Promise.all([
          store.update(a, write(a, runRecord(a, idOf(1), { endedAtMs: 1 }))),
          store.update(a, write(a, { op: 'remove', kind: 'run', id: idOf(1) })),
          store.update(a, write(a, runRecord(a, idOf(2), { endedAtMs: 1 }))),
          store.update(a, write(a, { op: 'remove', kind: 'run', id: 'never' })),
        ]);
      },
      async (store) => {
        for (const threadId of [undefined, 'a']) {
          expect(await all(store, { kind: 'run', threadId })).toEqual([3, 2].map(idOf));
          expect(await byLabel(store, { kind: 'run', threadId }, ['running', 'done'])).toEqual({
            running: [idOf(3)],
            done: [idOf(2)],
          });
        }
      },
    ));

  test('a thread that was dropped is in no list, and one of the same name starts anew', () =>
    always(
      async (store) => {
        for (const thread of [a, b]) {
          await store.update(
            thread,
            write(thread, threadRecord(thread, 1), ticketRecord(thread, `${thread.threadId}1`)),
          );
          for (let n = 0; n < 3; n++) await store.update(thread, write(thread, runRecord(thread, thread.threadId + n)));
        }
        await store.update(a, drop(a));
        expect(await all(store, { kind: 'run' })).toEqual(['b2', 'b1', 'b0']);
        expect(await all(store, { kind: 'thread' })).toEqual(['b']);
        await Promise.all([
          store.update(b, drop(b)),
          store.update(b, write(b, runRecord(b, 'b1', { endedAtMs: 1 }), threadRecord(b, 2))),
        ]);
        await store.update(a, write(a, runRecord(a, 'a2', { endedAtMs: 1 })));
      },
      async (store) => {
        expect(await all(store, { kind: 'run' })).toEqual(['b1', 'a2']);
        expect(await byLabel(store, { kind: 'run' }, ['running', 'done'])).toEqual({ running: [], done: ['b1', 'a2'] });
        expect(await all(store, { kind: 'run', threadId: 'a' })).toEqual(['a2']);
        expect(await all(store, { kind: 'ticket' })).toEqual([]);
        expect(await all(store, { kind: 'thread' })).toEqual(['b']);
      },
    ));

  test('a list has what is committed, and nothing before', async () => {
    await using storage = await newStorage();
    const commit = deferred();
    let commits = 0;
    await using store = await storage.open({
      clock,
      wrap: (engine) => {
        const inner = engine.commit.bind(engine);
        engine.commit = async (changes) => {
          if (++commits > 1) await commit.promise;
          await inner(changes);
        };
        return engine;
      },
    });
    const requests = { queue: [queuedRun('r', 'me', 1, 2)] };
    await store.update(a, write(a, runRecord(a, 'r')));
    const later = store.update(a, (lane) => ({
      lane: { ...laneOf(a, lane), ...requests },
      writes: [runRecord(a, 'r', { endedAtMs: 1 })],
      outcome: undefined,
    }));
    const other = store.update(b, write(b, runRecord(b, 's')));
    expect(await byLabel(store, { kind: 'run' }, ['running', 'done'])).toEqual({ running: ['r'], done: [] });
    expect(store.waiting()).toBe(0);
    commit.resolve();
    await Promise.all([later, other]);
    expect(await byLabel(store, { kind: 'run' }, ['running', 'done'])).toEqual({ running: ['s'], done: ['r'] });
    expect(store.waiting()).toBe(2);
  });

  test('how many requests wait is known at every commit: as they come in, are taken, and go with their thread', async () => {
    await using storage = await newStorage();
    const store = await storage.open({ clock });
    expect(store.waiting()).toBe(0);
    await store.update(a, change(a, { queue: [queuedRun('r', 'me', 1, 1)] }));
    expect(store.waiting()).toBe(1);
    await store.update(a, change(a, { queue: [queuedRun('r', 'me', 1, 2), queuedRun('s', 'me', 1, 3)] }));
    expect(store.waiting()).toBe(5);
    await claimed(store, b);
    await store.update(b, change(b, { inputs: [pendingInput('i'), pendingInput('j')] }));
    expect(store.waiting()).toBe(7);
    await store.update(a, change(a, { queue: [queuedRun('s', 'me', 1, 3)], open: openRun('r', running('t')) }));
    expect(store.waiting()).toBe(5);
    await using killed = await storage.killed();
    await store.close();
    for (const left of [killed, storage]) {
      await using again = await left.open({ clock });
      expect(again.waiting()).toBe(5);
    }
    await using again = await storage.open({ clock });
    await again.update(b, change(b, { inputs: [pendingInput('j')] }));
    expect(again.waiting()).toBe(4);
    await Promise.all([
      again.update(a, drop(a)),
      again.update(a, change(a, { queue: [queuedRun('t', 'me', 1, 1)] })),
      again.update(b, change(b, { inputs: [] })),
    ]);
    expect(again.waiting()).toBe(1);
    await again.update(a, drop(a));
    expect(again.waiting()).toBe(0);
  });

  test('a closed store lists nothing', async () => {
    await using storage = await newStorage();
    const store = await storage.open({ clock });
    await store.close();
    await expect(store.list({ scope: 'local', kind: 'run', limit: 1 })).rejects.toMatchObject({ code: 'store-failed' });
  });
}

function idOf(n: number): string {
  return `r${String(n).padStart(3, '0')}`;
}

type Asked = Omit<ListQuery<ListedKind>, 'scope' | 'limit'>;

/** The ids of a whole list, read in pages. */
async function all(store: Store, query: Asked, limit = 1000): Promise<string[]> {
  const ids: string[] = [];
  for (let { before } = query; ;) {
    const page = await store.list({ scope: 'local', ...query, before, limit });
    ids.push(...page.map(({ value }) => ('runId' in value && !('id' in value) ? value.runId : value.id)));
    if (page.length < limit) return ids;
    before = page.at(-1)?.key;
  }
}

async function byLabel(store: Store, query: Asked, labels: readonly string[]): Promise<Record<string, string[]>> {
  const lists = labels.map(async (label) => [label, await all(store, { ...query, label })] as const);
  return Object.fromEntries(await Promise.all(lists));
}
