import { describe, expect, it } from 'vitest';
import type { MessageInput } from '../../../schemas/message.ts';
import { bob, failed, LaneDriver } from '../../support/lane-driver.ts';

function left(...names: readonly string[]): { driver: LaneDriver; runId: string; calls: string[] } {
  const driver = new LaneDriver();
  const { token, runId } = driver.start({ messages: ['where am I?'] });
  const calls = names.map((name) => driver.callClient(token, name));
  driver.settle(token);
  return { driver, runId, calls };
}

const result = (
  toolCallId: string,
  text: string,
  messageId?: string,
): {
  toolCallId: string;
  parts: { type: 'text'; text: string }[];
  messageId: string | undefined;
} => ({ toolCallId, parts: [{ type: 'text', text }], messageId });

describe('a run that calls a tool of the client', () => {
  it('is done with the calls it left', () => {
    const { driver, runId, calls } = left('locate', 'confirm');
    expect(driver.outcomeOf(runId)).toMatchObject({ type: 'completed', pendingToolCalls: calls });
    expect(driver.lane?.left).toEqual({ runId, toolCallIds: calls });
  });

  it('is continued by the run that brings the result, which is recorded first', () => {
    const { driver, runId, calls } = left('locate');
    const [call = ''] = calls;
    const next = driver.start({ toolResults: [result(call, 'Berlin', 'tm')], messages: ['and the weather?'] });
    expect(driver.get('run', next.runId).continues).toBe(runId);
    expect(driver.events('tool.result')).toMatchObject([{ id: call, messageId: 'tm', status: 'ok', origin: 'client' }]);
    expect(driver.history()).toEqual(['user: where am I?', 'assistant: ', 'tool: Berlin', 'user: and the weather?']);
    expect(driver.lane?.left).toBeUndefined();
  });

  it('gets a failed call as an error', () => {
    const { driver, calls } = left('locate');
    driver.start({ toolResults: [{ ...result(calls[0] ?? '', 'no'), error: 'denied' }], messages: [] });
    expect(driver.events('tool.result')).toMatchObject([{ status: 'error', error: 'denied' }]);
  });

  it('is answered call by call', () => {
    const { driver, calls } = left('one', 'two');
    const [one = '', two = ''] = calls;
    driver.settle(driver.start({ toolResults: [result(one, '1')], messages: [] }).token);
    expect(driver.lane?.left?.toolCallIds).toEqual([two]);
    driver.start({ toolResults: [result(two, '2')], messages: [] });
    expect(driver.events('tool.result').map((event) => event.id)).toEqual([one, two]);
  });

  it('takes its result also after a run that started without it', () => {
    const { driver, runId, calls } = left('locate');
    const between = driver.start({ by: bob, messages: ['meanwhile'] });
    expect(driver.get('run', between.runId).continues).toBeUndefined();
    driver.settle(between.token);
    const next = driver.start({ toolResults: [result(calls[0] ?? '', 'Berlin')], messages: [] });
    expect(driver.get('run', next.runId).continues).toBe(runId);
    expect(driver.events('tool.result')).toHaveLength(1);
    expect(driver.history().at(-1)).toBe('tool: Berlin');
  });

  it('takes one result of a call, however often it is sent', () => {
    const { driver, calls } = left('locate');
    const [call = ''] = calls;
    const twice = driver.accept({ toolResults: [result(call, 'Berlin'), result(call, 'Paris')], messages: [] });
    driver.accept({ by: bob, toolResults: [result(call, 'Rome')], messages: ['and I say Rome'] });
    driver.settle(driver.claim().token);
    driver.settle(driver.claim().token);
    expect(driver.events('tool.result')).toHaveLength(1);
    expect(driver.history().filter((line) => line.startsWith('tool:'))).toEqual(['tool: Berlin']);
    expect(driver.get('activation', twice.activation.id).warnings).toEqual([expect.stringContaining(call)]);
  });

  describe('and whose client sends its whole copy', () => {
    function copies(): { driver: LaneDriver; asked: MessageInput; answer: (text: string, id: string) => MessageInput } {
      const { driver, calls } = left('locate');
      const [id = ''] = calls;
      const message = driver.all('message').find(({ role }) => role === 'assistant');
      const call = { id, name: 'locate', args: '{}' };
      return {
        driver,
        asked: { id: message?.id, role: 'assistant', parts: [], toolCalls: [call] },
        answer: (text, as) => ({ id: as, role: 'tool', toolCallId: id, parts: [{ type: 'text', text }] }),
      };
    }

    it('tells what came of the first result to who has another and has not heard of it', () => {
      const { driver, asked, answer } = copies();
      const first = driver.start({ messagesAre: 'whole', messages: [asked, answer('Berlin', 't-1')] });
      const { runId } = first;
      const second = driver.accept({ messagesAre: 'whole', messages: [asked, answer('Paris', 't-2')] });
      expect(second).toMatchObject({ became: 'running', activation: { state: { is: 'attached', runId } } });
      driver.settle(first.token);
      const third = driver.accept({ messagesAre: 'whole', messages: [asked, answer('Rome', 't-3')] });
      expect(third).toMatchObject({ became: 'answered', activation: { state: { runId } } });
      expect(driver.all('run')).toHaveLength(2);
      expect(driver.history().filter((line) => line.startsWith('tool:'))).toEqual(['tool: Berlin']);
    });

    it('runs again for who has heard of it', () => {
      const { driver, asked, answer } = copies();
      const messages = [asked, answer('Berlin', 't-1')];
      driver.settle(driver.start({ messagesAre: 'whole', messages }).token, failed(false));
      driver.settle(driver.start({ messagesAre: 'whole', messages }).token, failed(false));
      driver.start({ messagesAre: 'whole', messages: [...messages, answer('Paris', 't-2')] });
      expect(driver.all('run')).toHaveLength(4);
    });
  });

  it('leaves out the result of a call that it never made, with a warning', () => {
    const { driver } = left('locate');
    const said = driver.accept({ toolResults: [result('call-0', 'what?')], messages: ['go on'], token: 'two' });
    expect(driver.history().at(-1)).toBe('user: go on');
    expect(driver.get('activation', said.activation.id).warnings).toEqual([expect.stringContaining('call-0')]);
  });

  it('asks first when it both asks and calls', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    const call = driver.callClient(token, 'locate');
    const ticketId = driver.askAndWait(token, 'q');
    expect(driver.outcomeOf(runId)).toBeUndefined();
    driver.decide(ticketId, { type: 'approve' });
    driver.settle(token);
    expect(driver.outcomeOf(runId)).toMatchObject({ pendingToolCalls: [call] });
  });
});

describe('a tool message that a client imports', () => {
  it('enters with the call that came along', () => {
    const driver = new LaneDriver();
    driver.start({
      messagesAre: 'whole',
      messages: [
        { id: 'u', role: 'user', parts: [{ type: 'text', text: 'old' }] },
        { id: 'a', role: 'assistant', parts: [], toolCalls: [{ id: 'c', name: 'f', args: '{}' }] },
        { id: 't', role: 'tool', toolCallId: 'c', parts: [{ type: 'text', text: 'r' }] },
        { id: 'n', role: 'user', parts: [{ type: 'text', text: 'new' }] },
      ],
    });
    expect(driver.history()).toEqual(['user: old', 'assistant: ', 'tool: r', 'user: new']);
    expect(driver.events('tool.result')).toEqual([]);
  });
});
