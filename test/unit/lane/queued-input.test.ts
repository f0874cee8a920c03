import { describe, expect, it } from 'vitest';
import { alice, bob, failed, LaneDriver, refusal, user } from '../../support/lane-driver.ts';

describe('what waits', () => {
  it('is changed by whoever brought it in, through any door, and by nobody else', () => {
    const driver = new LaneDriver();
    driver.start();
    const activationId = driver.accept().activation.id;
    const others = driver.accept({ by: bob }).activation.id;
    const edited = { type: 'edit', activationId, revision: 1, messages: [user('other words')] } as const;
    expect(refusal(() => driver.do({ ...edited, by: bob }))).toBe('forbidden');
    expect(refusal(() => driver.do({ type: 'retract', activationId, by: bob }))).toBe('forbidden');
    const swap = { type: 'reorder', activationIds: [others, activationId] } as const;
    expect(refusal(() => driver.do({ ...swap, by: alice }))).toBe('forbidden');
    expect(refusal(() => driver.do({ ...swap, by: bob }))).toBe('forbidden');
    const elsewhere = { ...alice, door: 'control' } as const;
    expect(driver.do({ ...edited, by: elsewhere }).activation.revision).toBe(2);
    driver.do({ type: 'retract', activationId, by: elsewhere });
    expect(driver.stateOf({ id: activationId })).toBe('retracted');
  });
});

describe('retract', () => {
  it('takes queued input back: its run ends without a start', { tags: 'waiting-input-can-be-changed' }, () => {
    const driver = new LaneDriver();
    driver.start();
    const { activation } = driver.accept();
    const runId = 'runId' in activation.state ? activation.state.runId : '';
    driver.do({ type: 'retract', activationId: activation.id, by: alice });
    expect(driver.get('activation', activation.id).state).toMatchObject({ is: 'retracted', by: 'alice' });
    expect(driver.get('run', runId)).toMatchObject({ status: 'done', outcome: { type: 'cancelled' } });
    const events = driver.log.filter((event) => event.runId === runId).map((event) => event.type);
    expect(events).toEqual(['run.queued', 'input.retracted', 'run.finished']);
  });

  it('takes pending input back', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    const { activation } = driver.accept({ whenBusy: 'steer' });
    driver.do({ type: 'retract', activationId: activation.id, by: alice });
    expect(driver.do({ type: 'takeInput', token, key: '1' }).messages).toEqual([]);
    expect(driver.events('input.retracted')).toMatchObject([{ activation: activation.id, by: 'alice' }]);
  });

  it('takes one of several out of a combined run, which goes on without it', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    const first = driver.accept({ messages: ['first'], whenBusy: 'steer' }).activation;
    const second = driver.accept({ messages: ['second'], by: bob, whenBusy: 'steer' }).activation;
    driver.settle(token);
    driver.do({ type: 'retract', activationId: first.id, by: alice });
    const { runId } = driver.claim();
    expect(driver.get('run', runId)).toMatchObject({ actor: 'bob', activations: [second.id] });
    expect(driver.history()).toEqual(['user: hello', 'user: second']);
  });

  it('repeated changes nothing', () => {
    const driver = new LaneDriver();
    driver.start();
    const { activation } = driver.accept();
    const first = driver.do({ type: 'retract', activationId: activation.id, by: alice });
    const before = driver.lane;
    expect(driver.do({ type: 'retract', activationId: activation.id, by: alice })).toEqual(first);
    expect(driver.lane).toBe(before);
  });

  it('is refused for what a run has taken, and for what never was', { tags: 'waiting-input-can-be-changed' }, () => {
    const driver = new LaneDriver();
    driver.start({ key: 'k' });
    expect(refusal(() => driver.do({ type: 'retract', activationId: 'ag-ui:k', by: alice }))).toBe('input-taken');
    expect(refusal(() => driver.do({ type: 'retract', activationId: 'ag-ui:none', by: alice }))).toBe('not-found');
  });
});

describe('edit', () => {
  it.each(['queue', 'steer'] as const)(
    'changes what input says that waits (%s)',
    { tags: 'waiting-input-can-be-changed' },
    (whenBusy) => {
      const driver = new LaneDriver();
      const { token } = driver.start();
      const { activation } = driver.accept({ messages: [user('befor', 'm')], whenBusy });
      const edited = driver.do({
        type: 'edit',
        activationId: activation.id,
        revision: 1,
        messages: [user('after')],
        by: alice,
      });
      expect(edited.activation.revision).toBe(2);
      if (whenBusy === 'steer') driver.do({ type: 'takeInput', token, key: '1' });
      else {
        driver.settle(token);
        driver.claim();
      }
      expect(driver.history()).toEqual(['user: hello', 'user: after']);
      expect(driver.get('message', 'm').parts).toEqual([{ type: 'text', text: 'after' }]);
    },
  );

  it('of pending input is told as the run’s own, in its attempt', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    driver.settle(token, failed(true));
    driver.pass(250);
    const { token: second } = driver.claim();
    const { activation } = driver.accept({ whenBusy: 'steer' });
    driver.do({ type: 'edit', activationId: activation.id, revision: 1, messages: [user('x')], by: alice });
    expect(driver.events('input.edited')).toMatchObject([{ runId, attempt: 2, token: second }]);
    expect(driver.view(runId).attempt).toBe(2);
  });

  it('may leave messages out, and adds none', () => {
    const driver = new LaneDriver();
    driver.start();
    const { activation } = driver.accept({ messages: [user('a', 'a'), user('b', 'b')] });
    const edit = { type: 'edit', activationId: activation.id, by: alice } as const;
    driver.do({ ...edit, revision: 1, messages: [user('only')] });
    expect(driver.get('activation', activation.id).messageIds).toEqual(['a']);
    expect(refusal(() => driver.do({ ...edit, revision: 2, messages: [user('x'), user('y')] }))).toBe(
      'invalid-request',
    );
  });

  it('is refused when it was changed since it was read', { tags: 'waiting-input-can-be-changed' }, () => {
    const driver = new LaneDriver();
    driver.start();
    const { activation } = driver.accept();
    const edit = { type: 'edit', activationId: activation.id, revision: 1, by: alice } as const;
    driver.do({ ...edit, messages: [user('one')] });
    expect(refusal(() => driver.do({ ...edit, messages: [user('two')] }))).toBe('revision-conflict');
    expect(refusal(() => driver.do({ ...edit, revision: 7, messages: [user('two')] }))).toBe('revision-conflict');
  });

  it('repeated changes nothing and has the first outcome', () => {
    const driver = new LaneDriver();
    driver.start();
    const { activation } = driver.accept();
    const edit = {
      type: 'edit',
      activationId: activation.id,
      revision: 1,
      messages: [user('one')],
      by: alice,
    } as const;
    const first = driver.do(edit);
    const before = driver.lane;
    expect(driver.do(edit)).toEqual(first);
    expect(driver.lane).toBe(before);
  });

  it('is refused for what a run has taken, and for what never was', { tags: 'waiting-input-can-be-changed' }, () => {
    const driver = new LaneDriver();
    driver.start({ key: 'k' });
    const edit = { type: 'edit', revision: 1, messages: [user('x')], by: alice } as const;
    expect(refusal(() => driver.do({ ...edit, activationId: 'ag-ui:k' }))).toBe('input-taken');
    expect(refusal(() => driver.do({ ...edit, activationId: 'ag-ui:none' }))).toBe('not-found');
  });
});

describe('reorder', () => {
  function queued(): { driver: LaneDriver; token: string; ids: readonly [string, string, string] } {
    const driver = new LaneDriver();
    const { token } = driver.start({ messages: ['first'] });
    const [a, b, c] = ['a', 'b', 'c'].map((text) => {
      driver.pass(1_000);
      return driver.accept({ messages: [text] }).activation.id;
    });
    return { driver, token, ids: [a ?? '', b ?? '', c ?? ''] };
  }

  it(
    'puts queued requests in the given order, whenever they were accepted',
    { tags: 'waiting-input-can-be-changed' },
    () => {
      const { driver, token, ids } = queued();
      const [a, b, c] = ids;
      const activationIds = [c, a, b];
      expect(driver.do({ type: 'reorder', activationIds, by: alice })).toEqual({ order: activationIds });
      driver.settle(token);
      for (let left = 3; left > 0; left--) driver.settle(driver.claim().token);
      expect(driver.history()).toEqual(['user: first', 'user: c', 'user: a', 'user: b']);
    },
  );

  it('moves those it names among their own places', () => {
    const { driver, token, ids } = queued();
    const [a, , c] = ids;
    driver.do({ type: 'reorder', activationIds: [c, a], by: alice });
    driver.settle(token);
    for (let left = 3; left > 0; left--) driver.settle(driver.claim().token);
    expect(driver.history()).toEqual(['user: first', 'user: c', 'user: b', 'user: a']);
  });

  it('orders pending input', { tags: 'waiting-input-can-be-changed' }, () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    const [a, b] = ['a', 'b'].map((text) => driver.accept({ messages: [text], whenBusy: 'steer' }).activation.id);
    driver.do({ type: 'reorder', activationIds: [b ?? '', a ?? ''], by: alice });
    const { messages } = driver.do({ type: 'takeInput', token, key: '1' });
    expect(messages.map((message) => message.parts)).toMatchObject([[{ text: 'b' }], [{ text: 'a' }]]);
  });

  it('moves requests that wait as one run together, to where the first of them is named', () => {
    const driver = new LaneDriver();
    const { token } = driver.start({ messages: ['first'] });
    driver.accept({ messages: ['c'] });
    const { id: d } = driver.accept({ messages: ['d'] }).activation;
    const [a, b] = ['a', 'b'].map((text) => driver.accept({ messages: [text], whenBusy: 'steer' }).activation.id);
    driver.settle(token, undefined, { token: 'two' });
    const activationIds = [b ?? '', d, a ?? ''];
    expect(driver.do({ type: 'reorder', activationIds, by: alice })).toEqual({ order: [a, b, d] });
    driver.settle('two');
    for (let left = 2; left > 0; left--) driver.settle(driver.claim().token);
    expect(driver.history()).toEqual(['user: first', 'user: c', 'user: a', 'user: b', 'user: d']);
  });

  it('repeated changes nothing', () => {
    const { driver, ids } = queued();
    const [a, b, c] = ids;
    driver.do({ type: 'reorder', activationIds: [c, b, a], by: alice });
    const before = driver.lane;
    driver.nowMs += 1_000;
    driver.do({ type: 'reorder', activationIds: [c, b, a], by: alice });
    expect(driver.lane).toBe(before);
  });

  it('is refused for what does not wait or never was, and for one named twice', () => {
    const { driver, token, ids } = queued();
    const [a, b] = ids;
    expect(refusal(() => driver.do({ type: 'reorder', activationIds: [a, b, a], by: alice }))).toBe('invalid-request');
    expect(refusal(() => driver.do({ type: 'reorder', activationIds: [b, 'none'], by: alice }))).toBe('not-found');
    driver.settle(token, undefined, { token: 'two' });
    expect(refusal(() => driver.do({ type: 'reorder', activationIds: [b, a], by: alice }))).toBe('input-taken');
  });
});
