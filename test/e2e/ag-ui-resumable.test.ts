import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type Client, clients } from '../support/ag-ui-clients.ts';
import { Frontend, textOf } from '../support/ag-ui-frontend.ts';
import { CuttingProxy } from '../support/cutting-proxy.ts';
import { GatewayProcess, temporaryDirectory } from '../support/gateway-process.ts';
import { violations } from '../support/store-violations.ts';
import { shareGateway } from '../support/shared-gateway.ts';
import { until } from '../support/until.ts';

const gateway = shareGateway();
const { pages } = gateway;

/**
 * What a page shows: its messages by their ids, as clients may have them in another order, and its state. Activities show
 * how an earlier run went, and are not told to who comes after it.
 */
function shownBy({ agent }: Frontend): unknown {
  const kept = agent.messages.filter(({ role }) => role !== 'activity');
  const messages = kept.map((message) => {
    const { id, role, content } = message;
    const calls = message.role === 'assistant' ? (message.toolCalls ?? []) : [];
    return [id, { role, content: content ?? '', calls: calls.map((call) => ({ ...call.function })) }] as const;
  });
  return { messages: new Map(messages), state: agent.state as unknown };
}

/** The numbers of a page's last message, which `/stream` counts. */
function countedBy({ agent }: Frontend): number[] {
  return (String(agent.messages.at(-1)?.content).match(/\d+/g) ?? []).map(Number);
}

const cancelledFor = ({ era }: Client): string => (era === '1.x' ? 'cancelled' : 'error CANCELLED');

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** Resolves when a page has received so many more pieces of text, or when what it looks on at is over. */
async function text(page: Frontend, pieces: number, over?: Promise<unknown>): Promise<void> {
  let isOver = false;
  void over?.then(() => (isOver = true));
  const seen = (): number =>
    page.transcripts.flatMap(({ frames }) => frames).filter(({ event }) => event.type === 'TEXT_MESSAGE_CONTENT')
      .length;
  const before = seen();
  await until(`${pieces} pieces of text`, () => isOver || seen() >= before + pieces);
}

describe.concurrent.each(clients)('resumable $name', (client) => {
  const open = (options: { url?: string; threadId?: string } = {}): Frontend => {
    const page = new Frontend(client, { url: gateway.url, isResumable: true, ...options });
    pages.push(page);
    return page;
  };

  test(
    'reads one answer over four cuts, from one request',
    { tags: ['follow-has-no-gap-and-no-repeat', 'replay-is-the-same-again'] },
    async () => {
      await using proxy = await CuttingProxy.start(gateway.url);
      const page = open({ url: proxy.url });
      const answer = page.say('/stream 1000000 5');
      for (let cuts = 1; cuts <= 4; cuts++) {
        await text(page, 8);
        proxy.cut();
      }
      await text(page, 8);
      expect(proxy.requests).toEqual(['POST', 'GET', 'GET', 'GET', 'GET']);
      await page.cancel();
      const turn = await answer;
      expect(turn).toMatchObject({ outcome: cancelledFor(client), failure: undefined });
      expect(countedBy(page)).toEqual(upTo(countedBy(page).length));
      expect(textOf(turn)).toBe(page.messages.at(-1)?.content);
      expect(turn.events.filter(({ type }) => type.startsWith('RUN_')).map(({ type }) => type)).toEqual([
        'RUN_STARTED',
        client.era === '1.x' ? 'RUN_FINISHED' : 'RUN_ERROR',
      ]);
    },
  );

  test('joins in the middle of a message, and has in the end what the first tab has', async () => {
    const page = open();
    await page.say('/state');
    await page.say('/tool');
    const answer = page.say('/stream 150 5');
    await text(page, 5, answer);
    const tab = open({ threadId: page.agent.threadId });
    const joined = await tab.connect();
    expect(joined).toMatchObject({ outcome: 'success', failure: undefined });
    expect(await answer).toMatchObject({ outcome: 'success', failure: undefined });
    expect(shownBy(tab)).toEqual(shownBy(page));
    // Coming when all is over shows the same.
    const late = open({ threadId: page.agent.threadId });
    expect(await late.connect()).toMatchObject({ outcome: 'success', failure: undefined });
    expect(shownBy(late)).toEqual(shownBy(page));
    expect(await late.say('and now?')).toMatchObject({ outcome: 'success', failure: undefined });
  });

  test('connects to a thread on which nothing was said', async () => {
    const page = open();
    expect(await page.connect()).toMatchObject({ events: [], failure: undefined });
    expect(await page.say('hello')).toMatchObject({ outcome: 'success', failure: undefined });
  });

  test('sees an open question again after a reload, and can answer it', async () => {
    const page = open();
    const asked = await page.say('/approve 2');
    const reloaded = open({ threadId: page.agent.threadId });
    for (let visit = 0; visit < 2; visit++) {
      const again = await reloaded.connect();
      expect(again).toMatchObject({ outcome: 'interrupt', failure: undefined });
      expect(reloaded.agent.pendingInterrupts).toEqual(asked.interrupts);
    }
    const answered = await reloaded.approve(reloaded.agent.pendingInterrupts);
    expect(answered).toMatchObject({ outcome: 'success', failure: undefined });
    expect(reloaded.messages.filter(({ role }) => role === 'tool')).toHaveLength(2);
    // The first tab still has the question open, and learns that it is not.
    expect(await page.connect()).toMatchObject({ outcome: 'success', failure: undefined });
    expect(page.agent.pendingInterrupts).toEqual([]);
    expect(shownBy(page)).toEqual(shownBy(reloaded));
  });

  test('is told of a cancel by another tab, with all that was open closed', async () => {
    const page = open();
    const answer = page.say('/stream 1000000 5');
    await text(page, 5);
    const tab = open({ threadId: page.agent.threadId });
    const joined = tab.connect();
    await text(tab, 5);
    await tab.cancel();
    for (const turn of await Promise.all([answer, joined])) {
      expect(turn).toMatchObject({
        outcome: cancelledFor(client),
        failure: undefined,
      });
      expect(turn.events.slice(-2)).toMatchObject([{ type: 'TEXT_MESSAGE_END' }, {}]);
    }
    expect(shownBy(tab)).toEqual(shownBy(page));
    expect(await page.say('go on')).toMatchObject({ outcome: 'success', failure: undefined });
  });

  test.each(['kill', 'stop'] as const)(
    'looks on over a restart by %s without doing anything',
    { tags: ['dead-process-costs-an-interruption', 'kill-loses-nothing-told'] },
    async (how) => {
      await using own = await temporaryDirectory();
      const first = await GatewayProcess.start(own.path);
      const page = new Frontend(client, { url: first.url, isResumable: true });
      const tab = new Frontend(client, { url: first.url, isResumable: true, threadId: page.agent.threadId });
      const answer = page.say('/stream 200 5');
      await text(page, 5, answer);
      const joined = tab.connect();
      await text(tab, 5, joined);
      await first[how]();
      const second = await GatewayProcess.start(own.path, { port: Number(new URL(first.url).port) });
      for (const turn of await Promise.all([answer, joined])) {
        expect(turn).toMatchObject({ outcome: 'success', failure: undefined });
        expect(turn.events.filter(({ type }) => /^RUN_(FINISHED|ERROR)$/.test(type))).toHaveLength(1);
      }
      for (const { transcripts } of [page, tab]) expect(transcripts).toHaveLength(1);
      expect(countedBy(page)).toEqual(upTo(200));
      expect(shownBy(tab)).toEqual(shownBy(page));
      expect(await second.stop()).toBe(0);
      expect(
        await violations(own.path, { transcripts: [page, tab].flatMap(({ transcripts }) => transcripts) }),
      ).toEqual([]);
    },
  );
});

test('a bundle for browsers has the client alone', async () => {
  const script = `console.log(Object.keys(await import('anyport/ag-ui')).join(' '))`;
  const namesFor = async (...args: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)(process.execPath, [...args, '--input-type=module', '-e', script]);
    return stdout.trim();
  };
  const client = 'ResumableHttpAgent resumable resumableFetch';
  expect(await namesFor('--conditions=browser')).toBe(client);
  expect((await namesFor()).split(' ')).toEqual(expect.arrayContaining([...client.split(' '), 'agUiAdapter']));
});
