import { describe, expect, it } from 'vitest';
import { LaneDriver } from '../../support/lane-driver.ts';

describe('the shared state', () => {
  it('is replaced by a client’s copy when its run starts, and the log says so', () => {
    const driver = new LaneDriver();
    const { fresh } = driver.start({ state: { n: 1 } });
    expect(fresh?.state).toEqual({ n: 1 });
    expect(driver.get('thread', '').state).toEqual({ n: 1 });
    expect(driver.events('state.snapshot')).toMatchObject([{ state: { n: 1 }, origin: 'client' }]);
  });

  it.each([undefined, null, {}])('is left alone by %s: that is no opinion', (state) => {
    const driver = new LaneDriver();
    driver.settle(driver.start({ state: { n: 1 } }).token);
    expect(driver.start(state === undefined ? {} : { state }).fresh?.state).toEqual({ n: 1 });
    expect(driver.events('state.snapshot')).toHaveLength(1);
  });

  it('is not recorded anew when the client has it as it is', () => {
    const driver = new LaneDriver();
    driver.settle(driver.start({ state: { n: 1 } }).token);
    driver.start({ state: { n: 1 } });
    expect(driver.events('state.snapshot')).toHaveLength(1);
  });

  it.each([[], 0, false, ''])('takes any other value as one: %j', (state) => {
    const driver = new LaneDriver();
    expect(driver.start({ state }).fresh?.state).toEqual(state);
  });

  it('waits with its request: what is queued does not change it under a run', () => {
    const driver = new LaneDriver();
    const { token } = driver.start({ state: { n: 1 } });
    driver.accept({ state: { n: 2 } });
    expect(driver.get('thread', '').state).toEqual({ n: 1 });
    driver.settle(token);
    expect(driver.claim().fresh?.state).toEqual({ n: 2 });
  });

  it('is, of several requests that become one run, the last one’s', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    driver.accept({ whenBusy: 'steer', state: { n: 1 } });
    driver.accept({ whenBusy: 'steer', state: { n: 2 } });
    driver.accept({ whenBusy: 'steer' });
    driver.settle(token);
    expect(driver.claim().fresh?.state).toEqual({ n: 2 });
  });

  it('is what the run left it as', { tags: 'next-run-knows-the-last' }, () => {
    const driver = new LaneDriver();
    const { token } = driver.start({ state: { n: 1 } });
    driver.append(token, { type: 'state.delta', patch: [{ op: 'replace', path: '/n', value: 7 }], origin: 'agent' });
    driver.settle(token);
    expect(driver.get('thread', '').state).toEqual({ n: 7 });
  });
});
