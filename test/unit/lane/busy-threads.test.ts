import { describe, expect, it } from 'vitest';
import { agent, alice, bob, failed, LaneDriver, refusal } from '../../support/lane-driver.ts';

function running(): { driver: LaneDriver; token: string; runId: string } {
  const driver = new LaneDriver();
  const { token, runId } = driver.start({ messages: ['first'] });
  return { driver, token, runId };
}

function waiting(): { driver: LaneDriver; token: string; runId: string; ticketId: string } {
  const { driver, token, runId } = running();
  return { driver, token, runId, ticketId: driver.askAndWait(token, 'q') };
}

describe('queue', () => {
  it('claims at once on an idle thread', () => {
    const driver = new LaneDriver();
    expect(driver.accept({ token: 'one' })).toMatchObject({
      was: 'accepted',
      became: 'running',
      activation: { afterSeq: 0 },
    });
    expect(driver.log.map((event) => event.type)).toEqual(['run.queued', 'run.started', 'message.added']);
  });

  it('makes a new run behind one that runs', { tags: ['busy-thread-does-as-asked', 'one-run-at-a-time'] }, () => {
    const { driver, token } = running();
    const second = driver.accept({ messages: ['second'], token: 'unused' });
    expect(second).toMatchObject({ became: 'queued', blockedBy: [], started: undefined });
    expect(driver.history()).toEqual(['user: first']);
    const settled = driver.settle(token, undefined, { token: 'next' });
    expect(settled.started).toMatchObject({ token: 'next', attempt: 1 });
    expect(driver.history()).toEqual(['user: first', 'user: second']);
  });

  it('names the questions that a waiting run stands on', { tags: 'receipt-says-what-became' }, () => {
    const { driver, ticketId } = waiting();
    expect(driver.accept()).toMatchObject({ became: 'blocked', blockedBy: [ticketId] });
    expect(driver.tryClaim()).toBeUndefined();
  });

  it('keeps the order within a priority, and a lower one goes first', { tags: 'priority-then-order' }, () => {
    const { driver, token } = running();
    for (const [text, priority] of [
      ['b', 5],
      ['c', 5],
      ['a', 1],
      ['d', 9],
    ] as const) {
      driver.pass(1_000);
      driver.accept({ messages: [text], priority });
    }
    driver.settle(token);
    for (let left = 4; left > 0; left--) driver.settle(driver.claim().token);
    expect(driver.history()).toEqual(['user: first', 'user: a', 'user: b', 'user: c', 'user: d']);
  });
});

describe('steer', () => {
  it(
    'becomes pending input of the run that runs',
    { tags: ['busy-thread-does-as-asked', 'receipt-says-what-became'] },
    () => {
      const { driver, runId } = running();
      const steered = driver.accept({ messages: ['more'], whenBusy: 'steer' });
      expect(steered).toMatchObject({ became: 'pending', activation: { state: { is: 'pending', runId } } });
      expect(driver.log.at(-1)).toMatchObject({ type: 'input.staged', runId, activation: steered.activation.id });
      expect(driver.history()).toEqual(['user: first']);
    },
  );

  it(
    'is an answer in words to a run that waits: it resumes with its questions open',
    { tags: 'words-can-answer-a-waiting-run' },
    () => {
      const { driver, token, ticketId } = waiting();
      driver.accept({ messages: ['do it differently'], whenBusy: 'steer' });
      expect(driver.phase).toBe('running');
      expect(driver.events('run.resumed')).toMatchObject([{ cause: 'input' }]);
      expect(driver.get('ticket', ticketId).closed).toBeUndefined();
      const { messages } = driver.do({ type: 'takeInput', token, key: '1' });
      expect(messages).toHaveLength(1);
      driver.do({ type: 'withdraw', token, ticketIds: [ticketId] });
      expect(driver.get('ticket', ticketId).closed?.decision).toEqual({ how: 'withdrawn' });
    },
  );

  it('wakes a run that waits without a process', { tags: 'words-can-answer-a-waiting-run' }, () => {
    const { driver } = waiting();
    driver.pass(driver.rules.parkAfterMs);
    expect(driver.phase).toBe('parked');
    expect(driver.accept({ whenBusy: 'steer', token: 'two' }).started).toMatchObject({ token: 'two', attempt: 2 });
  });

  it(
    'queues behind an agent that takes no input, and the receipt says so',
    { tags: 'steer-falls-back-to-the-queue' },
    () => {
      const driver = new LaneDriver();
      driver.start({ agent: { ...agent, takesInput: false } });
      expect(driver.accept({ whenBusy: 'steer', agent: { ...agent, takesInput: false } }).became).toBe('queued');
    },
  );

  it('queues behind the run of another agent', () => {
    const { driver } = running();
    expect(driver.accept({ whenBusy: 'steer', agent: { ...agent, id: 'other' } }).became).toBe('queued');
  });

  it('queues behind a run that is being stopped', { tags: 'steer-falls-back-to-the-queue' }, () => {
    const { driver, runId } = running();
    driver.cancel({ run: runId });
    expect(driver.accept({ whenBusy: 'steer' }).became).toBe('queued');
  });

  it('queues on an idle thread', () => {
    const driver = new LaneDriver();
    expect(driver.accept({ whenBusy: 'steer' }).became).toBe('queued');
  });

  it('queues when it branches: a turn that runs has one history', () => {
    const driver = new LaneDriver();
    const { token } = driver.start({ messages: [{ id: 'u1', role: 'user', parts: [] }] });
    driver.say(token, 'answer');
    driver.settle(token);
    driver.start({ messages: ['second'] });
    expect(driver.accept({ base: 'u1', messages: ['instead'], whenBusy: 'steer' }).became).toBe('queued');
  });
});

describe('interrupt', () => {
  it(
    'stops the run, and starts when its holder has let go',
    { tags: ['busy-thread-does-as-asked', 'interrupt-starts-the-next-soon'] },
    () => {
      const { driver, token, runId } = running();
      const urgent = driver.accept({ messages: ['stop, do this'], whenBusy: 'interrupt', token: 'unused' });
      expect(urgent).toMatchObject({ became: 'queued', started: undefined });
      expect(driver.phase).toBe('stopping');
      expect(driver.events('run.stopping')).toMatchObject([{ runId, reason: 'interrupted', by: 'alice' }]);
      driver.nowMs += 10;
      const { started } = driver.settle(token, undefined, { token: 'next' });
      expect(driver.outcomeOf(runId)).toEqual({ type: 'cancelled', by: 'alice', reason: 'interrupted' });
      expect(started).toMatchObject({ token: 'next', fresh: { messages: [{ parts: [{ text: 'stop, do this' }] }] } });
    },
  );

  it(
    'starts after the grace when the old agent is slow, and its token is worth nothing then',
    { tags: ['slow-agent-fails-no-interrupt', 'claim-alone-may-write'] },
    () => {
      const { driver, token } = running();
      driver.accept({ whenBusy: 'interrupt' });
      driver.pass(driver.rules.graceMs - 1);
      expect(driver.phase).toBe('stopping');
      driver.append(token, { type: 'notice', level: 'info', text: 'still here' });
      driver.pass(1);
      expect(refusal(() => driver.append(token, { type: 'notice', level: 'info', text: 'too late' }))).toBe(
        'claim-lost',
      );
      expect(driver.finish({ token: 'next' }).started).toMatchObject({ token: 'next' });
    },
  );

  it('ends a waiting run as cancelled, its questions withdrawn', () => {
    const { driver, token, runId, ticketId } = waiting();
    driver.accept({ whenBusy: 'interrupt' });
    driver.settle(token);
    expect(driver.outcomeOf(runId)).toMatchObject({ type: 'cancelled', reason: 'interrupted' });
    expect(driver.get('ticket', ticketId).closed?.decision).toEqual({ how: 'withdrawn' });
    expect(driver.events('ticket.closed')).toMatchObject([{ ticketId, how: 'withdrawn' }]);
  });

  it('ends a run that nobody executes without a grace', () => {
    const { driver } = waiting();
    driver.pass(driver.rules.parkAfterMs);
    driver.accept({ whenBusy: 'interrupt' });
    expect(driver.phase).toBe('ending');
    expect(driver.finish({ token: 'next' }).started).toBeDefined();
  });

  it(
    'supersedes what the same actor had queued, and leaves the work of others',
    { tags: ['interrupt-supersedes-own-queue', 'ended-run-says-how'] },
    () => {
      const { driver } = running();
      const mine = driver.accept({ messages: ['mine'] });
      const pending = driver.accept({ messages: ['pending'], whenBusy: 'steer' });
      const theirs = driver.accept({ messages: ['theirs'], by: bob });
      driver.accept({ messages: ['urgent'], whenBusy: 'interrupt' });
      expect(driver.get('activation', mine.activation.id).state).toMatchObject({
        is: 'answered',
        outcome: { type: 'cancelled', reason: 'superseded' },
      });
      expect(driver.stateOf(pending.activation)).toBe('retracted');
      expect(driver.stateOf(theirs.activation)).toBe('queued');
    },
  );

  it('goes before the queued work and the pending input of others', () => {
    const { driver, token } = running();
    driver.accept({ messages: ['pending'], by: bob, whenBusy: 'steer' });
    driver.pass(1_000);
    driver.accept({ messages: ['queued'], by: bob, priority: 1 });
    driver.pass(1_000);
    driver.accept({ messages: ['urgent'], whenBusy: 'interrupt' });
    driver.settle(token);
    for (let left = 3; left > 0; left--) driver.settle(driver.claim().token);
    expect(driver.history()).toEqual(['user: first', 'user: urgent', 'user: queued', 'user: pending']);
  });

  it('supersedes what waits to be claimed when no run is open', () => {
    const driver = new LaneDriver();
    const waits = driver.accept({ messages: ['old'] });
    expect(driver.accept({ messages: ['new'], whenBusy: 'interrupt', token: 'one' }).became).toBe('running');
    expect(driver.stateOf(waits.activation)).toBe('answered');
    expect(driver.history()).toEqual(['user: new']);
  });

  it('is not refused for the queue that it supersedes', () => {
    const driver = new LaneDriver({ queuePerThread: 1 });
    driver.start();
    driver.accept();
    expect(driver.accept({ whenBusy: 'interrupt' }).became).toBe('queued');
  });

  it('of a combined run takes this actor’s requests out, and leaves those of others', () => {
    const { driver, token } = running();
    const mine = driver.accept({ messages: ['mine'], whenBusy: 'steer' });
    const theirs = driver.accept({ messages: ['theirs'], by: bob, whenBusy: 'steer' });
    driver.accept({ messages: ['in between'], by: bob, priority: 0 });
    driver.settle(token, undefined, { token: 'two' });
    driver.accept({ messages: ['urgent'], whenBusy: 'interrupt' });
    expect(driver.stateOf(mine.activation)).toBe('retracted');
    expect(driver.stateOf(theirs.activation)).toBe('queued');
    driver.settle('two');
    for (let left = 2; left > 0; left--) driver.settle(driver.claim().token);
    expect(driver.history()).toEqual(['user: first', 'user: in between', 'user: urgent', 'user: theirs']);
  });
});

describe('reject', () => {
  it(
    'refuses while a run runs, and writes nothing',
    { tags: ['reject-refuses-on-a-busy-thread', 'busy-thread-does-as-asked'] },
    () => {
      const { driver } = running();
      const before = driver.lane;
      expect(refusal(() => driver.accept({ whenBusy: 'reject' }))).toBe('run-conflict');
      expect(driver.lane).toBe(before);
    },
  );

  it('refuses while a run waits, naming the questions', { tags: 'reject-refuses-on-a-busy-thread' }, () => {
    const { driver, ticketId } = waiting();
    expect(() => driver.accept({ whenBusy: 'reject' })).toThrow(ticketId);
  });

  it('refuses while another request waits to be claimed', () => {
    const driver = new LaneDriver();
    driver.accept();
    expect(refusal(() => driver.accept({ whenBusy: 'reject' }))).toBe('run-conflict');
  });

  it('lets a request in on an idle thread', () => {
    const { driver, token } = running();
    driver.settle(token);
    expect(driver.accept({ whenBusy: 'reject', token: 'two' }).became).toBe('running');
  });
});

describe('the queue of a thread', () => {
  it('is limited, pending input counted with it', () => {
    const driver = new LaneDriver({ queuePerThread: 2 });
    driver.start();
    driver.accept();
    driver.accept({ whenBusy: 'steer' });
    expect(refusal(() => driver.accept())).toBe('too-many');
    expect(refusal(() => driver.accept({ whenBusy: 'steer' }))).toBe('too-many');
    expect(driver.all('activation')).toHaveLength(3);
  });

  it('counts requests, not the runs that they were combined into', () => {
    const driver = new LaneDriver({ queuePerThread: 2 });
    const { token } = driver.start();
    driver.accept({ whenBusy: 'steer' });
    driver.accept({ whenBusy: 'steer' });
    driver.settle(token, failed(false));
    expect(refusal(() => driver.accept())).toBe('too-many');
  });

  it('has room again when something was taken', () => {
    const driver = new LaneDriver({ queuePerThread: 1 });
    const { token } = driver.start();
    driver.accept();
    driver.settle(token, undefined, { token: 'two' });
    expect(driver.accept().became).toBe('queued');
  });
});

describe('all queues together', () => {
  it('are limited; what executes at once does not wait', () => {
    const driver = new LaneDriver({ queueInAll: 3 });
    const full = { ...driver.acceptance({ token: 'one' }), waitsInAll: 3 };
    expect(driver.do(full).became).toBe('running');
    expect(refusal(() => driver.do({ ...driver.acceptance({ token: 'two' }), waitsInAll: 3 }))).toBe('too-many');
    expect(driver.do({ ...driver.acceptance(), waitsInAll: 2 }).became).toBe('queued');
  });

  it('take no request without a slot on an idle thread when they are full', () => {
    const driver = new LaneDriver({ queueInAll: 3 });
    expect(refusal(() => driver.do({ ...driver.acceptance(), waitsInAll: 3 }))).toBe('too-many');
  });
});

describe('a receipt', () => {
  it('stays with the request: its repetition finds what it became, however it stands by then', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    const said = { key: 'k', messages: ['again'], whenBusy: 'steer' } as const;
    const received = { became: 'pending', runId, blockedBy: [] };
    expect(driver.accept(said).activation.received).toEqual(received);
    driver.settle(token, undefined, { token: 'two' });
    expect(driver.accept(said)).toMatchObject({ was: 'repeated', became: 'running', activation: { received } });
  });
});

describe('a door', () => {
  it('is told what a request became, whoever it was accepted for', () => {
    const { driver, runId } = running();
    const staged = driver.accept({ by: bob, whenBusy: 'steer' });
    expect(driver.events('input.staged')).toMatchObject([
      { runId, activation: staged.activation.id, actor: bob.actor, door: bob.door },
    ]);
    expect(alice.door).not.toBe(bob.door);
  });
});
