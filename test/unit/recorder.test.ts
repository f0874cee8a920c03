import { expect, test } from 'vitest';
import type { EventBody } from '../../schemas/run-event.ts';
import { deferred } from '../../src/deferred.ts';
import { Recorder } from '../../src/events/recorder.ts';
import { emptyView } from '../../src/events/view.ts';
import { Fault } from '../../src/fault.ts';
import { ManualClock } from '../support/manual-clock.ts';

const generous = { mergeWindowMs: 16, maxUnflushedBytes: 1_000_000, maxRunEvents: 1000, maxRunBytes: 1_000_000 };

function recorder(change: Partial<typeof generous> = {}) {
  const clock = new ManualClock();
  const appends: (readonly EventBody[])[] = [];
  const failures: Fault[] = [];
  let gate: () => Promise<unknown> = () => Promise.resolve();
  const made = new Recorder({
    view: emptyView('run'),
    append: async (_, entries) => {
      appends.push(entries);
      await gate();
    },
    failed: (why) => void failures.push(why),
    clock,
    limits: { ...generous, ...change },
  });
  return { clock, appends, failures, recorder: made, hold: (by: () => Promise<unknown>) => void (gate = by) };
}

const started: EventBody = { type: 'text.started', id: 'a', role: 'assistant' };
const delta = (text: string): EventBody => ({ type: 'text.delta', id: 'a', delta: text });

test('the first delta of an item is recorded at once, later ones gather within the window', async () => {
  const { recorder: it, clock, appends } = recorder();
  void it.push(started);
  void it.push(delta('1'));
  await clock.advance(0);
  expect(appends).toEqual([[started, delta('1')]]);
  void it.push(delta('2'));
  void it.push(delta('3'));
  await clock.advance(15);
  expect(appends).toHaveLength(1);
  await clock.advance(1);
  expect(appends[1]).toEqual([delta('23')]);
});

test('a stream that is slower than the window is not slowed by it', async () => {
  const { recorder: it, clock, appends } = recorder();
  void it.push(started);
  void it.push(delta('1'));
  await clock.advance(16);
  for (const text of ['2', '3', '4']) {
    void it.push(delta(text));
    await clock.advance(0);
    expect(appends.at(-1)).toEqual([delta(text)]);
    await clock.advance(16);
  }
});

test('anything else flushes the deltas before it, in order', async () => {
  const { recorder: it, clock, appends } = recorder();
  void it.push(started);
  await clock.advance(0);
  void it.push(delta('1'));
  void it.push(delta('2'));
  void it.push({ type: 'text.ended', id: 'a' });
  await clock.advance(0);
  expect(appends.flat()).toEqual([started, delta('12'), { type: 'text.ended', id: 'a' }]);
});

test('the agent waits while too much is not durable yet', async () => {
  const { recorder: it, clock, hold } = recorder({ maxUnflushedBytes: 400 });
  const landed = deferred();
  hold(() => landed.promise);
  expect(it.push(started)).toBeUndefined();
  let mayGoOn = false;
  void it.push(delta('x'.repeat(500)))?.then(() => {
    mayGoOn = true;
  });
  await clock.advance(1000);
  expect(mayGoOn).toBe(false);
  landed.resolve();
  await clock.advance(0);
  expect(mayGoOn).toBe(true);
});

test('a run that writes too much fails with its own fault', () => {
  const { recorder: it } = recorder({ maxRunEvents: 2 });
  void it.push(started);
  void it.push(delta('1'));
  expect(() => it.push(delta('2'))).toThrow(new Fault('too-large', 'a run may record 2 events'));
  expect(it.view.items.get('a')).toMatchObject({ text: '1' });
});

test('the content of every kind of event counts against the limit on bytes', () => {
  const { recorder: it } = recorder({ maxRunBytes: 1000 });
  const large: EventBody = { type: 'custom', name: 'blob', value: 'x'.repeat(2000) };
  expect(() => it.push(large)).toThrow(new Fault('too-large', 'a run may write 1000 bytes'));
});

test('a flush waits for what was taken before it, however much comes after', async () => {
  const { recorder: it, clock, hold } = recorder();
  hold(() => {
    void it.push(delta('more'));
    return Promise.resolve();
  });
  void it.push(started);
  let isFlushed = false;
  void it.flush().then(() => {
    isFlushed = true;
  });
  await clock.advance(0);
  expect(isFlushed).toBe(true);
  it.stop(new Fault('claim-lost', 'enough'));
});

test('a failed append is told at once, and nothing more is taken', async () => {
  const { recorder: it, clock, hold, failures } = recorder();
  hold(() => Promise.reject(new Fault('store-failed', 'the disk is gone')));
  void it.push(started);
  await clock.advance(0);
  expect(failures.map((fault) => fault.code)).toEqual(['store-failed']);
  expect(() => it.push(delta('1'))).toThrow('the disk is gone');
  await expect(it.flush()).rejects.toThrow('the disk is gone');
});
