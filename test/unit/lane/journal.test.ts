import { describe, expect, it } from 'vitest';
import { LaneDriver, refusal } from '../../support/lane-driver.ts';

function begin(driver: LaneDriver, token: string, repeat = false): { is: string } {
  return driver.do({ type: 'once', token, key: 'k', digest: 'd', repeat });
}

function nextAttempt(driver: LaneDriver, token: string): string {
  driver.do({ type: 'lost', token });
  return driver.claim().token;
}

describe('an effect', () => {
  it('is started durably before it begins, and its result is kept', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    expect(begin(driver, token)).toEqual({ is: 'started' });
    expect(driver.get('journal', `${runId}/0/k`).entry).toEqual({ is: 'started', attempt: 1, starts: 1 });
    driver.do({ type: 'endOnce', token, key: 'k', result: { id: 7 } });
    expect(begin(driver, token)).toEqual({ is: 'finished', result: { id: 7 } });
    expect(begin(driver, nextAttempt(driver, token))).toEqual({ is: 'finished', result: { id: 7 } });
  });

  it('that an earlier attempt started and did not end is in doubt, until it is told to repeat', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    begin(driver, token);
    const second = nextAttempt(driver, token);
    expect(begin(driver, second)).toEqual({ is: 'in-doubt' });
    expect(begin(driver, second, true)).toEqual({ is: 'started' });
    expect(driver.get('journal', `${runId}/0/k`).entry).toEqual({ is: 'started', attempt: 2, starts: 2 });
  });

  it('repeated in its own attempt is the same start, once more told', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    begin(driver, token);
    const before = driver.lane;
    expect(begin(driver, token)).toEqual({ is: 'started' });
    expect(driver.lane).toBe(before);
    const second = nextAttempt(driver, token);
    begin(driver, second, true);
    expect(begin(driver, second, true)).toEqual({ is: 'started' });
    expect(driver.get('journal', `${runId}/0/k`).entry).toMatchObject({ starts: 2 });
  });

  it('has one result for ever', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    begin(driver, token);
    driver.do({ type: 'endOnce', token, key: 'k', result: 1 });
    const before = driver.lane;
    driver.do({ type: 'endOnce', token, key: 'k', result: 2 });
    expect(driver.lane).toBe(before);
    expect(begin(driver, token)).toEqual({ is: 'finished', result: 1 });
  });

  it('that has ended is a boundary', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    begin(driver, token);
    driver.say(token, 'while it ran');
    driver.do({ type: 'endOnce', token, key: 'k', result: undefined });
    expect(driver.lane?.open?.boundarySeq).toBe(driver.log.length);
  });
});

describe('a journal key', () => {
  it('means one thing: another digest or another kind of use has diverged', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    driver.do({ type: 'once', token, key: 'effect', digest: 'a', repeat: false });
    driver.ask(token, 'question');
    driver.accept({ whenBusy: 'steer' });
    driver.do({ type: 'takeInput', token, key: 'input' });
    const before = driver.lane;
    for (const command of [
      () => driver.do({ type: 'once', token, key: 'effect', digest: 'b', repeat: false }),
      () => driver.do({ type: 'once', token, key: 'question', digest: 'a', repeat: false }),
      () => driver.do({ type: 'endOnce', token, key: 'question', result: 1 }),
      () => driver.do({ type: 'endOnce', token, key: 'unknown', result: 1 }),
      () => driver.ask(token, 'effect'),
      () => driver.ask(token, 'question', { text: 'something else?' }),
      () => driver.do({ type: 'takeInput', token, key: 'question' }),
    ]) {
      expect(refusal(command)).toBe('journal-diverged');
    }
    expect(driver.lane).toBe(before);
  });
});

describe('a checkpoint', () => {
  it('makes all that was recorded final; repeated it changes nothing', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    driver.say(token, 'one');
    driver.do({ type: 'checkpoint', token });
    expect(driver.lane?.open?.boundarySeq).toBe(driver.log.length);
    const before = driver.lane;
    driver.nowMs += 1_000;
    driver.do({ type: 'checkpoint', token });
    expect(driver.lane).toBe(before);
  });
});
