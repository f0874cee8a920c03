import { expect, test } from 'vitest';
import { textOf } from '../../schemas/part.ts';
import { AnyportClient } from '../../src/client/index.ts';
import { GatewayProcess, temporaryDirectory } from '../support/gateway-process.ts';
import { violations } from '../support/store-violations.ts';
import { until } from '../support/until.ts';

test(
  'ten follow-ups to a running turn are taken once each and in order, over a kill -9 in the middle',
  { tags: ['steered-input-is-taken-once', 'kill-loses-nothing-told'] },
  async () => {
    await using directory = await temporaryDirectory();
    const first = await GatewayProcess.start(directory.path);
    // A gateway may take long to start again, on a machine that is busy.
    const client = new AnyportClient({ url: first.url, retry: { attempts: 100, capMs: 500 } });
    const { runId, threadId } = await client.submit({ threadId: 't', text: '/steer 10000' });
    const texts = Array.from({ length: 10 }, (_, index) => `follow-up ${index + 1}`);
    for (const text of texts.slice(0, 6)) {
      expect(await client.submit({ threadId, text, whenBusy: 'steer' })).toMatchObject({ became: 'pending', runId });
    }
    await until('the first one to be taken', async () => (await taken(client, threadId)).length > 0);
    const restarted = first
      .kill()
      .then(() => GatewayProcess.start(directory.path, { port: Number(new URL(first.url).port) }));
    // Sent while nobody is there: the client goes on until somebody is.
    for (const text of texts.slice(6)) await client.submit({ threadId, text, whenBusy: 'steer' });
    const second = await restarted;
    await until('all to be taken', async () => (await taken(client, threadId)).length >= texts.length);
    await client.cancelRun(runId);
    const { run } = await client.waitForRun(runId, { until: 'done' });
    expect(run.outcome).toMatchObject({ type: 'cancelled' });
    expect(await taken(client, threadId)).toEqual(texts);
    expect(await client.queue(threadId)).toEqual([]);
    const { items } = await client.messages(threadId, { limit: 200 });
    const asked = items.toReversed().filter((message) => message.role === 'user');
    expect(asked.map((message) => textOf(message.parts))).toEqual(['/steer 10000', ...texts]);
    expect(await second.stop()).toBe(0);
    expect(await violations(directory.path)).toEqual([]);
  },
);

/** The texts that entered the thread after the first, as its log says. */
async function taken(client: AnyportClient, threadId: string): Promise<string[]> {
  const texts: string[] = [];
  const over = new AbortController();
  const { head } = await client.thread(threadId);
  for await (const { event } of client.follow({ threadId }, { signal: over.signal })) {
    if (event.type === 'message.added' && event.message.role === 'user') texts.push(textOf(event.message.parts));
    if (event.seq >= head) break;
  }
  return texts.slice(1);
}
