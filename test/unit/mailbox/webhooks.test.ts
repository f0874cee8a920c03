import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { deferred } from '../../../src/deferred.ts';
import { pushRules } from '../../../src/mailbox/mailbox.ts';
import { WebhookSender } from '../../../src/push/webhook-sender.ts';
import { checkStore } from '../../support/checker.ts';
import { plainPusher } from '../../support/fake-webhooks.ts';
import { alice, caller, open, say, scripted } from '../../support/mailbox-fixture.ts';
import { fileStorage } from '../../support/open-stores.ts';
import { until } from '../../support/until.ts';

const thread = { scope: alice.scope, threadId: 't' };

test('a real receiver that fails twice is told all by two processes on one disk', async () => {
  const told: string[] = [];
  let failures = 2;
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const fails = body.includes('run.started') && failures-- > 0;
      if (!fails) told.push(body);
      response.writeHead(fails ? 500 : 204).end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/in`;
  const gate = deferred();
  const agent = scripted(async function* (_, context) {
    yield* say(context, 'a', 'hello');
    await context.checkpoint();
    const { promise: stopped, resolve } = deferred();
    context.signal.addEventListener('abort', () => {
      resolve();
    });
    await Promise.race([gate.promise, stopped]);
  });
  const push = {
    sender: new WebhookSender({ clock: systemClock, allow: ['127.0.0.0/8'] }),
    pushers: { control: plainPusher },
    rules: { ...pushRules, backoffBaseMs: 5 },
    maxSending: 4,
  };
  await using storage = await fileStorage();
  const store = await storage.open({ clock: systemClock });
  const before = await open(agent, { store, push });
  const { runId } = await before.submit('one');
  const hook = { id: 'hook', target: { url }, filter: 'status', after: 0 } as const;
  await before.mailbox.subscriptions.create(caller, runId, hook);
  await until('the run’s start to be told', () => told.length === 2);
  await before.mailbox.stop();
  await store.close();
  await using again = await storage.open({ clock: systemClock });
  const after = await open(agent, { store: again, push });
  gate.resolve();
  await until('the end of it', async () => (await again.findLane(thread))?.subscriptions === undefined);
  const types = told.map((body) => body.replace(/^\d+ /, ''));
  expect(types).toEqual(['run.queued', 'run.started', 'run.retrying', 'run.finished']);
  expect(await after.mailbox.subscriptions.list(alice, runId)).toEqual([]);
  expect(await checkStore(again, ['local'])).toEqual([]);
  await after.mailbox.stop();
  server.close();
  await once(server, 'close');
});
