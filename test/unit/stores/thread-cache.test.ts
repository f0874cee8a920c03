import { expect, test } from 'vitest';
import { absent } from '../../../src/stores/batch.ts';
import { type CachedThread, ThreadCache } from '../../../src/stores/thread-cache.ts';
import { laneOf, openRun, running, threadOf } from '../../support/turns.ts';

function add(cache: ThreadCache, name: string, laneChars = 0, isClaimed = false): CachedThread {
  const key = threadOf(name);
  const thread = cache.use(key);
  const lane = { ...laneOf(key), open: isClaimed ? openRun('r', running('t')) : undefined };
  thread.image = { ...absent, lane, laneChars };
  cache.resized(thread);
  return thread;
}

function names(cache: ThreadCache): string[] {
  return [...cache.all()].map((thread) => thread.key.threadId);
}

test('the threads that were used last are kept', () => {
  const cache = new ThreadCache({ maxThreads: 2, maxBytes: 1_000_000 });
  const a = add(cache, 'a');
  add(cache, 'b');
  expect(cache.use(threadOf('a'))).toBe(a);
  add(cache, 'c');
  expect(names(cache)).toEqual(['a', 'c']);
  expect(cache.find(threadOf('b'))).toBeUndefined();
});

test('large threads push out more than small ones', () => {
  const cache = new ThreadCache({ maxThreads: 100, maxBytes: 50_000 });
  for (const name of ['a', 'b', 'c', 'd']) add(cache, name, 1000);
  expect(names(cache)).toHaveLength(4);
  add(cache, 'e', 10_000);
  expect(names(cache)).toEqual(['d', 'e']);
});

test('a claimed thread, or one with calls, stays, and costs a bounded look each time', () => {
  const cache = new ThreadCache({ maxThreads: 3, maxBytes: 1_000_000 });
  for (let n = 0; n < 20; n++) add(cache, `claimed${n}`, 10, true);
  add(cache, 'due').state = 'due';
  add(cache, 'idle');
  for (let n = 0; n < 20; n++) add(cache, `later${n}`);
  expect(names(cache).filter((name) => name.startsWith('claimed'))).toHaveLength(20);
  expect(names(cache)).toContain('due');
  expect(names(cache)).not.toContain('idle');
});
