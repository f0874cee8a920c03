import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Counter, FileCounter, MemoryCounter } from '../../src/agents/demo/counter.ts';

let folder = '';
const path = (): string => join(folder, 'deeper', 'count.jsonl');

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'anyport-counter-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe.each<[string, () => Counter]>([
  ['MemoryCounter', () => new MemoryCounter()],
  ['FileCounter', () => new FileCounter(path())],
])('%s', (_, open) => {
  it('counts each key once, however often it is repeated', async () => {
    const counter = open();
    expect(await counter.read()).toBe(0);
    const numbers = await Promise.all(['a', 'b', 'a', 'c', 'b'].map((key) => counter.increment(key)));
    expect(numbers).toEqual([1, 2, 1, 3, 2]);
    expect(await counter.read()).toBe(3);
  });
});

describe('the file of a FileCounter', () => {
  it('is where the next process goes on', async () => {
    await new FileCounter(path()).increment('a\nb');
    const next = new FileCounter(path());
    expect(await next.increment('a\nb')).toBe(1);
    expect(await next.increment('c')).toBe(2);
    expect(await readFile(path(), 'utf8')).toBe('"a\\nb"\n"c"\n');
  });

  it('loses only a line that was torn', async () => {
    await new FileCounter(path()).increment('a');
    await appendFile(path(), '"b');
    const next = new FileCounter(path());
    expect(await next.read()).toBe(1);
    expect(await next.increment('c')).toBe(2);
    expect(await new FileCounter(path()).read()).toBe(2);
  });
});
