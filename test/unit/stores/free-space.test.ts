import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FreeSpace } from '../../../src/stores/free-space.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

test('below its low-water mark a disk refuses, and above it again it does not', () => {
  let free = 100;
  const space = new FreeSpace(50, () => free);
  expect(space.refusal()).toBeUndefined();
  free = 49;
  vi.advanceTimersByTime(1000);
  expect(space.refusal()).toMatchObject({ code: 'disk-low', retryable: true });
  free = 50;
  vi.advanceTimersByTime(1000);
  expect(space.refusal()).toBeUndefined();
});

test('the disk is looked at once a second, however often it is asked for', () => {
  const measure = vi.fn(() => 1);
  const space = new FreeSpace(0, measure);
  for (let n = 0; n < 100; n++) space.refusal();
  expect(measure).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(1000);
  space.refusal();
  expect(measure).toHaveBeenCalledTimes(2);
});
