import { describe, expect, it } from 'vitest';
import { failed, LaneDriver, refusal } from '../../support/lane-driver.ts';

/** Fails the open run's attempts one after another; each retry's delay, as waited. */
function delaysOf(driver: LaneDriver, token: string, retries: number): number[] {
  const delays: number[] = [];
  let held = token;
  for (let retry = 1; retry <= retries; retry++) {
    expect(driver.settle(held, failed(true)).is).toBe('retrying');
    const delay = driver.wakesInMs ?? 0;
    delays.push(delay);
    driver.pass(delay - 1);
    expect(driver.tryClaim()).toBeUndefined();
    driver.pass(1);
    held = driver.claim().token;
  }
  return delays;
}

describe('an attempt that fails', () => {
  it(
    'is retried: the n-th retry waits 250 ms · 2^(n−1), and the fifth failure is the last',
    { tags: ['retry-delays-double', 'attempts-are-bounded'] },
    () => {
      const driver = new LaneDriver();
      const { token, runId } = driver.start();
      expect(delaysOf(driver, token, 4)).toEqual([250, 500, 1_000, 2_000]);
      const fifth = driver.lane?.open?.phase;
      driver.settle(fifth !== undefined && 'claim' in fifth ? fifth.claim.token : '', failed(true));
      expect(driver.get('run', runId)).toMatchObject({ status: 'done', attempt: 5, deliveries: [{ how: 'dead' }] });
      expect(driver.outcomeOf(runId)).toMatchObject({ type: 'failed', retryable: true });
      expect(driver.events('run.retrying').map((event) => event.nextAttempt)).toEqual([2, 3, 4, 5]);
    },
  );

  it('waits 30 s at most', { tags: 'retry-delays-double' }, () => {
    const driver = new LaneDriver({ maxAttempts: 100 });
    const delays = delaysOf(driver, driver.start().token, 40);
    expect(delays.slice(6, 9)).toEqual([16_000, 30_000, 30_000]);
    expect(Math.max(...delays)).toBe(30_000);
  });

  it('is dead at once when its fault is permanent', { tags: 'permanent-fault-ends-at-once' }, () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    expect(driver.settle(token, failed(false)).is).toBe('done');
    expect(driver.outcomeOf(runId)).toMatchObject({ type: 'failed', retryable: false });
    expect(driver.events('run.retrying')).toEqual([]);
  });

  it('counts as a retry even when interruptions lie between', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    driver.settle(token, failed(true));
    driver.pass(250);
    driver.do({ type: 'lost', token: driver.claim().token });
    driver.settle(driver.claim().token, failed(true));
    expect(driver.wakesInMs).toBe(500);
  });

  it('holds its lane through the backoff', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    driver.accept({ messages: ['next'] });
    driver.settle(token, failed(true));
    expect(driver.tryClaim()).toBeUndefined();
    driver.pass(250);
    expect(driver.claim()).toMatchObject({ runId, attempt: 2 });
  });

  it('loses its token', { tags: 'claim-alone-may-write' }, () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    driver.settle(token, failed(true));
    expect(refusal(() => driver.say(token, 'more'))).toBe('claim-lost');
    expect(refusal(() => driver.settle(token, failed(true)))).toBe('claim-lost');
    expect(driver.events('run.retrying')).toHaveLength(1);
  });

  it('keeps its questions open, and their answers are there for the next attempt', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    const [asked] = driver.ask(token, 'q');
    driver.settle(token, failed(true));
    driver.decide(asked?.id ?? '', { type: 'approve' });
    driver.pass(250);
    const again = driver.ask(driver.claim().token, 'q');
    expect(again).toMatchObject([{ id: asked?.id, closed: { decision: { how: 'answered' } } }]);
  });

  it('starts again from the last boundary', () => {
    const driver = new LaneDriver();
    const { token, firstSeq } = driver.start();
    driver.say(token, 'kept');
    driver.do({ type: 'checkpoint', token });
    const boundarySeq = driver.log.length;
    driver.say(token, 'not kept');
    driver.settle(token, failed(true));
    driver.pass(250);
    expect(driver.claim()).toMatchObject({ boundarySeq, firstSeq, attempt: 2 });
  });
});

describe('settling', () => {
  it('repeated with its token changes nothing and has the first outcome', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    const command = driver.settlement(token);
    driver.do(command);
    const before = driver.lane;
    expect(driver.do(command)).toEqual({ is: 'done', started: undefined });
    expect(driver.lane).toBe(before);
    expect(driver.events('run.finished')).toMatchObject([{ runId }]);
  });

  it('with another token than the claim’s is refused', () => {
    const driver = new LaneDriver();
    const { runId } = driver.start();
    expect(refusal(() => driver.settle('other'))).toBe('claim-lost');
    expect(driver.outcomeOf(runId)).toBeUndefined();
  });

  it('records the result, and how the turn stopped', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    driver.settle(token, { type: 'completed', stop: 'max_tokens', result: { answer: 42 } });
    expect(driver.outcomeOf(runId)).toEqual({
      type: 'completed',
      stop: 'max_tokens',
      pendingToolCalls: [],
      result: { answer: 42 },
    });
  });

  it('leaves a refused exchange out of what later runs are told, and keeps it', () => {
    const driver = new LaneDriver();
    const { token } = driver.start({ messages: ['something bad'] });
    driver.say(token, 'I will not');
    driver.settle(token, { type: 'completed', stop: 'refusal' });
    expect(driver.all('message').map((message) => message.excluded)).toEqual([true, true]);
    expect(driver.history()).toEqual(['user: something bad', 'assistant: I will not']);
  });
});
