import { describe, expect, it } from 'vitest';
import { agent, failed, LaneDriver, refusal } from '../../support/lane-driver.ts';

describe('the loss of an owner', () => {
  it.each(['rerun', 'resume'] as const)(
    'lets an agent that can %s go on at once, and is no failure',
    { tags: 'dead-process-costs-an-interruption' },
    (recovery) => {
      const driver = new LaneDriver();
      const { token, runId } = driver.start({ agent: { ...agent, recovery } });
      driver.do({ type: 'lost', token });
      expect(driver.claim()).toMatchObject({ runId, attempt: 2 });
      expect(driver.lane?.open).toMatchObject({ failures: 0, interruptions: 1 });
      const [retrying] = driver.events('run.retrying');
      expect(retrying).toMatchObject({ nextAttempt: 2 });
      expect(retrying?.fault).toBeUndefined();
    },
  );

  it('ends the run of an agent that cannot be run again as interrupted, its items kept', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start({ agent: { ...agent, recovery: 'fail' } });
    driver.say(token, 'half');
    driver.do({ type: 'lost', token });
    driver.finish();
    expect(driver.outcomeOf(runId)).toMatchObject({ type: 'failed', fault: { code: 'interrupted' }, retryable: false });
    expect(driver.get('run', runId).interruptions).toBe(1);
    expect(driver.history()).toEqual(['user: hello', 'assistant: half']);
  });

  it('is survived 19 times, and ends the run at the 20th', { tags: 'dead-process-costs-an-interruption' }, () => {
    const driver = new LaneDriver();
    const { runId, token } = driver.start();
    let held = token;
    for (let kill = 1; kill < 20; kill++) {
      driver.do({ type: 'lost', token: held });
      held = driver.claim().token;
    }
    driver.do({ type: 'lost', token: held });
    expect(driver.phase).toBe('ending');
    driver.finish();
    expect(driver.get('run', runId)).toMatchObject({ interruptions: 20, attempt: 20, deliveries: [{ how: 'dead' }] });
  });

  it('does not turn a run that was told to stop into a failed one, however often it was interrupted', () => {
    const driver = new LaneDriver({ maxInterruptions: 1 });
    const { token, runId } = driver.start();
    driver.cancel({ run: runId });
    driver.do({ type: 'lost', token });
    driver.finish();
    expect(driver.outcomeOf(runId)?.type).toBe('cancelled');
  });

  it('leaves the attempts that the agent has', () => {
    const driver = new LaneDriver({ maxAttempts: 2 });
    const { token } = driver.start();
    driver.do({ type: 'lost', token });
    driver.do({ type: 'lost', token: driver.claim().token });
    expect(driver.settle(driver.claim().token, failed(true)).is).toBe('retrying');
  });

  it('while it waits for a person parks the run, and costs nothing', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    const ticketId = driver.askAndWait(token, 'q');
    driver.do({ type: 'lost', token });
    expect(driver.phase).toBe('parked');
    driver.decide(ticketId, { type: 'approve' });
    expect(driver.claim()).toMatchObject({ runId, attempt: 2 });
    expect(driver.lane?.open?.interruptions).toBe(0);
  });

  it('while it waits ends the run of an agent that cannot be run again', () => {
    const driver = new LaneDriver();
    const { token } = driver.start({ agent: { ...agent, recovery: 'fail' } });
    driver.askAndWait(token, 'q');
    driver.do({ type: 'lost', token });
    expect(driver.phase).toBe('ending');
  });

  it('is noticed once', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    driver.do({ type: 'lost', token });
    const before = driver.lane;
    driver.do({ type: 'lost', token });
    driver.do({ type: 'lost', token: 'never' });
    expect(driver.lane).toBe(before);
  });

  it('leaves what was only queued', () => {
    const driver = new LaneDriver();
    const { token } = driver.start({ agent: { ...agent, recovery: 'fail' } });
    driver.accept({ messages: ['queued'], agent: { ...agent, recovery: 'fail' } });
    driver.do({ type: 'lost', token });
    driver.finish();
    expect(driver.claim().fresh?.messages).toMatchObject([{ parts: [{ text: 'queued' }] }]);
  });
});

describe('a clean release', () => {
  it('costs neither an attempt nor an interruption', () => {
    const driver = new LaneDriver({ maxAttempts: 1, maxInterruptions: 1 });
    let { token } = driver.start();
    for (let drain = 0; drain < 30; drain++) {
      driver.do({ type: 'release', token });
      token = driver.claim().token;
    }
    expect(driver.lane?.open).toMatchObject({ failures: 0, interruptions: 0, attempt: 31 });
  });

  it('of a waiting run parks it', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    driver.askAndWait(token, 'q');
    driver.do({ type: 'release', token });
    expect(driver.phase).toBe('parked');
    expect(driver.events('run.retrying')).toEqual([]);
  });

  it('of an agent that cannot be run again ends its run', () => {
    const driver = new LaneDriver();
    const { token } = driver.start({ agent: { ...agent, recovery: 'fail' } });
    driver.do({ type: 'release', token });
    expect(driver.phase).toBe('ending');
  });

  it('repeated, or of what is not held, changes nothing', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    driver.do({ type: 'release', token });
    const released = driver.lane;
    driver.do({ type: 'release', token });
    expect(driver.lane).toBe(released);
    driver.claim('two');
    const claimed = driver.lane;
    driver.do({ type: 'release', token });
    expect(driver.lane).toBe(claimed);
  });
});

describe('a claim', () => {
  it('is the only one of its thread', { tags: 'one-run-at-a-time' }, () => {
    const driver = new LaneDriver();
    driver.start();
    driver.accept();
    expect(driver.tryClaim()).toBeUndefined();
  });

  it('given once is told again to who asks with its token', () => {
    const driver = new LaneDriver();
    driver.accept();
    const first = driver.claim('one');
    const claimed = driver.lane;
    expect(driver.tryClaim('one')).toMatchObject({ runId: first.runId, token: 'one', attempt: 1 });
    expect(driver.lane).toBe(claimed);
  });

  it('given with an acceptance or a settlement is told again with it', () => {
    const driver = new LaneDriver();
    const acceptance = driver.acceptance({ token: 'one' });
    driver.do(acceptance);
    expect(driver.do(acceptance)).toMatchObject({ was: 'repeated', started: { token: 'one' } });
    driver.accept();
    const settlement = driver.settlement('one', undefined, { token: 'two' });
    driver.do(settlement);
    const claimed = driver.lane;
    expect(driver.do(settlement)).toMatchObject({ is: 'done', started: { token: 'two' } });
    expect(driver.lane).toBe(claimed);
  });

  it('on an empty thread gives nothing', () => {
    const driver = new LaneDriver();
    driver.settle(driver.start().token);
    const before = driver.lane;
    expect(driver.tryClaim()).toBeUndefined();
    expect(driver.lane).toBe(before);
  });

  it('fences every command of its holder', { tags: 'claim-alone-may-write' }, () => {
    const driver = new LaneDriver();
    driver.start({ token: 'one' });
    driver.do({ type: 'lost', token: 'one' });
    driver.claim('two');
    const token = 'one';
    const before = driver.lane;
    for (const command of [
      () => driver.ask(token, 'q'),
      () => driver.do({ type: 'once', token, key: 'k', digest: '', repeat: false }),
      () => driver.do({ type: 'endOnce', token, key: 'k', result: 1 }),
      () => driver.do({ type: 'takeInput', token, key: '1' }),
      () => driver.do({ type: 'checkpoint', token }),
      () => driver.do({ type: 'wait', token }),
      () => driver.do({ type: 'resume', token }),
      () => driver.do({ type: 'withdraw', token, ticketIds: [] }),
      () => driver.settle(token),
      () => driver.say(token, 'stale'),
    ]) {
      expect(refusal(command)).toBe('claim-lost');
    }
    expect(driver.lane).toBe(before);
  });
});
