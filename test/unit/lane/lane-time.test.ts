import { describe, expect, it } from 'vitest';
import { failed, LaneDriver } from '../../support/lane-driver.ts';

const year = 365 * 86_400_000;

describe('the time of a lane', () => {
  it('never goes back: after the clock did, queued work is still there to claim', () => {
    const driver = new LaneDriver();
    driver.accept();
    const lastMs = driver.lane?.lastMs;
    driver.nowMs -= year;
    expect(driver.tryClaim('one')).toBeDefined();
    expect(driver.lane?.lastMs).toBe(lastMs);
    expect(driver.log.every((event) => event.atMs === lastMs)).toBe(true);
  });

  it('does not expire a question twice, nor reopen one, when the clock jumps', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    const ticketId = driver.askAndWait(token, 'q');
    driver.pass(year);
    expect(driver.get('ticket', ticketId).closed?.decision).toEqual({ how: 'expired' });
    driver.pass(-2 * year);
    driver.pass(year);
    expect(driver.events('ticket.closed')).toHaveLength(1);
  });

  it('stays as it is when nothing happens', () => {
    const driver = new LaneDriver();
    driver.start();
    const before = driver.lane;
    driver.pass(60_000);
    expect(driver.lane).toBe(before);
  });
});

describe('a tick', () => {
  it('twice is a tick once', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    driver.askAndWait(token, 'q', { expiresInMs: 400_000 });
    for (const ms of [driver.rules.parkAfterMs, 100_000]) {
      driver.pass(ms);
      const before = driver.lane;
      driver.pass(0);
      expect(driver.lane).toBe(before);
    }
  });

  it('leaves nothing due: it wakes later or not at all', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    driver.settle(token, failed(true));
    expect(driver.wakesInMs).toBe(250);
    driver.pass(250);
    expect(driver.wakesInMs).toBeUndefined();
    driver.askAndWait(driver.claim().token, 'q', { expiresInMs: 1_000 });
    expect(driver.wakesInMs).toBe(1_000);
    driver.pass(5_000_000);
    expect(driver.wakesInMs).toBeUndefined();
  });

  it('wakes for the earliest: a question’s expiry before parking', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    driver.ask(token, 'a', { expiresInMs: 500_000 });
    driver.askAndWait(token, 'b', { expiresInMs: 400_000 });
    expect(driver.wakesInMs).toBe(300_000);
    driver.pass(300_000);
    expect(driver.wakesInMs).toBe(100_000);
  });
});
