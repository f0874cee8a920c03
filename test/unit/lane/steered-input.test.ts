import { describe, expect, it } from 'vitest';
import type { MessageInput } from '../../../schemas/message.ts';
import { agent, alice, assistant, bob, failed, LaneDriver, refusal, user } from '../../support/lane-driver.ts';

function steered(...texts: readonly string[]): { driver: LaneDriver; token: string; runId: string; ids: string[] } {
  const driver = new LaneDriver();
  const { token, runId } = driver.start({ messages: ['first'] });
  const ids = texts.map((text) => driver.accept({ messages: [text], whenBusy: 'steer' }).activation.id);
  return { driver, token, runId, ids };
}

describe('pending input', () => {
  it(
    'is taken at the next boundary, in order, and belongs to the run from there on',
    { tags: 'steered-input-is-taken-once' },
    () => {
      const { driver, token, runId, ids } = steered('a', 'b');
      driver.say(token, 'working');
      const { messages } = driver.do({ type: 'takeInput', token, key: '1' });
      expect(messages.map((message) => message.parts)).toMatchObject([[{ text: 'a' }], [{ text: 'b' }]]);
      expect(driver.events('input.taken').map((event) => event.activation)).toEqual(ids);
      for (const id of ids) expect(driver.get('activation', id).state).toMatchObject({ is: 'attached', runId });
      expect(driver.get('run', runId).activations.slice(1)).toEqual(ids);
      driver.say(token, 'now differently');
      driver.settle(token);
      for (const id of ids) expect(driver.get('activation', id).state).toMatchObject({ is: 'answered', runId });
      expect(driver.history()).toEqual([
        'user: first',
        'assistant: working',
        'user: a',
        'user: b',
        'assistant: now differently',
      ]);
    },
  );

  it(
    'is taken once: the same call of a later attempt gets the same messages',
    { tags: 'steered-input-is-taken-once' },
    () => {
      const { driver, token } = steered('a');
      const first = driver.do({ type: 'takeInput', token, key: '1' });
      const head = driver.log.length;
      expect(driver.do({ type: 'takeInput', token, key: '1' })).toEqual(first);
      driver.do({ type: 'lost', token });
      const again = driver.claim();
      expect(driver.do({ type: 'takeInput', token: again.token, key: '1' })).toEqual(first);
      expect(driver.do({ type: 'takeInput', token: again.token, key: '2' })).toEqual({ messages: [] });
      expect(driver.events('message.added')).toHaveLength(2);
      expect(driver.log).toHaveLength(head + 1);
    },
  );

  it('makes what was said before it final', () => {
    const { driver, token } = steered('a');
    driver.say(token, 'working');
    driver.do({ type: 'takeInput', token, key: '1' });
    expect(driver.lane?.open?.boundarySeq).toBe(driver.log.length);
  });

  it('is not taken by a run that is being stopped', () => {
    const { driver, token, runId, ids } = steered('a');
    driver.cancel({ run: runId }, bob);
    expect(driver.do({ type: 'takeInput', token, key: '1' }).messages).toEqual([]);
    driver.settle(token, undefined, { token: 'next' });
    expect(driver.get('activation', ids[0] ?? '').state).toMatchObject({ is: 'attached' });
  });

  it(
    'that was not taken becomes one new run, in order, in the turn that ends the old one',
    { tags: 'steer-falls-back-to-the-queue' },
    () => {
      const { driver, token, ids } = steered('a', 'b');
      driver.accept({ messages: ['later'], by: bob });
      const before = driver.log.length;
      const { started } = driver.settle(token, undefined, { token: 'next' });
      expect(driver.typesAfter(before).slice(0, 4)).toEqual([
        'run.finished',
        'run.queued',
        'run.queued',
        'run.started',
      ]);
      expect(started?.fresh?.requests.map((request) => request.key)).toEqual(ids.map((id) => id.replace('ag-ui:', '')));
      expect(driver.get('run', started?.runId ?? '').activations).toEqual(ids);
      driver.settle('next');
      driver.settle(driver.claim().token);
      expect(driver.history()).toEqual(['user: first', 'user: a', 'user: b', 'user: later']);
    },
  );

  it('is, of a whole copy, what the client says itself', () => {
    const driver = new LaneDriver();
    const before = driver.start({ messages: [user('before', 'u0')], messagesAre: 'whole' });
    const call = driver.callClient(before.token, 'locate');
    driver.settle(before.token);
    const { token } = driver.start({ messages: [user('first', 'u1')] });
    const seen = [user('first', 'u1'), assistant('half of an ans', 'a1')];
    const result = (id: string, toolCallId: string): MessageInput => ({ id, role: 'tool', toolCallId, parts: [] });
    const copy = [...seen, result('t1', 'the run’s own'), result('t2', call), user('second', 'u2')];
    const { activation } = driver.accept({ messages: copy, messagesAre: 'whole', whenBusy: 'steer' });
    const taken = driver.do({ type: 'takeInput', token, key: 'input:1' });
    expect(taken.messages).toMatchObject([{ id: 't2' }, { id: 'u2' }]);
    expect(driver.find('message', 'a1')).toBeUndefined();
    expect(driver.get('activation', activation.id).warnings).toEqual([]);
  });

  it('keeps its place before what was queued after it, however long the run took', () => {
    const { driver, token } = steered('steered');
    driver.pass(1_000);
    driver.accept({ messages: ['queued'], by: bob });
    driver.pass(1_000);
    driver.settle(token);
    driver.settle(driver.claim().token);
    driver.settle(driver.claim().token);
    expect(driver.history()).toEqual(['user: first', 'user: steered', 'user: queued']);
  });

  it('survives a run that failed for good, and one that nobody can run again', () => {
    for (const end of ['fail', 'lose'] as const) {
      const driver = new LaneDriver();
      const fragile = { ...agent, recovery: 'fail' } as const;
      const { token } = driver.start({ agent: fragile, messages: ['first'] });
      driver.accept({ agent: fragile, messages: ['second'], whenBusy: 'steer' });
      if (end === 'fail') driver.settle(token, failed(false));
      else {
        driver.do({ type: 'lost', token });
        driver.finish();
      }
      expect(driver.claim().fresh?.messages).toMatchObject([{ parts: [{ text: 'second' }] }]);
    }
  });

  it('keeps the version of its agent when it becomes a run', { tags: 'run-keeps-agent-version' }, () => {
    const driver = new LaneDriver();
    const { token } = driver.start({ agent: { ...agent, version: '7' } });
    driver.accept({ agent: { ...agent, version: '7' }, whenBusy: 'steer' });
    const { started } = driver.settle(token, undefined, { token: 'next' });
    expect(driver.get('run', started?.runId ?? '').agentVersion).toBe('7');
  });

  it('waits through a retry and is taken by the next attempt', () => {
    const { driver, token } = steered('a');
    driver.settle(token, failed(true));
    driver.pass(250);
    const { token: second } = driver.claim();
    expect(driver.do({ type: 'takeInput', token: second, key: '1' }).messages).toHaveLength(1);
  });
});

describe('bound input', () => {
  function bound(takesInput: boolean): { driver: LaneDriver; token: string; runId: string; id: string } {
    const driver = new LaneDriver();
    const terms = { ...agent, takesInput };
    const { token, runId } = driver.start({ messages: ['first'], agent: terms });
    const said = driver.accept({ messages: ['and this'], whenBusy: 'steer', bound: runId, agent: terms });
    expect(said.became).toBe('pending');
    return { driver, token, runId, id: said.activation.id };
  }

  it.each([true, false])(
    'that was not taken continues the run (its agent takes input in mid-turn: %s)',
    { tags: 'input-for-a-run-continues-it' },
    (takesInput) => {
      const { driver, token, runId, id } = bound(takesInput);
      driver.say(token, 'first answer');
      const settled = driver.settle(token, undefined, { token: 'two' });
      expect(settled).toMatchObject({ is: 'continued', started: { runId, token: 'two', attempt: 2, turn: 1 } });
      expect(driver.events('run.finished')).toEqual([]);
      expect(driver.get('activation', id).state).toMatchObject({ is: 'attached', runId });
      expect(driver.events('run.resumed')).toMatchObject([{ cause: 'input', runId, token }]);
      driver.say('two', 'second answer');
      driver.settle('two');
      expect(driver.outcomeOf(runId)).toMatchObject({ type: 'completed' });
      expect(driver.history()).toEqual([
        'user: first',
        'assistant: first answer',
        'user: and this',
        'assistant: second answer',
      ]);
    },
  );

  it('joins a run that has not begun, which begins with it', { tags: 'input-for-a-run-continues-it' }, () => {
    const driver = new LaneDriver();
    const { token } = driver.start({ messages: ['first'] });
    const queued = driver.accept({ messages: ['second'] });
    const other = driver.accept({ messages: ['third'] });
    const runId = queued.activation.received.runId;
    const more = { messages: ['and this'], whenBusy: 'steer', bound: runId, expectedRunId: runId } as const;
    const said = driver.accept({ key: 'more', ...more });
    expect(said).toMatchObject({
      became: 'queued',
      activation: { received: { runId }, state: { is: 'queued', runId } },
    });
    expect(driver.accept({ key: 'more', ...more })).toMatchObject({ was: 'repeated', became: 'queued' });
    driver.settle(token);
    expect(driver.claim()).toMatchObject({ runId });
    expect(driver.history().slice(-2)).toEqual(['user: second', 'user: and this']);
    expect(driver.get('run', runId).activations).toEqual([queued.activation.id, said.activation.id]);
    expect(driver.stateOf(other.activation)).toBe('queued');
    expect(refusal(() => driver.accept({ ...more, bound: 'run-0', expectedRunId: 'run-0' }))).toBe('run-conflict');
    const third = other.activation.received.runId;
    expect(refusal(() => driver.accept({ ...more, bound: third, expectedRunId: third, by: bob }))).toBe('run-conflict');
  });

  it('leaves a run that has not begun without ending it', () => {
    const driver = new LaneDriver();
    driver.start({ messages: ['first'] });
    const queued = driver.accept({ messages: ['second'] });
    const { runId } = queued.activation.received;
    const said = driver.accept({ messages: ['and this'], whenBusy: 'steer', bound: runId });
    driver.do({ type: 'retract', activationId: said.activation.id, by: alice });
    expect(driver.get('run', runId)).toMatchObject({ status: 'created', activations: [queued.activation.id] });
  });

  it('starts a turn with journal keys of its own', () => {
    const { driver, token } = bound(true);
    driver.do({ type: 'once', token, key: 'k', digest: '', repeat: false });
    driver.do({ type: 'endOnce', token, key: 'k', result: 1 });
    driver.settle(token, undefined, { token: 'two' });
    expect(driver.do({ type: 'once', token: 'two', key: 'k', digest: '', repeat: false })).toEqual({ is: 'started' });
  });

  it('closes the questions that the ended turn left open, so that the next turn’s are its own', () => {
    const { driver, token } = bound(true);
    const [left] = driver.ask(token, 'q');
    driver.settle(token, undefined, { token: 'two' });
    expect(driver.get('ticket', left?.id ?? '').closed?.decision).toEqual({ how: 'withdrawn' });
    const asked = driver.askAndWait('two', 'q');
    driver.decide(asked, { type: 'approve' });
    expect(driver.phase).toBe('running');
  });

  it('leaves input that is not bound for a run of its own', () => {
    const { driver, token, runId } = bound(true);
    const other = driver.accept({ messages: ['something else'], by: bob, whenBusy: 'steer' });
    driver.settle(token, undefined, { token: 'two' });
    expect(driver.stateOf(other.activation)).toBe('pending');
    driver.settle('two');
    expect(driver.get('activation', other.activation.id).state).toMatchObject({ is: 'queued' });
    expect(driver.outcomeOf(runId)?.type).toBe('completed');
  });

  it(
    'of a run that fails or is stopped is retracted, and says so before the end',
    { tags: 'input-for-a-run-continues-it' },
    () => {
      const { driver, token, runId, id } = bound(true);
      driver.cancel({ run: runId });
      const before = driver.log.length;
      driver.settle(token);
      expect(driver.stateOf({ id })).toBe('retracted');
      expect(driver.typesAfter(before)).toEqual(['input.retracted', 'run.finished']);
    },
  );

  it('waits for the questions of a run whose agent takes no input', () => {
    const driver = new LaneDriver();
    const terms = { ...agent, takesInput: false };
    const { token, runId } = driver.start({ agent: terms });
    const ticketId = driver.askAndWait(token, 'q');
    const said = driver.accept({ whenBusy: 'steer', bound: runId, agent: terms });
    expect(said).toMatchObject({ became: 'pending', blockedBy: [ticketId] });
    expect(driver.phase).toBe('waiting');
  });

  it('to a run that has ended is a run of its own', { tags: 'ended-run-is-not-reused' }, () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    driver.settle(token);
    expect(driver.accept({ whenBusy: 'steer', bound: runId }).became).toBe('queued');
  });
});

describe('an A2A follow-up', () => {
  it('to a working task is the task’s: its stream goes on until the continued run ends', () => {
    const driver = new LaneDriver();
    const caller = { ...alice, door: 'a2a' } as const;
    const first = driver.accept({ by: caller, key: 'one', messages: ['count'], token: 'one' });
    const runId = first.started?.runId ?? '';
    driver.accept({ by: caller, key: 'two', messages: ['faster'], whenBusy: 'steer', bound: runId });
    driver.settle('one', undefined, { token: 'two' });
    expect(driver.stateOf(first.activation)).toBe('attached');
    expect(refusal(() => driver.append('one', { type: 'notice', level: 'info', text: 'old turn' }))).toBe('claim-lost');
    driver.settle('two');
    expect(driver.stateOf(first.activation)).toBe('answered');
    expect(driver.get('activation', 'a2a:two').state).toMatchObject({ is: 'answered', runId });
  });
});
