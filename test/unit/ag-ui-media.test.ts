import { expect, test } from 'vitest';
import { linkedBlob, MediaLinks } from '../../adapters/ag-ui/media-links.ts';
import { parseSse, runStockClient } from '../support/ag-ui-client.ts';
import { serve, type TestServer } from '../support/ag-ui-server.ts';
import { alice, open, say, scripted } from '../support/mailbox-fixture.ts';
import { ManualClock } from '../support/manual-clock.ts';

const answerer = scripted(async function* (_, context) {
  yield* say(context, 'answer', 'nice');
});
const day = 86_400_000;

/** Where the links of a test lead: its own server, once it listens. */
function linksTo(server: { url: string }, clock = new ManualClock()): MediaLinks {
  return new MediaLinks({ key: new Uint8Array(32), baseUrl: () => server.url, clock });
}

async function serveWithLinks(mailbox: Parameters<typeof serve>[0], maxInlineChars?: number): Promise<TestServer> {
  const at = { url: '' };
  const limits = { maxBodyBytes: 32 * 1024 * 1024, ...(maxInlineChars === undefined ? {} : { maxInlineChars }) };
  const server = await serve(mailbox, { links: linksTo(at), limits });
  at.url = server.url('').replace(/\/ag-ui$/, '');
  return server;
}

test('a conversation of five screenshots stays under the frame limit, and comes back as it was', async () => {
  const { mailbox } = await open(answerer);
  await using server = await serveWithLinks(mailbox);
  const shots = Array.from({ length: 5 }, (_, index) => Buffer.alloc(2_400_000, index).toString('base64'));
  const content = shots.map((value) => ({ type: 'image', source: { type: 'data', value, mimeType: 'image/png' } }));
  const messages: object[] = content.map((part, index) => ({ id: `m${index}`, role: 'user', content: [part] }));
  const url = server.url('/scripted');
  const first = await runStockClient('1.x', { url, threadId: 't', runId: 'r1', messages });
  expect(first.messages).toHaveLength(6);

  // Another tab: what it has is what the snapshot said.
  const joined = await fetch(server.url('/threads/t/stream?protocolVersion=1.0'));
  const frames = parseSse(await joined.text());
  const snapshot = frames.find(({ event }) => event.type === 'MESSAGES_SNAPSHOT')?.event;
  expect(JSON.stringify(snapshot).length).toBeLessThan(10 * 1024 * 1024);
  const copy = snapshot?.['messages'] as { content: { source: { type: string; value: string } }[] }[];
  const sources = copy.slice(0, 5).map((message) => message.content[0]?.source);
  expect(sources.map((source) => source?.type)).toEqual(['url', 'url', 'url', 'url', 'data']);
  const linked = await fetch(sources[0]?.value ?? '');
  expect(Object.fromEntries(linked.headers)).toMatchObject({
    'content-type': 'image/png',
    'x-content-type-options': 'nosniff',
  });
  expect(Buffer.from(await linked.arrayBuffer()).toString('base64')).toBe(shots[0]);

  const more = [...copy, { id: 'm9', role: 'user', content: 'and now?' }];
  await runStockClient('1.x', { url, threadId: 't', runId: 'r2', messages: more });
  const { items } = await mailbox.threads.messages(alice, 't', undefined, { limit: 50 });
  expect(items).toHaveLength(8);

  // A thread that begins with this copy has no bytes behind the links.
  await runStockClient('1.x', { url, threadId: 'begun', runId: 'r1', messages: more });
  const begun = parseSse(await (await fetch(server.url('/threads/begun/stream?protocolVersion=1.0'))).text());
  const shown = begun.find(({ event }) => event.type === 'MESSAGES_SNAPSHOT')?.event['messages'];
  expect((shown as typeof copy)[0]?.content[0]?.source).toEqual(sources[0]);
});

test('media beyond a frame reaches older clients too', async () => {
  const { mailbox } = await open(answerer);
  await using server = await serveWithLinks(mailbox);
  const value = Buffer.alloc(7_000_000, 1).toString('base64');
  const part = { type: 'image', source: { type: 'data', value, mimeType: 'image/png' } };
  const messages = [{ id: 'm1', role: 'user', content: [part] }];
  await runStockClient('1.x', { url: server.url('/scripted'), threadId: 't', runId: 'r1', messages });
  const frames = parseSse(await (await fetch(server.url('/threads/t/stream'))).text());
  const snapshot = frames.find(({ event }) => event.type === 'MESSAGES_SNAPSHOT')?.event['messages'];
  expect(snapshot).toMatchObject([
    { content: [{ type: 'image', source: { type: 'url', mimeType: 'image/png' } }] },
    {},
  ]);
});

test.for([
  ['image/png', 'image/png'],
  ['text/plain;charset=utf-8', 'text/plain;charset=utf-8'],
  ['image/png;name=\u65e5\u672c.png', 'image/png'],
  ['image/png\r\nset-cookie: a=b', 'application/octet-stream'],
  ['', 'application/octet-stream'],
] as const)('media that a client called %j is served as %s', async ([mimeType, served]) => {
  const { mailbox } = await open(answerer);
  await using server = await serveWithLinks(mailbox, 1000);
  const value = Buffer.alloc(100_000, 1).toString('base64');
  const part = { type: 'image', source: { type: 'data', value, mimeType } };
  const messages = [{ id: 'm1', role: 'user', content: [part] }];
  await runStockClient('1.x', { url: server.url('/scripted'), threadId: 't', runId: 'r1', messages });
  const frames = parseSse(await (await fetch(server.url('/threads/t/stream'))).text());
  const snapshot = frames.find(({ event }) => event.type === 'MESSAGES_SNAPSHOT')?.event['messages'];
  const [shown] = snapshot as { content: { source: { value: string } }[] }[];
  const linked = await fetch(shown?.content[0]?.source.value ?? '');
  expect([linked.status, linked.headers.get('content-type')]).toEqual([200, served]);
  expect(linked.headers.get('set-cookie')).toBeNull();
  expect((await linked.arrayBuffer()).byteLength).toBe(100_000);
});

test('a link names one thing, of one thread, for a time', async () => {
  const clock = new ManualClock();
  const links = linksTo({ url: 'https://agents.example' }, clock);
  const media = { thread: { scope: 'acme', threadId: 'a/b c' }, blob: 'ab'.repeat(32), mimeType: 'image/png' };
  const url = new URL(links.urlOf(media));
  expect(url.pathname).toBe(`/ag-ui/threads/a%2Fb%20c/blobs/${media.blob}`);
  expect(links.urlOf(media)).toBe(url.href);
  const { threadId } = media.thread;
  expect(linkedBlob(url.href, threadId)).toBe(media.blob);
  expect(linkedBlob(url.href, 'another')).toBeUndefined();
  expect(linkedBlob('https://elsewhere.example/image.png', threadId)).toBeUndefined();
  expect(links.find(threadId, media.blob, url.searchParams)).toEqual(media);
  expect(links.find('another', media.blob, url.searchParams)).toBeUndefined();
  expect(links.find(threadId, 'cd'.repeat(32), url.searchParams)).toBeUndefined();
  for (const name of ['scope', 'type', 'expires', 'signature']) {
    const other = new URLSearchParams(url.searchParams);
    other.set(name, '9999999999999999');
    expect(links.find(threadId, media.blob, other)).toBeUndefined();
    other.delete(name);
    expect(links.find(threadId, media.blob, other)).toBeUndefined();
  }
  await clock.advance(7 * day);
  expect(links.find(threadId, media.blob, url.searchParams)).toEqual(media);
  await clock.advance(day);
  expect(links.find(threadId, media.blob, url.searchParams)).toBeUndefined();
});

test('a link that is not ours, or of what is gone, is not found', async () => {
  const { mailbox } = await open(answerer);
  await using server = await serveWithLinks(mailbox);
  const blob = 'ab'.repeat(32);
  expect((await fetch(server.url(`/threads/t/blobs/${blob}`))).status).toBe(404);
  const url = linksTo({ url: server.url('').replace(/\/ag-ui$/, '') }).urlOf({
    thread: { scope: 'local', threadId: 't' },
    blob,
    mimeType: 'image/png',
  });
  expect((await fetch(url)).status).toBe(404);
  expect((await fetch(url, { method: 'POST' })).status).toBe(405);
});
