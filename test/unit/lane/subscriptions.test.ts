import { describe, expect, it } from 'vitest';
import type { Command, Outcomes } from '../../../src/lane/command.ts';
import { isWanted } from '../../../src/lane/subscriptions.ts';
import { checkStore } from '../../support/checker.ts';
import { failed, LaneDriver, refusal } from '../../support/lane-driver.ts';

const target = { url: 'https://hook.example/in' };
const fault = { code: 'upstream-failed', message: 'it answered 500', retryable: true } as const;

interface Made {
  readonly driver: LaneDriver;
  readonly runId: string;
  /** Of its run. */
  readonly token: string;
  /** Of the subscription's record. */
  readonly key: string;
}

/** A running thread with one subscription, held by `push-1`. */
function subscribed(change: Partial<Command<'subscribe'>['subscription']> = {}, after?: number): Made {
  const driver = new LaneDriver({
    push: { perRun: 2, perThread: 3, maxAttempts: 3, backoffBaseMs: 1000, backoffCapMs: 3000 },
  });
  const { runId, token } = driver.start();
  subscribe(driver, runId, change, after);
  return { driver, runId, token, key: driver.lane?.subscriptions?.[0]?.id ?? '' };
}

function subscribe(
  driver: LaneDriver,
  runId: string,
  change: Partial<Command<'subscribe'>['subscription']> = {},
  after?: number,
  deadOnRun = 0,
): Outcomes['subscribe']['subscription'] {
  const claim = { token: driver.find('subscription', `${runId}/alice/hook`) ? 'push-2' : 'push-1', owner: 'owner' };
  const subscription = { id: 'hook', runId, actor: 'alice', door: 'a2a', target, filter: 'status', ...change } as const;
  return driver.do({ type: 'subscribe', subscription, after, deadOnRun, claim }).subscription;
}

function fail({ driver, key }: Made, change: Partial<Command<'pushFailed'>> = {}): string {
  const upTo = driver.lane?.subscriptions?.[0]?.cursor ?? 0;
  const token = driver.lane?.subscriptions?.[0]?.claim?.token ?? 'push-1';
  const command = { type: 'pushFailed', id: key, token, upTo, fault, final: false, retryAfterMs: undefined } as const;
  return driver.do({ ...command, ...change }).is;
}

describe('a subscription', () => {
  it('begins at the head of the log, or where it is told, claimed by its maker', () => {
    const { driver, runId } = subscribed();
    expect(driver.lane?.subscriptions).toMatchObject([
      { runId, cursor: driver.lane?.head, attempts: 0, claim: { token: 'push-1' } },
    ]);
    const second = subscribe(driver, runId, { actor: 'bob' }, 1);
    expect(second).toMatchObject({ id: 'hook', runId, threadId: 'thread', scope: 'local', cursor: 1, attempts: 0 });
    expect(refusal(() => subscribe(driver, runId, { id: 'later' }, 99))).toBe('cursor-expired');
    expect(refusal(() => subscribe(driver, 'run-0'))).toBe('not-found');
  });

  it('leaves a thread that has none as it is', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    driver.settle(token);
    expect(driver.lane).not.toHaveProperty('subscriptions');
  });

  it('says nothing of its target in the log', () => {
    const { driver, token } = subscribed({ target: { ...target, token: 'a secret' } });
    driver.settle(token);
    expect(JSON.stringify([driver.log, driver.lane])).not.toMatch(/a secret|hook\.example/);
  });

  it('moves on with what is delivered, never back and never beyond the log', () => {
    const { driver, key } = subscribed({}, 0);
    const push = (upTo: number): string => driver.do({ type: 'pushed', id: key, token: 'push-1', upTo }).is;
    expect(push(2)).toBe('active');
    const before = driver.lane;
    expect(push(1)).toBe('active');
    expect(driver.lane).toBe(before);
    expect(driver.lane?.subscriptions?.[0]?.cursor).toBe(2);
    expect(refusal(() => push(99))).toBe('cursor-expired');
  });

  it('is over when the end of its run is delivered, and not before', async () => {
    const { driver, runId, token, key } = subscribed({}, 0);
    driver.settle(token);
    const end = driver.get('run', runId).lastSeq ?? 0;
    expect(driver.do({ type: 'pushed', id: key, token: 'push-1', upTo: end - 1 }).is).toBe('active');
    expect(driver.do({ type: 'pushed', id: key, token: 'push-1', upTo: end }).is).toBe('over');
    expect(driver.lane?.subscriptions).toBeUndefined();
    expect(driver.find('subscription', key)).toBeUndefined();
    expect(driver.do({ type: 'pushed', id: key, token: 'push-1', upTo: end }).is).toBe('over');
    expect(await checkStore(driver.reader(), ['local'])).toEqual([]);
  });

  it('is not made for a run of which nothing is left to deliver', () => {
    const driver = new LaneDriver();
    const { runId, token } = driver.start();
    driver.settle(token);
    expect(refusal(() => subscribe(driver, runId))).toBe('run-ended');
    expect(subscribe(driver, runId, {}, 0)).toMatchObject({ cursor: 0, state: { is: 'active' } });
  });

  it('is one of few on its run and its thread, those that were given up included', () => {
    const { driver, runId } = subscribed();
    expect(refusal(() => subscribe(driver, runId, { id: 'dead elsewhere' }, undefined, 1))).toBe('too-many');
    subscribe(driver, runId, { id: 'two' });
    expect(refusal(() => subscribe(driver, runId, { id: 'three' }))).toBe('too-many');
    const { runId: other } = driver.accept().activation.received;
    subscribe(driver, other, { id: 'three' });
    expect(refusal(() => subscribe(driver, other, { id: 'four' }))).toBe('too-many');
    expect(subscribe(driver, runId, { id: 'two', filter: 'everything' })).toMatchObject({ filter: 'everything' });
  });

  it('goes when it is taken back, once and for all', () => {
    const { driver, key } = subscribed();
    driver.do({ type: 'unsubscribe', id: key });
    expect(driver.lane?.subscriptions).toBeUndefined();
    const before = driver.lane;
    driver.do({ type: 'unsubscribe', id: key });
    expect(driver.lane).toBe(before);
    expect(driver.do({ type: 'pushed', id: key, token: 'push-1', upTo: 1 }).is).toBe('over');
  });

  it('goes with its thread', () => {
    const { driver, key } = subscribed();
    driver.do({ type: 'remove', force: true });
    expect(driver.find('subscription', key)).toBeUndefined();
  });
});

describe('made again', () => {
  it('changes nothing when it is the same', () => {
    const { driver, runId } = subscribed();
    const before = driver.lane;
    expect(subscribe(driver, runId, { target: { ...target } })).toMatchObject({ cursor: before?.head });
    expect(driver.lane).toBe(before);
  });

  it('with another target, is tried at once where it is', () => {
    const made = subscribed({}, 1);
    fail(made);
    expect(made.driver.wakesInMs).toBe(1000);
    const again = subscribe(made.driver, made.runId, { target: { url: 'https://other.example/' } });
    expect(again).toMatchObject({ cursor: 1, attempts: 0, wakeAtMs: undefined });
    expect(made.driver.lane?.subscriptions).toMatchObject([{ claim: { token: 'push-2' } }]);
    expect(made.driver.wakesInMs).toBeUndefined();
  });

  it('lives again where it was given up', () => {
    const made = subscribed({}, 1);
    fail(made, { final: true });
    const again = subscribe(made.driver, made.runId);
    expect(again).toMatchObject({ cursor: 1, attempts: 0, state: { is: 'active' } });
  });
});

describe('a failure', () => {
  it('gives the claim back until the next try, each time for longer', () => {
    const made = subscribed();
    const { driver, key } = made;
    expect(fail(made)).toBe('retrying');
    expect(driver.get('subscription', key).state).toMatchObject({ is: 'active', lastFailure: { fault } });
    expect(driver.wakesInMs).toBe(1000);
    const claim = (token: string): unknown =>
      driver.do({ type: 'claimPush', id: key, claim: { token, owner: 'owner' }, over: undefined }).subscription;
    expect(claim('push-2')).toBeUndefined();
    driver.pass(1000);
    expect(driver.wakesInMs).toBeUndefined();
    expect(claim('push-2')).toMatchObject({ attempts: 1 });
    expect(claim('push-2')).toMatchObject({ attempts: 1 });
    expect(claim('push-3')).toBeUndefined();
    expect(fail(made)).toBe('retrying');
    expect(driver.wakesInMs).toBe(2000);
  });

  it('lasts as long as the receiver asked, up to the cap', () => {
    const made = subscribed();
    fail(made, { retryAfterMs: 2500 });
    expect(made.driver.wakesInMs).toBe(2500);
    const other = subscribed();
    fail(other, { retryAfterMs: 86_400_000 });
    expect(other.driver.wakesInMs).toBe(3000);
  });

  it('too often in a row gives the subscription up, for all to see', async () => {
    const made = subscribed({}, 1);
    const { driver, key } = made;
    const again = (token: string): void => {
      driver.pass(10_000);
      driver.do({ type: 'claimPush', id: key, claim: { token, owner: 'owner' }, over: undefined });
    };
    fail(made);
    again('push-2');
    fail(made, { upTo: 2 });
    expect(driver.lane?.subscriptions).toMatchObject([{ cursor: 2, attempts: 1 }]);
    again('push-3');
    fail(made);
    again('push-4');
    expect(fail(made)).toBe('dead');
    expect(driver.lane?.subscriptions).toBeUndefined();
    expect(driver.get('subscription', key).state).toMatchObject({ is: 'dead', fault, attempts: 3, cursor: 2 });
    expect(await checkStore(driver.reader(), ['local'])).toEqual([]);
  });

  it('that would come again gives it up at once', () => {
    const made = subscribed();
    expect(fail(made, { final: true })).toBe('dead');
  });

  it('behind the end of the run is none', () => {
    const made = subscribed();
    made.driver.settle(made.token, failed(false));
    expect(fail(made, { upTo: made.driver.lane?.head ?? 0 })).toBe('over');
  });
});

describe('a claim', () => {
  it('of a process that is gone is taken over, by its name alone', () => {
    const { driver, key } = subscribed();
    const claim = { token: 'push-2', owner: 'another' };
    const take = (over: string | undefined): unknown =>
      driver.do({ type: 'claimPush', id: key, claim, over }).subscription;
    expect(take(undefined)).toBeUndefined();
    expect(take('push-0')).toBeUndefined();
    expect(take('push-1')).toMatchObject({ id: 'hook' });
    const late = refusal(() => driver.do({ type: 'pushed', id: key, token: 'push-1', upTo: 1 }));
    expect(late).toBe('claim-lost');
  });
});

describe('what a subscription is for', () => {
  it('is how its own run stands, or everything of it', () => {
    const { driver, runId, token } = subscribed();
    driver.say(token, 'hello');
    driver.askAndWait(token, 'sure');
    const typesFor = (filter: 'status' | 'everything'): string[] =>
      driver.log.filter((event) => isWanted(event, { runId, filter })).map((event) => event.type);
    expect(typesFor('status')).toEqual(['run.queued', 'run.started', 'ticket.opened', 'run.waiting']);
    expect(typesFor('everything')).toEqual(driver.log.map((event) => event.type));
    expect(driver.log.some((event) => isWanted(event, { runId: 'another', filter: 'everything' }))).toBe(false);
  });
});
