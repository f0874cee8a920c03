import { describe, expect, it } from 'vitest';
import { alice, bob, LaneDriver, refusal } from '../../support/lane-driver.ts';

describe('an activation key', () => {
  it('names one activation: the same request attaches to it while its run executes', () => {
    const driver = new LaneDriver();
    const first = driver.accept({ key: 'k', token: 'one' });
    const head = driver.log.length;
    const again = driver.accept({ key: 'k' });
    expect(again).toMatchObject({
      was: 'repeated',
      became: 'running',
      activation: { afterSeq: first.activation.afterSeq },
    });
    expect(again.activation.state).toEqual(driver.get('activation', 'ag-ui:k').state);
    expect(driver.log).toHaveLength(head);
    expect(driver.all('run')).toHaveLength(1);
  });

  it('attaches to what is queued, pending, blocked and retracted', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    const said = {
      queued: { key: 'queued' },
      pending: { key: 'pending', whenBusy: 'steer' },
      retracted: { key: 'retracted' },
    } as const;
    for (const each of Object.values(said)) driver.accept(each);
    driver.do({ type: 'retract', activationId: 'ag-ui:retracted', by: alice });
    expect(driver.accept(said.queued)).toMatchObject({ was: 'repeated', became: 'queued' });
    expect(driver.accept(said.pending)).toMatchObject({ was: 'repeated', became: 'pending' });
    expect(driver.accept(said.retracted)).toMatchObject({ was: 'repeated', became: 'answered' });
    const ticketId = driver.askAndWait(token, 'q');
    expect(driver.accept(said.queued)).toMatchObject({ was: 'repeated', became: 'blocked', blockedBy: [ticketId] });
  });

  it('attaches after the end, and tells where the answer is in the log', { tags: 'same-request-is-one-run' }, () => {
    const driver = new LaneDriver();
    const { token, runId, firstSeq } = driver.start({ key: 'k' });
    driver.say(token, 'hi');
    driver.settle(token);
    const again = driver.accept({ key: 'k' });
    expect(again).toMatchObject({ was: 'repeated', became: 'answered' });
    expect(again.activation.state).toMatchObject({
      is: 'answered',
      runId,
      fromSeq: firstSeq,
      toSeq: driver.log.length,
    });
  });

  it('does not claim for a repeated request, whatever its sender offers', () => {
    const driver = new LaneDriver();
    driver.accept({ key: 'k' });
    expect(driver.accept({ key: 'k', token: 'late' }).started).toBeUndefined();
    expect(driver.phase).toBeUndefined();
  });

  it(
    'refuses another body under the same key, and writes nothing',
    { tags: ['same-request-is-one-run', 'refused-request-writes-nothing'] },
    () => {
      const driver = new LaneDriver();
      driver.accept({ key: 'k', messages: ['one'] });
      const before = driver.lane;
      expect(refusal(() => driver.accept({ key: 'k', messages: ['two'] }))).toBe('request-conflict');
      expect(driver.lane).toBe(before);
      driver.settle(driver.claim().token);
      expect(refusal(() => driver.accept({ key: 'k', messages: ['two'] }))).toBe('request-conflict');
    },
  );

  it('is a name of its own on each door', () => {
    const driver = new LaneDriver();
    driver.accept({ key: 'k', by: alice });
    expect(driver.accept({ key: 'k', by: bob }).was).toBe('accepted');
  });
});

describe('an expected run', () => {
  it('lets the request in while it is the open run', () => {
    const driver = new LaneDriver();
    const { runId } = driver.start();
    expect(driver.accept({ expectedRunId: runId, whenBusy: 'steer' }).became).toBe('pending');
  });

  it('refuses the request when another run, or none, is open', { tags: 'expected-run-must-be-open' }, () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    expect(refusal(() => driver.accept({ expectedRunId: 'run-0' }))).toBe('run-conflict');
    driver.settle(token);
    expect(refusal(() => driver.accept({ expectedRunId: runId }))).toBe('run-conflict');
    expect(driver.lane?.queue).toEqual([]);
  });
});

describe('a refused request', () => {
  it('creates no thread', { tags: 'refused-request-writes-nothing' }, () => {
    const driver = new LaneDriver();
    expect(refusal(() => driver.accept({ base: 'nowhere' }))).toBe('not-found');
    expect(driver.lane).toBeUndefined();
    expect(driver.all('thread')).toEqual([]);
  });

  it('is what every other command on a thread that is not there gets', { tags: 'unknown-thread-is-not-found' }, () => {
    const driver = new LaneDriver();
    expect(refusal(() => driver.interrupt())).toBe('not-found');
    expect(refusal(() => driver.do({ type: 'tick' }))).toBe('not-found');
  });
});
