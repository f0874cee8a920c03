import { expect, test, vi } from 'vitest';
import type { RunEvent } from '../../../schemas/run-event.ts';
import { chunksOf } from '../../../src/stores/event-chunk.ts';
import { MemoryEngine } from '../../../src/stores/memory-engine.ts';
import { Recent } from '../../../src/stores/recent.ts';
import { TurnStore } from '../../../src/stores/turn-store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { change, claimed, memory, note, notice, threadOf } from '../../support/turns.ts';

const thread = threadOf('t');

function filled(chunks: number, size: number, text = 'x'): Recent {
  const recent = new Recent();
  for (let chunk = 0; chunk < chunks; chunk++) {
    const events = Array.from({ length: size }, (_, at): RunEvent => {
      const seq = chunk * size + at + 1;
      return { seq, atMs: 1, threadId: 't', type: 'notice', level: 'info', text };
    });
    for (const one of chunksOf(events)) recent.push(one);
  }
  return recent;
}

function seqs(events: readonly RunEvent[] | undefined): number[] | undefined {
  return events?.map((event) => event.seq);
}

test('any range of events it covers is read from it', () => {
  const recent = filled(10, 3);
  for (let after = 0; after <= 31; after++) {
    for (const limit of [1, 4, 100]) {
      const expected = Array.from({ length: 30 }, (_, at) => at + 1).slice(after, after + limit);
      expect(seqs(recent.read(thread, after, limit))).toEqual(expected);
    }
  }
});

test('a range that begins before it is not its to answer', () => {
  expect(new Recent().read(thread, 0, 10)).toBeUndefined();
  const recent = filled(300, 1, 'x'.repeat(2000));
  expect(recent.read(thread, 0, 10)).toBeUndefined();
  expect(seqs(recent.read(thread, 297, 10))).toEqual([298, 299, 300]);
  expect(recent.chars).toBeLessThanOrEqual(256 * 1024);
});

test('events are read from their text once for all followers', () => {
  const recent = filled(1, 3);
  expect(recent.read(thread, 0, 1)?.[0]).toBe(recent.read(thread, 0, 3)?.[0]);
});

test('of a new thread it knows every record, of another those that were written', () => {
  const recent = new Recent();
  recent.put({ kind: 'run', id: 'a', text: '{}' });
  recent.put({ kind: 'run', id: 'b', text: undefined });
  expect([recent.find('run', 'a'), recent.find('run', 'b')]).toEqual([{ text: '{}' }, { text: undefined }]);
  expect(recent.find('run', 'c')).toBeUndefined();
  recent.begin();
  expect(recent.find('run', 'a')).toEqual({ text: undefined });
  recent.put({ kind: 'blob', id: 'large', text: 'x'.repeat(300 * 1024) });
  expect(recent.find('run', 'a')).toBeUndefined();
});

test('turns and followers of a busy thread do not reach for the engine', async () => {
  const engine = new MemoryEngine();
  const store = new TurnStore(engine, { clock: new ManualClock() });
  await store.update(thread, note(thread, 'first'));
  const claim = await claimed(store, thread);
  const readChunks = vi.spyOn(engine, 'readChunks');
  const readRecord = vi.spyOn(engine, 'readRecord');
  for (let ordinal = 1; ordinal <= 50; ordinal++) {
    const { last } = await store.append(claim, ordinal, [notice('a'), notice('b')]);
    expect(await store.readEvents(thread, last - 2, 100)).toHaveLength(2);
    expect(await store.readEvents(thread, last, 100)).toEqual([]);
    await store.update(thread, (lane, found) => ({
      lane: lane as never,
      writes: [memory('seen', Number(found.find('memory', 'seen')?.value ?? 0) + 1)],
      outcome: found.find('memory', 'none'),
    }));
  }
  expect(await store.findRecord(thread, 'memory', 'seen')).toEqual({ value: 50 });
  await store.update(thread, change(thread, { open: undefined }));
  expect(await store.readEvents(thread, 100, 100)).toHaveLength(1);
  expect(readChunks).not.toHaveBeenCalled();
  expect(readRecord).not.toHaveBeenCalled();
  await store.close();
});
