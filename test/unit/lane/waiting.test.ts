import { describe, expect, it } from 'vitest';
import type { MessageInput } from '../../../schemas/message.ts';
import type { Outcomes } from '../../../src/lane/command.ts';
import { agent, alice, assistant, bob, failed, LaneDriver, user } from '../../support/lane-driver.ts';

describe('a run that waits', () => {
  it('says so once, and answers the requests that a question ends', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start({ key: 'web', endsAt: 'waiting' });
    const editor = driver.accept({ key: 'ide', whenBusy: 'steer', endsAt: 'done' }).activation;
    driver.do({ type: 'takeInput', token, key: '1' });
    const ticketId = driver.askAndWait(token, 'q');
    const before = driver.lane;
    expect(driver.do({ type: 'wait', token })).toEqual({ waiting: true });
    expect(driver.lane).toBe(before);
    expect(driver.events('run.waiting')).toMatchObject([{ ticketIds: [ticketId] }]);
    expect(driver.get('run', runId).status).toBe('waiting');
    expect(driver.get('activation', 'ag-ui:web').state).toMatchObject({
      is: 'answered',
      outcome: { type: 'waiting', ticketIds: [ticketId] },
      toSeq: driver.log.length,
    });
    expect(driver.stateOf(editor)).toBe('attached');
  });

  it(
    'says so once for three questions, one of them late, while a tool still works',
    { tags: 'waiting-run-shows-its-questions' },
    () => {
      const driver = new LaneDriver();
      const { token } = driver.start();
      driver.append(token, { type: 'tool.started', id: 'sibling', name: 'slow', runBy: 'agent' });
      const asked = [driver.ask(token, 'a'), driver.ask(token, 'b')];
      driver.nowMs += 200;
      asked.push(driver.ask(token, 'c'));
      driver.append(token, { type: 'tool.called', id: 'sibling', args: '{}' });
      driver.do({ type: 'wait', token });
      expect(driver.events('run.waiting')).toMatchObject([{ ticketIds: asked.flat().map((ticket) => ticket.id) }]);
    },
  );

  it('says so again when another question comes, so that everybody knows of it', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    const first = driver.askAndWait(token, 'a');
    const [late] = driver.ask(token, 'b');
    expect(driver.phase).toBe('waiting');
    expect(driver.events('run.waiting').at(-1)).toMatchObject({ ticketIds: [first, late?.id] });
  });

  it('does not wait without an open question', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    expect(driver.do({ type: 'wait', token })).toEqual({ waiting: false });
    expect(driver.phase).toBe('running');
  });

  it('runs again when its agent goes on by itself', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    driver.askAndWait(token, 'q');
    driver.do({ type: 'resume', token });
    expect(driver.phase).toBe('running');
    expect(driver.get('run', runId).status).toBe('running');
    expect(driver.events('run.resumed')).toMatchObject([{ cause: 'yield' }]);
    const before = driver.lane;
    driver.do({ type: 'resume', token });
    expect(driver.lane).toBe(before);
  });

  it('whose agent fails meanwhile is retried as one that runs, its questions open', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    const ticketId = driver.askAndWait(token, 'q');
    const before = driver.log.length;
    driver.settle(token, failed(true));
    expect(driver.typesAfter(before)).toEqual(['run.resumed', 'run.retrying']);
    expect(driver.view(runId).status).toBe(driver.get('run', runId).status);
    driver.pass(250);
    driver.claim();
    expect(driver.view(runId).status).toBe('running');
    expect(driver.get('ticket', ticketId).closed).toBeUndefined();
  });

  it(
    'goes on when one of several asks is answered, and waits again for the others',
    { tags: 'some-answers-leave-the-rest-open' },
    () => {
      const driver = new LaneDriver();
      const { token } = driver.start();
      const [first] = driver.ask(token, 'a');
      const second = driver.askAndWait(token, 'b');
      driver.decide(first?.id ?? '', { type: 'approve' });
      expect(driver.phase).toBe('running');
      driver.do({ type: 'wait', token });
      expect(driver.events('run.waiting').at(-1)).toMatchObject({ ticketIds: [second] });
    },
  );

  it('is a boundary', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    driver.ask(token, 'q');
    driver.say(token, 'while asking');
    const head = driver.log.length;
    driver.do({ type: 'wait', token });
    expect(driver.lane?.open?.boundarySeq).toBe(head);
  });

  it('is parked after five minutes: its holder may write no more', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    driver.askAndWait(token, 'q');
    expect(driver.wakesInMs).toBe(300_000);
    driver.pass(299_999);
    expect(driver.phase).toBe('waiting');
    driver.pass(1);
    expect(driver.phase).toBe('parked');
    expect(() => driver.say(token, 'still here')).toThrow('holds nothing');
  });

  it('keeps its process when its agent could not be run again', () => {
    const driver = new LaneDriver();
    const { token } = driver.start({ agent: { ...agent, recovery: 'fail' } });
    const ticketId = driver.askAndWait(token, 'q');
    driver.pass(driver.rules.parkAfterMs * 10);
    expect(driver.phase).toBe('waiting');
    driver.decide(ticketId, { type: 'approve' });
    driver.say(token, 'thank you');
    driver.settle(token);
    expect(driver.history()).toEqual(['user: hello', 'assistant: thank you']);
  });

  it('keeps its lane from others, parked as well', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    driver.askAndWait(token, 'q');
    driver.accept();
    expect(driver.tryClaim()).toBeUndefined();
    driver.pass(driver.rules.parkAfterMs);
    expect(driver.tryClaim()).toBeUndefined();
  });
});

describe('a request that answers questions', () => {
  const resume = (...ids: readonly string[]): { decisions: { ticketId: string; answer: { type: 'approve' } }[] } => ({
    decisions: ids.map((ticketId) => ({ ticketId, answer: { type: 'approve' } })),
  });

  it('continues the run: one run, two requests', { tags: 'answers-need-no-words' }, () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start({ key: 'one', endsAt: 'waiting', messagesAre: 'whole' });
    const ticketId = driver.askAndWait(token, 'q');
    const head = driver.log.length;
    const resumed = driver.accept({
      key: 'two',
      endsAt: 'waiting',
      messagesAre: 'whole',
      messages: [],
      ...resume(ticketId),
    });
    expect(resumed).toMatchObject({ became: 'running', activation: { afterSeq: head, warnings: [] } });
    expect(driver.log.slice(head)).toMatchObject([
      { type: 'ticket.closed', ticketId, how: 'answered' },
      { type: 'run.resumed', cause: 'decision', activation: 'ag-ui:two' },
    ]);
    driver.settle(token);
    expect(driver.get('run', runId).activations).toEqual(['ag-ui:one', 'ag-ui:two']);
    expect(driver.all('run')).toHaveLength(1);
    expect(driver.get('activation', 'ag-ui:two').state).toMatchObject({
      is: 'answered',
      runId,
      fromSeq: head + 1,
      outcome: { type: 'completed' },
    });
  });

  it('claims the parked run that it answers', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    const ticketId = driver.askAndWait(token, 'q');
    driver.pass(driver.rules.parkAfterMs);
    const resumed = driver.accept({ messages: [], token: 'two', ...resume(ticketId) });
    expect(resumed.started).toMatchObject({ runId, token: 'two', attempt: 2 });
  });

  it(
    'is judged entry by entry: what was answered elsewhere is set aside with a warning, the rest applies',
    { tags: ['answers-need-no-words', 'questions-are-everybodys'] },
    () => {
      const driver = new LaneDriver();
      const { token } = driver.start({ endsAt: 'waiting' });
      const [first, second] = driver.ask(token, 'tools', {}, {});
      const form = driver.askAndWait(token, 'form', { kind: 'form' });
      driver.decide(first?.id ?? '', { type: 'deny' }, { ...alice, door: 'acp' });
      const resumed = driver.accept({
        messages: [],
        messagesAre: 'whole',
        endsAt: 'waiting',
        decisions: [
          { ticketId: first?.id ?? '', answer: { type: 'approve' } },
          { ticketId: second?.id ?? '', answer: { type: 'approve' } },
          { ticketId: form, answer: { type: 'value', value: { name: 'A' } } },
        ],
      });
      expect(resumed.activation.warnings).toMatchObject([expect.stringContaining(first?.id ?? '')]);
      expect(driver.get('ticket', first?.id ?? '').closed?.decision).toMatchObject({ answer: { type: 'deny' } });
      expect(driver.get('ticket', second?.id ?? '').closed?.decision).toMatchObject({ answer: { type: 'approve' } });
      expect(driver.phase).toBe('running');
      expect(driver.lane?.open?.tickets).toEqual([]);
    },
  );

  it(
    'that leaves some uncovered ends with those: the run waits on and says so',
    { tags: 'some-answers-leave-the-rest-open' },
    () => {
      const driver = new LaneDriver();
      const { token } = driver.start({ endsAt: 'waiting' });
      const [first, second] = driver.ask(token, 'q', {}, {});
      driver.do({ type: 'wait', token });
      driver.accept({ key: 'two', messages: [], messagesAre: 'whole', endsAt: 'waiting', ...resume(first?.id ?? '') });
      expect(driver.phase).toBe('waiting');
      expect(driver.events('run.waiting').at(-1)).toMatchObject({ ticketIds: [second?.id] });
      expect(driver.get('activation', 'ag-ui:two').state).toMatchObject({
        is: 'answered',
        outcome: { type: 'waiting', ticketIds: [second?.id] },
      });
    },
  );

  it('with an invalid answer is let in, and the question stays open', { tags: 'invalid-answer-leaves-it-open' }, () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    const ticketId = driver.askAndWait(token, 'q', { kind: 'form' });
    const answer = { type: 'value', value: 7 } as const;
    const resumed = driver.accept({
      messages: [],
      decisions: [{ ticketId, answer }],
      problems: { [ticketId]: 'the answer must be object' },
    });
    expect(resumed.activation.warnings).toEqual([expect.stringContaining('must be object')]);
    expect(driver.get('ticket', ticketId).closed).toBeUndefined();
    expect(driver.phase).toBe('waiting');
  });

  it('says the same again without a warning', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    const [first, second] = driver.ask(token, 'q', {}, {});
    driver.do({ type: 'wait', token });
    driver.decide(first?.id ?? '', { type: 'approve' });
    const resumed = driver.accept({ messages: [], ...resume(first?.id ?? '', second?.id ?? '') });
    expect(resumed.activation.warnings).toEqual([]);
    expect(driver.phase).toBe('running');
  });

  it(
    'that all others have answered meanwhile follows the run, and starts no other',
    { tags: 'questions-are-everybodys' },
    () => {
      const driver = new LaneDriver();
      const { token, runId } = driver.start({ endsAt: 'waiting' });
      const ticketId = driver.askAndWait(token, 'q');
      driver.decide(ticketId, { type: 'deny' }, { ...alice, door: 'acp' });
      const late = driver.accept({ messages: [], messagesAre: 'whole', ...resume(ticketId) });
      expect(late).toMatchObject({ became: 'running', activation: { state: { is: 'attached', runId } } });
      expect(late.activation.warnings).toHaveLength(1);
      expect(driver.all('run')).toHaveLength(1);
    },
  );

  const copies: Record<string, () => MessageInput[]> = {
    'is empty': () => [],
    'ends with what it asked': () => [user('hello', 'm-1')],
    'holds what the run has written': () => [user('hello', 'm-1'), assistant('may I?', 'i-1')],
  };
  describe.for(Object.entries(copies))('whose questions are all closed, from a copy that %s,', ([, copy]) => {
    const late = (driver: LaneDriver, ticketId: string): Outcomes['accept'] =>
      driver.accept({ endsAt: 'waiting', messagesAre: 'whole', messages: copy(), key: 'late', ...resume(ticketId) });
    const asked = (driver: LaneDriver): { token: string; runId: string; ticketId: string } => {
      const said = [user('hello', 'm-1')];
      const { token, runId } = driver.start({ endsAt: 'waiting', messagesAre: 'whole', messages: said });
      driver.say(token, 'may I?', 'i-1');
      return { token, runId, ticketId: driver.askAndWait(token, 'q') };
    };

    it('follows the run that goes on', { tags: 'questions-are-everybodys' }, () => {
      const driver = new LaneDriver();
      const { token, runId, ticketId } = asked(driver);
      driver.decide(ticketId, { type: 'deny' });
      expect(late(driver, ticketId)).toMatchObject({
        became: 'running',
        activation: { state: { is: 'attached', runId } },
      });
      driver.settle(token);
      expect(driver.all('run')).toHaveLength(1);
    });

    it('follows the run that is being stopped to its end, and answers nothing', () => {
      const driver = new LaneDriver();
      const { token, runId, ticketId } = asked(driver);
      driver.do({ type: 'cancel', target: { run: runId }, by: alice });
      const { activation } = late(driver, ticketId);
      expect(activation).toMatchObject({
        state: { is: 'attached', runId },
        warnings: [expect.stringContaining('stopped')],
      });
      driver.settle(token);
      expect(driver.get('activation', 'ag-ui:late').state).toMatchObject({ runId, outcome: { type: 'cancelled' } });
      expect(driver.get('ticket', ticketId).closed?.decision).toEqual({ how: 'withdrawn' });
      expect(driver.all('run')).toHaveLength(1);
    });

    it('is answered with the end of the run that is over', { tags: 'questions-are-everybodys' }, () => {
      const driver = new LaneDriver();
      const { token, runId, ticketId } = asked(driver);
      driver.decide(ticketId, { type: 'deny' });
      driver.settle(token);
      const { lastSeq, outcome } = driver.get('run', runId);
      const { became, activation } = late(driver, ticketId);
      expect(became).toBe('answered');
      expect(activation.warnings).toEqual([`${ticketId} was answered already`]);
      expect(activation.state).toEqual({ is: 'answered', runId, fromSeq: lastSeq, toSeq: lastSeq, outcome });
      expect(late(driver, ticketId)).toMatchObject({ became, was: 'repeated', activation: { received: { became } } });
      expect(driver.all('run')).toHaveLength(1);
    });
  });

  it.for(['queue', 'steer'] as const)(
    'with nothing to say is told what is asked, and waits for nothing (%s)',
    (whenBusy) => {
      const said = [user('hello', 'm-1')];
      const written = assistant('may I?', 'i-1');
      for (const messages of [said, [...said, written]]) {
        const driver = new LaneDriver();
        const { token, runId } = driver.start({ endsAt: 'waiting', messagesAre: 'whole', messages: said });
        driver.say(token, 'may I?', 'i-1');
        const ticketId = driver.askAndWait(token, 'q');
        const again = driver.accept({ endsAt: 'waiting', messagesAre: 'whole', messages, whenBusy });
        const outcome = { type: 'waiting', ticketIds: [ticketId] };
        expect(driver.get('activation', again.activation.id).state).toMatchObject({ is: 'answered', runId, outcome });
        driver.decide(ticketId, { type: 'deny' });
        driver.settle(token);
        expect(driver.all('run')).toHaveLength(1);
      }
    },
  );

  it('with nothing to say follows the run that goes on, unless it is another’s, or asks again', () => {
    const said = [user('hello', 'm-1')];
    const copy = [...said, assistant('on my w', 'i-1')];
    const driver = new LaneDriver();
    const { token, runId } = driver.start({ key: 'first', messagesAre: 'whole', messages: said });
    driver.say(token, 'on my way', 'i-1');
    const again = driver.accept({ messagesAre: 'whole', messages: copy });
    expect(again).toMatchObject({
      became: 'running',
      activation: { state: { is: 'attached', runId }, messageIds: [] },
    });
    const others = [
      { by: bob },
      { agent: { ...agent, id: 'other' } },
      { messages: said },
      { whenBusy: 'interrupt' },
    ] as const;
    for (const other of others) {
      const apart = driver.accept({ messagesAre: 'whole', messages: copy, ...other });
      expect(apart.activation.received.runId).not.toBe(runId);
    }
    driver.settle(token);
    expect(driver.get('run', runId).activations).toEqual(['ag-ui:first', again.activation.id]);
  });

  it('asks again what an earlier run was asked, behind open questions: it waits for them', () => {
    const driver = new LaneDriver();
    const said = [user('hello', 'm-1')];
    driver.settle(driver.start({ messagesAre: 'whole', messages: said }).token);
    const { token } = driver.start({ messages: ['and now?'] });
    driver.askAndWait(token, 'q');
    expect(driver.accept({ messagesAre: 'whole', messages: said })).toMatchObject({ became: 'blocked' });
  });

  it('and says something new as well, when its questions are over, is a request of its own', () => {
    const driver = new LaneDriver();
    const { token } = driver.start({ endsAt: 'waiting' });
    const ticketId = driver.askAndWait(token, 'q');
    driver.decide(ticketId, { type: 'deny' });
    driver.settle(token);
    driver.start({ messages: ['and now?'], messagesAre: 'whole', ...resume(ticketId) });
    expect(driver.all('run')).toHaveLength(2);
  });

  it('does not approve by words: a message that comes along enters the thread, the question stays open', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    const [first, second] = driver.ask(token, 'q', {}, {});
    driver.do({ type: 'wait', token });
    driver.accept({ messages: ['yes, go ahead with all'], messagesAre: 'whole', ...resume(first?.id ?? '') });
    expect(driver.get('ticket', second?.id ?? '').closed).toBeUndefined();
    expect(driver.history()).toEqual(['user: hello', 'user: yes, go ahead with all']);
  });

  it('names unknown questions on an idle thread: a run of its own, with warnings', () => {
    const driver = new LaneDriver();
    const said = driver.accept(resume('ticket-0'));
    expect(said.became).toBe('queued');
    expect(driver.get('activation', said.activation.id).warnings).toHaveLength(1);
  });
});
