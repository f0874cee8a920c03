import { describe, expect, it } from 'vitest';
import { alice, bob, failed, LaneDriver, refusal } from '../../support/lane-driver.ts';

describe('cancel of a request', () => {
  it('ends the run that it started, whoever else the run serves by now', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start({ key: 'first' });
    driver.accept({ key: 'second', by: bob, whenBusy: 'steer' });
    driver.do({ type: 'takeInput', token, key: '1' });
    expect(driver.cancel({ activation: 'ag-ui:first' })).toEqual({ runs: { [runId]: 'stopping' }, retracted: [] });
  });

  it('is refused once a run that others started has taken it, and leaves that run alone', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    driver.accept({ key: 'second', by: bob, whenBusy: 'steer' });
    driver.do({ type: 'takeInput', token, key: '1' });
    expect(refusal(() => driver.cancel({ activation: 'acp:second' }, bob))).toBe('input-taken');
    expect(driver.phase).toBe('running');
  });

  it('ends the caller’s own run by what was taken into it later', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    driver.accept({ key: 'second', whenBusy: 'steer' });
    driver.do({ type: 'takeInput', token, key: '1' });
    expect(driver.cancel({ activation: 'ag-ui:second' }).runs).toEqual({ [runId]: 'stopping' });
  });

  it('is its own caller’s alone', () => {
    const driver = new LaneDriver();
    driver.start({ key: 'first' });
    expect(refusal(() => driver.cancel({ activation: 'ag-ui:first' }, bob))).toBe('forbidden');
    expect(driver.phase).toBe('running');
  });
});

describe('cancel of a run', () => {
  it('gives its holder a grace to close what is open; whatever the agent says, it ends cancelled', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    expect(driver.cancel({ run: runId })).toEqual({ runs: { [runId]: 'stopping' }, retracted: [] });
    driver.say(token, 'last words');
    driver.settle(token, { type: 'completed', stop: 'end_turn' });
    expect(driver.outcomeOf(runId)).toEqual({ type: 'cancelled', by: 'alice', reason: 'cancelled' });
    expect(driver.history()).toEqual(['user: hello', 'assistant: last words']);
    expect(driver.get('run', runId).deliveries).toMatchObject([{ how: 'cancelled', token }]);
  });

  it('ends cancelled also when the agent fails on its way out, without a retry', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    driver.cancel({ run: runId });
    expect(driver.settle(token, failed(true)).is).toBe('done');
    expect(driver.outcomeOf(runId)?.type).toBe('cancelled');
  });

  it(
    'revokes the token at the end of the grace, and the terminal event is written for it',
    { tags: 'claim-alone-may-write' },
    () => {
      const driver = new LaneDriver();
      const { token, runId } = driver.start();
      driver.say(token, 'half an ans');
      driver.cancel({ run: runId });
      expect(driver.wakesInMs).toBe(driver.rules.graceMs);
      driver.pass(driver.rules.graceMs);
      expect(driver.phase).toBe('ending');
      expect(refusal(() => driver.settle(token))).toBe('claim-lost');
      expect(refusal(() => driver.say(token, 'too late'))).toBe('claim-lost');
      driver.finish();
      expect(driver.outcomeOf(runId)).toMatchObject({ type: 'cancelled', reason: 'cancelled' });
      expect(driver.history()).toEqual(['user: hello', 'assistant: half an ans']);
      expect(driver.events('run.finished')).toHaveLength(1);
    },
  );

  it('opens nothing new in the grace', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    driver.cancel({ run: runId });
    expect(refusal(() => driver.ask(token, 'q'))).toBe('claim-lost');
    expect(refusal(() => driver.do({ type: 'once', token, key: 'k', digest: '', repeat: false }))).toBe('claim-lost');
    expect(driver.do({ type: 'wait', token })).toEqual({ waiting: false });
  });

  it('keeps the result of an effect that was started before it', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    driver.do({ type: 'once', token, key: 'k', digest: '', repeat: false });
    driver.cancel({ run: runId });
    driver.do({ type: 'endOnce', token, key: 'k', result: 42 });
    expect(driver.get('journal', `${runId}/0/k`).entry).toMatchObject({ is: 'finished', result: 42 });
  });

  it(
    'of a waiting run is durable, and withdraws its questions',
    { tags: 'cancelled-waiting-run-stays-cancelled' },
    () => {
      const driver = new LaneDriver();
      const { token, runId } = driver.start();
      const ticketId = driver.askAndWait(token, 'q');
      driver.cancel({ run: runId });
      expect(refusal(() => driver.decide(ticketId, { type: 'approve' }))).toBe('run-ended');
      driver.settle(token);
      expect(driver.events('ticket.closed')).toMatchObject([{ ticketId, how: 'withdrawn' }]);
      expect(driver.outcomeOf(runId)?.type).toBe('cancelled');
    },
  );

  it.each(['parked', 'in backoff'])('that is %s ends it without a grace', (how) => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    if (how === 'parked') {
      driver.askAndWait(token, 'q');
      driver.pass(driver.rules.parkAfterMs);
    } else driver.settle(token, failed(true));
    expect(driver.cancel({ run: runId }).runs).toEqual({ [runId]: 'ended' });
    driver.finish();
    expect(driver.outcomeOf(runId)?.type).toBe('cancelled');
    expect(driver.lane?.open).toBeUndefined();
  });

  it('that is queued ends it at once, without a start', { tags: 'queued-run-can-be-cancelled' }, () => {
    const driver = new LaneDriver();
    driver.start();
    const { activation } = driver.accept();
    const runId = 'runId' in activation.state ? activation.state.runId : '';
    expect(driver.cancel({ run: runId }).runs).toEqual({ [runId]: 'ended' });
    expect(driver.get('run', runId)).toMatchObject({ status: 'done', attempt: 0, deliveries: [{ how: 'cancelled' }] });
    expect(driver.get('activation', activation.id).state).toMatchObject({
      is: 'answered',
      outcome: { type: 'cancelled' },
    });
  });

  it('repeated changes nothing, while it stops and after its end', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    driver.cancel({ run: runId });
    const stopping = driver.lane;
    expect(driver.cancel({ run: runId }).runs).toEqual({ [runId]: 'was-stopping' });
    expect(driver.lane).toBe(stopping);
    driver.settle(token);
    const ended = driver.lane;
    expect(driver.cancel({ run: runId }).runs).toEqual({ [runId]: 'was-ended' });
    expect(driver.lane).toBe(ended);
  });

  it('is not found when there is no such run', { tags: 'cancel-reaches-what-it-names' }, () => {
    const driver = new LaneDriver();
    driver.start();
    expect(refusal(() => driver.cancel({ run: 'run-0' }))).toBe('not-found');
    expect(refusal(() => driver.cancel({ activation: 'acp:none' }))).toBe('not-found');
  });
});

describe('cancel of an activation', () => {
  it('retracts pending input and leaves the run alone', { tags: 'cancel-reaches-what-it-names' }, () => {
    const driver = new LaneDriver();
    driver.start();
    const { activation } = driver.accept({ whenBusy: 'steer' });
    expect(driver.cancel({ activation: activation.id })).toEqual({ runs: {}, retracted: [activation.id] });
    expect(driver.phase).toBe('running');
  });

  it('stops the run that it runs in, also when a question has answered it', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start({ key: 'k', endsAt: 'waiting' });
    driver.askAndWait(token, 'q');
    expect(driver.stateOf({ id: 'ag-ui:k' })).toBe('answered');
    expect(driver.cancel({ activation: 'ag-ui:k' }).runs).toEqual({ [runId]: 'stopping' });
  });

  it('does nothing once its run is done or it was retracted', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start({ key: 'k' });
    driver.accept({ key: 'p', whenBusy: 'steer' });
    driver.do({ type: 'retract', activationId: 'ag-ui:p', by: alice });
    driver.settle(token);
    const before = driver.lane;
    expect(driver.cancel({ activation: 'ag-ui:k' }).runs).toEqual({ [runId]: 'was-ended' });
    expect(driver.cancel({ activation: 'ag-ui:p' })).toEqual({ runs: {}, retracted: [] });
    expect(driver.lane).toBe(before);
  });

  it('takes only itself out of a run that was combined of several', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    const mine = driver.accept({ messages: ['mine'], whenBusy: 'steer' }).activation;
    const theirs = driver.accept({ messages: ['theirs'], by: bob, whenBusy: 'steer' }).activation;
    driver.settle(token);
    expect(driver.cancel({ activation: mine.id })).toEqual({ runs: {}, retracted: [mine.id] });
    expect(driver.stateOf(theirs)).toBe('queued');
    const { runId, fresh } = driver.claim();
    expect(fresh?.messages).toMatchObject([{ parts: [{ text: 'theirs' }] }]);
    expect(driver.get('run', runId)).toMatchObject({ actor: 'bob', activations: [theirs.id] });
  });
});

describe('cancel of a thread', () => {
  it(
    'reaches all that this caller brought in through this door, and nothing else',
    { tags: 'cancel-reaches-what-it-names' },
    () => {
      const driver = new LaneDriver();
      const { token, runId } = driver.start();
      const queued = driver.accept().activation;
      const pending = driver.accept({ whenBusy: 'steer' }).activation;
      const theirs = driver.accept({ by: bob }).activation;
      const otherDoor = driver.accept({ by: { ...alice, door: 'control' } }).activation;
      const { runs, retracted } = driver.cancel('thread');
      expect(Object.values(runs).toSorted()).toEqual(['ended', 'stopping']);
      expect(retracted).toEqual([pending.id]);
      expect(driver.stateOf(queued)).toBe('answered');
      expect([driver.stateOf(theirs), driver.stateOf(otherDoor)]).toEqual(['queued', 'queued']);
      driver.settle(token);
      expect(driver.outcomeOf(runId)?.type).toBe('cancelled');
    },
  );

  it('lets an IDE’s Esc retract its queued prompt and leaves a web client’s run alone', () => {
    const driver = new LaneDriver();
    const { runId } = driver.start();
    const prompt = driver.accept({ by: bob });
    driver.cancel('thread', bob);
    expect(driver.get('activation', prompt.activation.id).state).toMatchObject({ outcome: { type: 'cancelled' } });
    expect(driver.lane?.open).toMatchObject({ runId, phase: { is: 'running' } });
  });

  it('takes this caller’s requests out of a combined run', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    const mine = driver.accept({ whenBusy: 'steer' }).activation;
    const theirs = driver.accept({ by: bob, whenBusy: 'steer' }).activation;
    driver.settle(token);
    expect(driver.cancel('thread').retracted).toEqual([mine.id]);
    expect(driver.stateOf(theirs)).toBe('queued');
  });

  it('with nothing to reach changes nothing', () => {
    const driver = new LaneDriver();
    driver.start();
    const before = driver.lane;
    expect(driver.cancel('thread', bob)).toEqual({ runs: {}, retracted: [] });
    expect(driver.lane).toBe(before);
  });
});

describe('interrupt', () => {
  it('stops what runs and supersedes what this actor had queued', { tags: 'interrupt-supersedes-own-queue' }, () => {
    const driver = new LaneDriver();
    const { runId } = driver.start({ by: bob });
    const mine = driver.accept().activation;
    const theirs = driver.accept({ by: bob }).activation;
    const { runs } = driver.interrupt();
    expect(runs).toMatchObject({ [runId]: 'stopping' });
    expect(driver.stateOf(mine)).toBe('answered');
    expect(driver.stateOf(theirs)).toBe('queued');
  });

  it('repeated finds the run stopping', () => {
    const driver = new LaneDriver();
    const { runId } = driver.start();
    driver.interrupt();
    const before = driver.lane;
    expect(driver.interrupt().runs).toEqual({ [runId]: 'was-stopping' });
    expect(driver.lane).toBe(before);
  });

  it('with nothing open and nothing queued does nothing', { tags: 'interrupt-of-an-idle-thread-is-nothing' }, () => {
    const driver = new LaneDriver();
    driver.settle(driver.start().token);
    const before = driver.lane;
    expect(driver.interrupt()).toEqual({ runs: {}, retracted: [] });
    expect(driver.lane).toBe(before);
  });

  it('of a run whose holder then dies ends it as stopped', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    driver.interrupt();
    driver.do({ type: 'lost', token });
    driver.finish();
    expect(driver.outcomeOf(runId)).toMatchObject({ type: 'cancelled', reason: 'interrupted' });
  });

  it('of a run that its stopping process releases ends it as stopped', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    driver.interrupt();
    driver.do({ type: 'release', token });
    driver.finish();
    expect(driver.outcomeOf(runId)?.type).toBe('cancelled');
  });
});

describe('finishing', () => {
  it('happens once', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    driver.cancel({ run: runId });
    driver.do({ type: 'lost', token });
    const finish = driver.decideOnly({
      type: 'finish',
      runId,
      written: driver.written(runId),
      ids: { runId: 'r' },
      offer: undefined,
    });
    expect(finish.writes.filter((write) => write.op === 'event')).toHaveLength(1);
    driver.finish();
    const before = driver.lane;
    driver.do({ type: 'finish', runId, written: driver.written(runId), ids: { runId: 'r' }, offer: undefined });
    expect(driver.lane).toBe(before);
  });
});
