import { expect, test } from 'vitest';
import { clients } from '../support/ag-ui-clients.ts';
import { Frontend, textOf } from '../support/ag-ui-frontend.ts';
import { GatewayProcess, temporaryDirectory } from '../support/gateway-process.ts';
import { violations } from '../support/store-violations.ts';
import { until } from '../support/until.ts';

const [client] = clients;

test(
  'a stream cut by kill -9 is run again, and its text is not doubled',
  { tags: ['dead-process-costs-an-interruption', 'kill-loses-nothing-told'] },
  async () => {
    await using directory = await temporaryDirectory();
    const first = await GatewayProcess.start(directory.path);
    const page = new Frontend(client, { url: first.url, threadId: 't' });
    let seen = 0;
    page.agent.subscribe({ onTextMessageContentEvent: () => void (seen += 1) });
    const cut = page.say('/stream 400 5', { runId: 'r1' });
    await until('some text', () => seen > 20);
    await first.kill();
    await cut;
    const question = page.messages[0];
    const second = await GatewayProcess.start(directory.path);
    const again = new Frontend(client, { url: second.url, threadId: 't' });
    again.agent.setMessages([question] as never);
    const turn = await again.run({ runId: 'r1' });
    expect(turn).toMatchObject({ outcome: 'success', failure: undefined });
    const answers = again.messages.filter((message) => message.role === 'assistant');
    expect(answers).toHaveLength(1);
    const numbers = String(answers[0]?.content).match(/\d+/g) ?? [];
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers.length).toBeGreaterThanOrEqual(400);
    await second.stop();
    expect(await violations(directory.path, { transcripts: [...page.transcripts, ...again.transcripts] })).toEqual([]);
  },
);

test(
  'an approval asked before kill -9 is answered after it, once',
  { tags: ['question-survives-a-restart', 'one-decision-per-question'] },
  async () => {
    await using directory = await temporaryDirectory();
    const first = await GatewayProcess.start(directory.path);
    const page = new Frontend(client, { url: first.url, threadId: 't' });
    const asked = await page.say('/approve');
    expect(asked.outcome).toBe('interrupt');
    await first.kill();
    const second = await GatewayProcess.start(directory.path);
    page.agent.url = `${second.url}/ag-ui/demo`;
    const answered = await page.approve(asked.interrupts);
    expect(answered).toMatchObject({ outcome: 'success', failure: undefined });
    expect(page.messages.filter((message) => message.role === 'tool')).toHaveLength(1);
    expect(page.messages.filter((message) => message.role === 'assistant' && message.toolCalls)).toHaveLength(1);
    const once = await page.run({
      resume: asked.interrupts.map(({ id }) => ({ interruptId: id, status: 'resolved', payload: { approved: false } })),
    });
    expect(once.failure).toBeUndefined();
    expect(await second.stop()).toBe(0);
    expect(await violations(directory.path, { transcripts: page.transcripts })).toEqual([]);
  },
);

test('an effect cut between its happening and its record is in doubt and asks', async () => {
  await using directory = await temporaryDirectory();
  const config = new URL('../support/unrecorded-count.config.mjs', import.meta.url).pathname;
  const first = await GatewayProcess.start(directory.path, {
    args: ['--config', config],
    environment: { COUNTER_DIRECTORY: directory.path },
  });
  const page = new Frontend(client, { url: first.url, threadId: 't' });
  const cut = page.say('/count');
  await until('the effect', () => first.log.includes('counted'));
  await first.kill();
  await cut;
  const second = await GatewayProcess.start(directory.path);
  const again = new Frontend(client, { url: second.url, threadId: 't' });
  const turn = await again.say('hello?');
  expect(turn.outcome).toBe('interrupt');
  expect(turn.interrupts[0]?.message).toContain('may or may not have happened');
  const answered = await again.run({
    resume: turn.interrupts.map(({ id }) => ({ interruptId: id, status: 'resolved', payload: { optionId: 'repeat' } })),
  });
  expect(answered).toMatchObject({ outcome: 'interrupt', failure: undefined });
  const approved = await again.approve(answered.interrupts);
  expect(approved).toMatchObject({ outcome: 'success', failure: undefined });
  expect(textOf(approved)).toContain('the counter stands at 1');
  await second.stop();
  expect(await violations(directory.path, { transcripts: [...page.transcripts, ...again.transcripts] })).toEqual([]);
});
