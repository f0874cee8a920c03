import { describe, expect, it } from 'vitest';
import type { Answer, Question } from '../../../schemas/ticket.ts';
import { alice, bob, LaneDriver, refusal } from '../../support/lane-driver.ts';

const week = 7 * 86_400_000;
const upstream = { actor: 'caller', door: 'a2a', origin: 'agent' } as const;

function asking(question: Partial<Question> = {}): {
  driver: LaneDriver;
  token: string;
  runId: string;
  ticketId: string;
} {
  const driver = new LaneDriver();
  const { token, runId } = driver.start();
  return { driver, token, runId, ticketId: driver.askAndWait(token, 'q', question) };
}

describe('a question', () => {
  it('is opened once: the same ask of a later attempt finds it, with its answer', () => {
    const { driver, token, ticketId } = asking();
    const opened = driver.events('ticket.opened').length;
    expect(driver.ask(token, 'q')).toMatchObject([{ id: ticketId }]);
    driver.do({ type: 'lost', token });
    driver.decide(ticketId, { type: 'approve' });
    const { token: second } = driver.claim();
    expect(driver.ask(second, 'q')).toMatchObject([
      {
        id: ticketId,
        closed: { decision: { how: 'answered', answer: { type: 'approve' } }, actor: 'alice', door: 'ag-ui' },
      },
    ]);
    expect(driver.events('ticket.opened')).toHaveLength(opened);
  });

  it('of approval has options by default, a person to answer it, and seven days', () => {
    const { driver, ticketId } = asking();
    const ticket = driver.get('ticket', ticketId);
    expect(ticket.options.map((option) => option.kind)).toEqual(['allow-once', 'reject-once']);
    expect(ticket).toMatchObject({ mayDecide: 'person', editable: false, secret: false, onExpiry: 'dismiss' });
    expect(ticket.expiresAtMs - ticket.openedAtMs).toBe(week);
  });

  it('can be answered while its run still works on something else', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    const [ticket] = driver.ask(token, 'q');
    driver.decide(ticket?.id ?? '', { type: 'deny' });
    expect(driver.phase).toBe('running');
    expect(driver.events('run.resumed')).toEqual([]);
    expect(driver.do({ type: 'wait', token })).toEqual({ waiting: false });
  });

  it('asked together with others is answered when all of them are', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    const [first, second] = driver.ask(token, 'q', { text: 'one?' }, { text: 'two?' });
    driver.do({ type: 'wait', token });
    driver.decide(first?.id ?? '', { type: 'approve' });
    expect(driver.phase).toBe('waiting');
    driver.decide(second?.id ?? '', { type: 'deny' });
    expect(driver.phase).toBe('running');
  });
});

describe('a decision', () => {
  it('closes the ticket and resumes its run', { tags: 'questions-are-everybodys' }, () => {
    const { driver, runId, ticketId } = asking();
    expect(driver.decide(ticketId, { type: 'approve' }, bob)).toMatchObject({
      was: 'decided',
      ticket: { closed: { decision: { how: 'answered', answer: { type: 'approve' } }, actor: 'bob', door: 'acp' } },
    });
    expect(driver.log.slice(-2)).toMatchObject([
      { type: 'ticket.closed', ticketId, how: 'answered', by: { actor: 'bob', door: 'acp' } },
      { type: 'run.resumed', cause: 'decision', runId },
    ]);
    expect(driver.phase).toBe('running');
    expect(driver.lane?.open?.tickets).toEqual([]);
    expect(driver.get('run', runId).status).toBe('running');
  });

  it('wakes a run that waits without a process', () => {
    const { driver, runId, ticketId } = asking();
    driver.pass(driver.rules.parkAfterMs);
    driver.decide(ticketId, { type: 'deny' });
    expect(driver.claim()).toMatchObject({ runId, attempt: 2 });
  });

  it(
    'that is first wins: the same again is a no-op with the first outcome',
    { tags: 'one-decision-per-question' },
    () => {
      const { driver, ticketId } = asking();
      const first = driver.decide(ticketId, { type: 'approve' }, alice, 'd1');
      const before = driver.lane;
      expect(driver.decide(ticketId, { type: 'approve' }, bob)).toEqual({ ...first, was: 'repeated' });
      expect(driver.decide(ticketId, { type: 'approve' }, alice, 'd1')).toEqual({ ...first, was: 'repeated' });
      expect(driver.decide(ticketId, { type: 'deny' }, alice, 'd1')).toEqual({ ...first, was: 'repeated' });
      expect(driver.lane).toBe(before);
    },
  );

  it('that differs from the first is a conflict and changes nothing', { tags: 'one-decision-per-question' }, () => {
    const { driver, ticketId } = asking();
    driver.decide(ticketId, { type: 'approve' });
    const before = driver.lane;
    expect(refusal(() => driver.decide(ticketId, { type: 'deny' }))).toBe('decision-conflict');
    expect(refusal(() => driver.decide(ticketId, { type: 'dismiss' }))).toBe('decision-conflict');
    expect(driver.lane).toBe(before);
  });

  it('is remembered after the run is done', () => {
    const { driver, token, ticketId } = asking();
    driver.decide(ticketId, { type: 'deny' });
    driver.settle(token);
    expect(driver.decide(ticketId, { type: 'deny' }).was).toBe('repeated');
    expect(refusal(() => driver.decide(ticketId, { type: 'approve' }))).toBe('decision-conflict');
  });

  it('repeated writes nothing, also when something else has become due', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    const [first] = driver.ask(token, 'a');
    driver.ask(token, 'b', { expiresInMs: 10 });
    driver.decide(first?.id ?? '', { type: 'approve' });
    driver.nowMs += 1_000;
    const before = driver.lane;
    expect(driver.decide(first?.id ?? '', { type: 'approve' }).was).toBe('repeated');
    expect(driver.lane).toBe(before);
  });

  it('dismisses: the agent gets that, and it is no answer', () => {
    const { driver, ticketId } = asking();
    driver.decide(ticketId, { type: 'dismiss' });
    expect(driver.get('ticket', ticketId).closed?.decision).toEqual({ how: 'dismissed' });
    expect(driver.decide(ticketId, { type: 'dismiss' }).was).toBe('repeated');
  });

  it('on a question that is not there is not found', { tags: 'unknown-question-is-not-found' }, () => {
    const { driver } = asking();
    expect(refusal(() => driver.decide('ticket-0', { type: 'approve' }))).toBe('not-found');
  });

  it('is refused to the agent that called us, unless the question says anyone', () => {
    const { driver, ticketId } = asking();
    expect(refusal(() => driver.decide(ticketId, { type: 'approve' }, upstream))).toBe('forbidden');
    expect(refusal(() => driver.decide(ticketId, { type: 'dismiss' }, upstream))).toBe('forbidden');
    const open = asking({ mayDecide: 'anyone' });
    expect(open.driver.decide(open.ticketId, { type: 'approve' }, upstream).was).toBe('decided');
  });
});

describe('an answer that does not fit', () => {
  const options = [
    { id: 'red', name: 'Red', kind: 'other' },
    { id: 'blue', name: 'Blue', kind: 'other' },
  ] satisfies Question['options'];

  it.each<[string, Partial<Question>, Answer]>([
    ['an approval of a choice', { kind: 'choice', options }, { type: 'approve' }],
    ['a denial of a form', { kind: 'form' }, { type: 'deny' }],
    ['an unknown option', { kind: 'choice', options }, { type: 'option', optionId: 'green' }],
    ['a value for a choice', { kind: 'choice', options }, { type: 'value', value: 'red' }],
    ['a value for an approval', {}, { type: 'value', value: true }],
    ['changed arguments where they may not change', {}, { type: 'approve', args: { path: '/' } }],
    ['changed arguments with an option', {}, { type: 'option', optionId: 'allow-once', args: {} }],
  ])('is %s: the question stays open', { tags: 'invalid-answer-leaves-it-open' }, (_, question, answer) => {
    const { driver, ticketId } = asking(question);
    const before = driver.lane;
    expect(refusal(() => driver.decide(ticketId, answer))).toBe('invalid-answer');
    expect(driver.lane).toBe(before);
    expect(driver.get('ticket', ticketId).closed).toBeUndefined();
  });

  it('breaks the question’s schema: the sender says why', () => {
    const { driver, ticketId } = asking({ kind: 'form', schema: { type: 'object' } });
    const decision = { ticketId, answer: { type: 'value', value: 7 }, problem: 'the answer must be object' } as const;
    expect(() => driver.do({ type: 'decide', decision, by: alice })).toThrow('the answer must be object');
    expect(driver.get('ticket', ticketId).closed).toBeUndefined();
  });

  it.each<[string, Partial<Question>, Answer]>([
    ['an option', { kind: 'choice', options }, { type: 'option', optionId: 'blue' }],
    ['an option of an approval', {}, { type: 'option', optionId: 'reject-once' }],
    ['a value', { kind: 'form' }, { type: 'value', value: { age: 7 } }],
    ['changed arguments', { editable: true }, { type: 'approve', args: { path: '/tmp' } }],
  ])('is not: %s', (_, question, answer) => {
    const { driver, ticketId } = asking(question);
    expect(driver.decide(ticketId, answer).ticket.closed?.decision).toEqual({ how: 'answered', answer });
  });
});

describe('a question that nobody answers in time', () => {
  it('expires: its run gets that as a dismissal, and goes on', () => {
    const { driver, ticketId } = asking({ expiresInMs: 1_000 });
    expect(driver.wakesInMs).toBe(1_000);
    driver.pass(1_000);
    expect(driver.get('ticket', ticketId).closed?.decision).toEqual({ how: 'expired' });
    expect(driver.events('ticket.closed')).toMatchObject([{ how: 'expired' }]);
    expect(driver.phase).toBe('running');
  });

  it('fails its run, if the agent said so, and what else is open is withdrawn', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    const [other] = driver.ask(token, 'other');
    driver.askAndWait(token, 'q', { expiresInMs: 1_000, onExpiry: 'fail' });
    driver.pass(1_000);
    driver.finish();
    expect(driver.outcomeOf(runId)).toMatchObject({ type: 'failed', fault: { code: 'timeout' }, retryable: false });
    expect(driver.get('ticket', other?.id ?? '').closed?.decision).toEqual({ how: 'withdrawn' });
    expect(refusal(() => driver.say(token, 'late'))).toBe('claim-lost');
  });

  it.each(['approve', 'dismiss'] as const)(
    'takes no late %s, and the refusal has no side effects',
    { tags: 'late-decision-does-nothing' },
    (type) => {
      for (const onExpiry of ['dismiss', 'fail'] as const) {
        const { driver, ticketId } = asking({ expiresInMs: 1_000, onExpiry });
        driver.nowMs += 1_000;
        const before = driver.lane;
        const head = driver.log.length;
        expect(refusal(() => driver.decide(ticketId, { type }))).toBe('decision-conflict');
        expect(driver.lane).toBe(before);
        expect(driver.log).toHaveLength(head);
        driver.pass(0);
        expect(driver.get('ticket', ticketId).closed?.decision).toEqual({ how: 'expired' });
        expect(refusal(() => driver.decide(ticketId, { type }))).toBe('decision-conflict');
      }
    },
  );

  it('does not expire once its run is told to stop: then it is withdrawn', () => {
    const { driver, token, runId, ticketId } = asking({ expiresInMs: 1_000 });
    driver.cancel({ run: runId });
    driver.pass(1_000);
    expect(driver.get('ticket', ticketId).closed).toBeUndefined();
    driver.settle(token);
    expect(driver.get('ticket', ticketId).closed?.decision).toEqual({ how: 'withdrawn' });
  });

  it('expires also in backoff and without a process', () => {
    const { driver, ticketId } = asking({ expiresInMs: 400_000 });
    driver.pass(driver.rules.parkAfterMs);
    expect(driver.phase).toBe('parked');
    driver.pass(100_000);
    expect(driver.get('ticket', ticketId).closed?.decision).toEqual({ how: 'expired' });
    expect(driver.claim().attempt).toBe(2);
  });
});

describe('the end of a run', () => {
  it('withdraws what is still open, visibly', () => {
    const { driver, token, ticketId } = asking();
    driver.do({ type: 'resume', token });
    driver.settle(token);
    expect(driver.get('ticket', ticketId).closed?.decision).toEqual({ how: 'withdrawn' });
    expect(driver.events('ticket.closed')).toMatchObject([{ ticketId, how: 'withdrawn' }]);
    expect(refusal(() => driver.decide(ticketId, { type: 'approve' }))).toBe('decision-conflict');
  });
});

describe('a withdrawal', () => {
  it('closes the questions that it names, once', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    const [first, second] = driver.ask(token, 'q', {}, {});
    const ticketIds = [first?.id ?? '', 'ticket-0'];
    driver.do({ type: 'withdraw', token, ticketIds });
    const before = driver.lane;
    driver.do({ type: 'withdraw', token, ticketIds });
    expect(driver.lane).toBe(before);
    expect(driver.lane?.open?.tickets).toMatchObject([{ id: second?.id }]);
  });

  it('of the last question of a waiting run lets it go on, instead of waiting for nobody', () => {
    const { driver, token, ticketId } = asking();
    driver.do({ type: 'withdraw', token, ticketIds: [ticketId] });
    expect(driver.phase).toBe('running');
    driver.pass(driver.rules.parkAfterMs);
    expect(driver.phase).toBe('running');
  });
});

describe('a secret answer', () => {
  it('goes to the agent alone, never into events', () => {
    const { driver, token, ticketId } = asking({ kind: 'form', secret: true });
    driver.decide(ticketId, { type: 'value', value: 'hunter2' });
    driver.do({ type: 'lost', token });
    const asked = driver.ask(driver.claim().token, 'q', { kind: 'form', secret: true });
    expect(asked).toMatchObject([{ closed: { decision: { answer: { value: 'hunter2' } } } }]);
    expect(JSON.stringify(driver.log)).not.toContain('hunter2');
    const [closed] = driver.events('ticket.closed');
    expect(closed).toMatchObject({ how: 'answered', by: { actor: 'alice' } });
    expect(closed?.decision).toBeUndefined();
  });
});
