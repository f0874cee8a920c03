import { describe, expect, it } from 'vitest';
import type { Outcomes } from '../../../src/lane/command.ts';
import { agent, alice, bob, failed, LaneDriver, refusal } from '../../support/lane-driver.ts';

/** A thread whose first run failed for good after it had said something. */
function dead(): { driver: LaneDriver; runId: string } {
  const driver = new LaneDriver();
  const { token, runId } = driver.start({ messages: ['do it'] });
  driver.say(token, 'half');
  driver.settle(token, failed(false));
  return { driver, runId };
}

function redrive(driver: LaneDriver, runId: string, token?: string): Outcomes['redrive'] {
  const ids = { runId: driver.mint('run') };
  const offer = token === undefined ? undefined : driver.offer(token);
  return driver.do({ type: 'redrive', runId, agent, ids, by: bob, waitsInAll: 0, offer });
}

describe('redrive', () => {
  it('asks again what the run was asked, as a new run beside what it had written', () => {
    const { driver, runId } = dead();
    expect(driver.history()).toEqual(['user: do it', 'assistant: half']);
    const { started, became } = redrive(driver, runId, 'two');
    expect(became).toBe('running');
    expect(driver.history()).toEqual(['user: do it']);
    const again = driver.get('run', started?.runId ?? '');
    expect(again).toMatchObject({ retryOf: runId, actor: 'bob', status: 'running' });
    driver.say('two', 'whole');
    driver.settle('two');
    expect(driver.history()).toEqual(['user: do it', 'assistant: whole']);
    expect(driver.history(driver.get('run', runId).headId)).toEqual(['user: do it', 'assistant: half']);
  });

  it('takes the run off the dead ones; repeated, it finds the new run, also when that is over', () => {
    const { driver, runId } = dead();
    const first = redrive(driver, runId, 'two');
    driver.settle('two');
    const head = driver.lane?.head;
    const second = redrive(driver, runId, 'three');
    expect(second).toMatchObject({ was: 'repeated', activation: { id: first.activation.id } });
    expect(driver.lane?.head).toBe(head);
    expect(driver.get('run', runId).setAside).toMatchObject({ how: 'redriven', runId: first.started?.runId });
  });

  it('says again what was taken into the run later', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start({ messages: ['do it'] });
    driver.say(token, 'half');
    driver.accept({ messages: ['and that'], whenBusy: 'steer' });
    driver.do({ type: 'takeInput', token, key: '1' });
    driver.settle(token, failed(false));
    redrive(driver, runId, 'two');
    expect(driver.history()).toEqual(['user: do it', 'user: and that']);
  });

  it('waits its turn behind what is there', () => {
    const { driver, runId } = dead();
    driver.start({ messages: ['else'], token: 'two' });
    expect(redrive(driver, runId).became).toBe('queued');
    driver.settle('two', undefined, { token: 'three' });
    expect(driver.history()).toEqual(['user: do it']);
  });

  it('is refused for a run that has not failed, and for what never was', () => {
    const driver = new LaneDriver();
    const { runId, token } = driver.start();
    expect(refusal(() => redrive(driver, runId))).toBe('run-conflict');
    driver.settle(token);
    expect(refusal(() => redrive(driver, runId))).toBe('run-conflict');
    expect(refusal(() => redrive(driver, 'run-none'))).toBe('not-found');
  });
});

describe('discard', () => {
  it('takes a run off the dead ones, once', () => {
    const { driver, runId } = dead();
    const { run } = driver.do({ type: 'discard', runId, by: 'alice' });
    expect(run.setAside).toMatchObject({ how: 'discarded', by: 'alice' });
    const before = driver.lane;
    expect(driver.do({ type: 'discard', runId, by: 'alice' }).run).toEqual(run);
    expect(driver.lane).toBe(before);
    expect(refusal(() => redrive(driver, runId))).toBe('run-conflict');
  });

  it('is refused for what is not dead', () => {
    const { driver, runId } = dead();
    redrive(driver, runId);
    expect(refusal(() => driver.do({ type: 'discard', runId, by: alice.actor }))).toBe('run-conflict');
    expect(refusal(() => driver.do({ type: 'discard', runId: 'run-none', by: alice.actor }))).toBe('not-found');
  });
});
