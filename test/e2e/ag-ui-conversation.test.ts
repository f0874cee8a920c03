import { describe, expect, test } from 'vitest';
import { clients } from '../support/ag-ui-clients.ts';
import { Frontend, textOf } from '../support/ag-ui-frontend.ts';
import { shareGateway } from '../support/shared-gateway.ts';

const gateway = shareGateway();
const { pages } = gateway;

describe.each(clients)('$name', (client) => {
  const open = (): Frontend => {
    const page = new Frontend(client, { url: gateway.url });
    pages.push(page);
    return page;
  };

  test('holds a conversation of several turns', async () => {
    const page = open();
    for (const text of ['hello', 'how are you', 'goodbye']) {
      const turn = await page.say(text);
      expect(turn).toMatchObject({ outcome: 'success', failure: undefined });
      expect(textOf(turn)).toContain(text);
    }
    expect(page.messages.map((message) => message.role)).toEqual([
      'user',
      'assistant',
      'user',
      'assistant',
      'user',
      'assistant',
    ]);
  });

  test('asks the last question again', async () => {
    const page = open();
    await page.say('first');
    await page.say('second');
    const before = page.messages.at(-1)?.id;
    page.agent.setMessages(page.messages.slice(0, -1));
    const turn = await page.run();
    expect(turn).toMatchObject({ outcome: 'success', failure: undefined });
    expect(textOf(turn)).toContain('second');
    expect(page.messages).toHaveLength(4);
    expect(page.messages.at(-1)?.id).not.toBe(before);
  });

  test(
    'edits an earlier question under the same id and under a new one',
    { tags: 'client-copy-deletes-nothing' },
    async () => {
      const page = open();
      await page.say('first');
      await page.say('second');
      const [first] = page.messages;
      page.agent.setMessages([{ ...first, content: 'first, edited' } as never]);
      const same = await page.run();
      expect(same).toMatchObject({ outcome: 'success', failure: undefined });
      expect(textOf(same)).toContain('first, edited');
      page.agent.setMessages([]);
      const anew = await page.say('first, anew');
      expect(textOf(anew)).toContain('first, anew');
      expect(page.transcript).toHaveLength(2);
    },
  );

  test(
    'approves some of three tool calls and denies the rest',
    { tags: 'waiting-run-shows-its-questions' },
    async () => {
      const page = open();
      const asked = await page.say('/approve 3');
      expect(asked).toMatchObject({ outcome: 'interrupt', failure: undefined });
      expect(asked.interrupts).toHaveLength(3);
      const answered = await page.approve(asked.interrupts, (index) => index !== 1);
      expect(answered).toMatchObject({ outcome: 'success', failure: undefined });
      const started = answered.events.filter((event) => event.type === 'TOOL_CALL_START');
      expect(started).toHaveLength(0);
      const results = answered.events.filter((event) => event.type === 'TOOL_CALL_RESULT');
      const asks = asked.interrupts.map((interrupt) => interrupt.toolCallId);
      expect(results.map((event) => event['toolCallId']).toSorted()).toEqual(asks.toSorted());
      const tools = page.messages.filter((message) => message.role === 'tool');
      expect(tools).toHaveLength(3);
    },
  );

  test(
    'fills in a form; a wrong answer leaves it open',
    { tags: ['invalid-answer-leaves-it-open', 'waiting-run-shows-its-questions'] },
    async () => {
      const page = open();
      const asked = await page.say('/form');
      expect(asked.outcome).toBe('interrupt');
      const [form] = asked.interrupts;
      expect(form?.responseSchema).toMatchObject({ type: 'object' });
      const answer = (payload: object): ReturnType<Frontend['run']> =>
        page.run({ resume: [{ interruptId: form?.id ?? '', status: 'resolved', payload }] });
      const wrong = await answer({ name: 'Ada', age: 'old' });
      expect(wrong).toMatchObject({ outcome: 'interrupt', failure: undefined });
      expect(wrong.interrupts.map((interrupt) => interrupt.id)).toEqual([form?.id]);
      const right = await answer({ name: 'Ada', age: 36 });
      expect(right).toMatchObject({ outcome: 'success', failure: undefined });
      expect(textOf(right)).toContain('Ada');
    },
  );

  test('runs a tool of its own, and hands its result over with the next turn', async () => {
    const page = open();
    const tools = [
      { name: 'pick_colour', description: 'asks the user', parameters: { type: 'object', properties: {} } },
    ];
    const called = await page.say('/frontend pick_colour', { tools });
    expect(called).toMatchObject({ outcome: 'success', failure: undefined });
    const [start] = called.events.filter((event) => event.type === 'TOOL_CALL_START');
    expect(start).toMatchObject({ toolCallName: 'pick_colour' });
    page.agent.addMessage({
      id: 'result-1',
      role: 'tool',
      toolCallId: String(start?.['toolCallId']),
      content: 'green',
    });
    const next = await page.run({ tools });
    expect(next).toMatchObject({ outcome: 'success', failure: undefined });
    expect(textOf(next)).toContain('green');
  });
});
