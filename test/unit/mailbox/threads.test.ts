import { expect, test } from 'vitest';
import { textOf } from '../../../schemas/part.ts';
import { deferred } from '../../../src/deferred.ts';
import type { PageRequest } from '../../../src/gateway.ts';
import { checkStore } from '../../support/checker.ts';
import { alice, caller, open, say, scripted } from '../../support/mailbox-fixture.ts';
import { until } from '../../support/until.ts';

const answerer = scripted(async function* (_, context) {
  const said: string[] = [];
  for await (const message of context.history()) said.push(textOf(message.parts));
  yield* say(context, 'answer', `after ${said.join(', ')}`);
});
const hanging = scripted(async function* (_, { signal }) {
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve);
  });
});
const stranger = { scope: 'elsewhere', actor: 'alice' };
const allPages = { limit: 50 };

test('a thread is made, shown, listed by its context and changed', async () => {
  const { mailbox } = await open(answerer);
  const { threads } = mailbox;
  const { status: made } = await threads.create(alice, { id: 'a', contextId: 'trip', title: 'Trip' });
  expect(made).toMatchObject({ thread: { id: 'a', contextId: 'trip', title: 'Trip' }, head: 0, waiting: 0 });
  expect(await threads.create(alice, { id: 'a', contextId: 'trip', title: 'Trip' })).toEqual({
    was: 'repeated',
    status: made,
  });
  await expect(threads.create(alice, { id: 'a' })).rejects.toMatchObject({ code: 'request-conflict', path: 'id' });
  const { status: other } = await threads.create(alice, {});
  const listed = async (contextId?: string): Promise<string[]> =>
    (await threads.list(alice, { contextId }, allPages)).items.map((thread) => thread.id);
  expect((await listed()).toSorted()).toEqual(['a', other.thread.id].toSorted());
  expect(await listed('trip')).toEqual(['a']);
  expect((await threads.patch(alice, 'a', { title: 'Way home' })).thread.title).toBe('Way home');
  expect(await threads.find(stranger, 'a')).toBeUndefined();
  await expect(threads.patch(stranger, 'a', { title: 'mine' })).rejects.toMatchObject({ code: 'not-found' });
});

test('a fork begins with the messages up to a point, and goes its own way', async () => {
  const { mailbox, submit, done } = await open(answerer);
  await submit('one');
  await done('one');
  const fork = await mailbox.threads.fork(alice, 't', {});
  expect(fork.thread).toMatchObject({ contextId: 't', parent: { threadId: 't', headId: fork.headId } });
  const { id } = fork.thread;
  await submit('two', { threadId: id });
  await until('the end', async () => (await mailbox.threads.find(alice, id))?.open === undefined);
  const texts = async (threadId: string): Promise<string[]> => {
    const { items } = await mailbox.threads.messages(alice, threadId, undefined, allPages);
    return items.map((message) => textOf(message.parts)).toReversed();
  };
  expect(await texts(id)).toEqual(['one', 'after one', 'two', 'after one, after one, two']);
  expect(await texts('t')).toEqual(['one', 'after one']);
  const first = (await mailbox.threads.messages(alice, 't', undefined, allPages)).items.at(-1)?.id ?? '';
  const early = await mailbox.threads.fork(alice, 't', { id: 'early', at: first, title: 'Again' });
  expect(early).toMatchObject({ headId: first, thread: { id: 'early', title: 'Again' } });
  await expect(mailbox.threads.fork(alice, 't', { at: 'nothing' })).rejects.toMatchObject({ path: 'at' });
  await expect(mailbox.threads.fork(alice, 't', { id: 't' })).rejects.toMatchObject({ code: 'request-conflict' });
});

test('messages come newest first, in pages, by branch', async () => {
  const { mailbox, submit, done } = await open(answerer);
  await submit('one');
  await done('one');
  const [answer] = (await mailbox.threads.messages(alice, 't', undefined, allPages)).items;
  await submit('two');
  await done('two');
  const first = await mailbox.threads.messages(alice, 't', undefined, { limit: 3 });
  const second = await mailbox.threads.messages(alice, 't', undefined, { limit: 3, cursor: first.next });
  expect([first.items.length, second.items.length, second.next]).toEqual([3, 1, undefined]);
  expect((await mailbox.threads.messages(alice, 't', answer?.id, allPages)).items).toHaveLength(2);
  await expect(mailbox.threads.messages(alice, 't', 'nothing', allPages)).rejects.toMatchObject({ path: 'head' });
});

test('a page begins at a place of its own list', async () => {
  const { mailbox, submit, done } = await open(answerer);
  for (const key of ['one', 'two']) {
    await submit(key);
    await done(key);
  }
  await mailbox.threads.create(alice, { id: 'another' });
  const { threads, runs, tickets } = mailbox;
  const lists = {
    threads: (page: PageRequest) => threads.list(alice, {}, page),
    runs: (page: PageRequest) => runs.list(alice, {}, page),
    messages: (page: PageRequest) => threads.messages(alice, 't', undefined, page),
    tickets: (page: PageRequest) => tickets.list(alice, {}, page),
  };
  const cursors = { tickets: 'tkt_1', nobody: 'nonsense' } as Record<string, string | undefined>;
  for (const name of ['threads', 'runs', 'messages'] as const) cursors[name] = (await lists[name]({ limit: 1 })).next;
  for (const [name, list] of Object.entries(lists)) {
    for (const [other, cursor] of Object.entries(cursors)) {
      const page = list({ limit: 1, cursor });
      if (other === name) await expect(page).resolves.toHaveProperty('items');
      else await expect(page).rejects.toMatchObject({ code: 'invalid-request', path: 'cursor' });
    }
  }
});

test('removing a thread removes all of it, and what runs on it is told to stop', async () => {
  const { mailbox, submit, store, seen } = await open(hanging);
  const { runId } = await submit('one');
  await seen('run.started');
  const { threads } = mailbox;
  const keep = { children: 'refuse', force: false } as const;
  await expect(threads.remove(alice, 't', keep)).rejects.toMatchObject({ code: 'run-conflict' });
  const followed = mailbox.follow(alice, 't', 0, new AbortController().signal);
  const following = (async () => {
    for await (const _ of followed);
  })();
  await threads.remove(alice, 't', { ...keep, force: true });
  await expect(following).rejects.toMatchObject({ code: 'not-found' });
  expect(await threads.find(alice, 't')).toBeUndefined();
  expect(await mailbox.runs.find(alice, runId)).toBeUndefined();
  await expect(threads.remove(alice, 't', keep)).rejects.toMatchObject({ code: 'not-found' });
  for (const kind of ['run', 'message', 'activation', 'request'] as const) {
    expect(await store.listRecords({ scope: 'local', threadId: 't' }, kind, '', 10)).toEqual([]);
  }
  // The name is free again, and its keys with it.
  const again = await submit('one');
  expect(again).toMatchObject({ was: 'accepted', became: 'running' });
  await mailbox.runs.cancel(caller, again.runId);
  await mailbox.stop();
  expect(await checkStore(store, ['local'])).toEqual([]);
});

test('a thread with forks is removed alone or with them, as is said', async () => {
  const { mailbox } = await open(answerer);
  const { threads } = mailbox;
  await threads.create(alice, { id: 'root' });
  await threads.fork(alice, 'root', { id: 'child' });
  await threads.fork(alice, 'child', { id: 'grandchild' });
  await threads.create(alice, { id: 'neighbour', contextId: 'root' });
  const refuse = { children: 'refuse', force: false } as const;
  await expect(threads.remove(alice, 'root', refuse)).rejects.toMatchObject({ code: 'run-conflict' });
  await threads.remove(alice, 'child', { ...refuse, children: 'keep' });
  expect(await threads.find(alice, 'grandchild')).toBeDefined();
  await threads.remove(alice, 'root', refuse);
  await threads.fork(alice, 'grandchild', { id: 'last' });
  await threads.remove(alice, 'grandchild', { ...refuse, children: 'remove' });
  const { items } = await threads.list(alice, {}, allPages);
  expect(items.map((thread) => thread.id)).toEqual(['neighbour']);
});

test('a view of a thread is as of an event, and says where to go on', async () => {
  const { mailbox, submit, done, events } = await open(answerer);
  await mailbox.threads.create(alice, { id: 't', state: { n: 1 } });
  expect(await mailbox.viewAt(alice, 't', undefined)).toMatchObject({ messages: [], state: { n: 1 }, seq: 0 });
  const { runId } = await submit('one');
  await done('one');
  const log = await events();
  const before = log.findIndex((event) => event.type === 'text.started') + 1;
  expect((await mailbox.viewAt(alice, 't', before)).messages.map(({ role }) => role)).toEqual(['user', 'assistant']);
  const now = await mailbox.viewAt(alice, 't', undefined);
  expect(now).toMatchObject({ runId, seq: log.length });
  expect(now.messages.map((message) => textOf(message.parts))).toEqual(['one', 'after one']);
  expect((await mailbox.viewAt(alice, 't', 0)).messages).toEqual([]);
  await expect(mailbox.viewAt(alice, 't', 99)).rejects.toMatchObject({ code: 'cursor-expired' });
  await expect(mailbox.viewAt(stranger, 't', 0)).rejects.toMatchObject({ code: 'not-found' });
});

test('an agent may give its thread a title, and take it away again', async () => {
  const agent = scripted(async function* ({ messages }) {
    await Promise.resolve();
    yield { type: 'thread.changed', title: 'interim' };
    yield { type: 'thread.changed', title: textOf(messages[0]?.parts ?? []) };
  });
  const { mailbox, submit, seen } = await open(agent);
  for (const [index, title] of ['Trip', ''].entries()) {
    await submit(`${index}`, { messages: [{ role: 'user', parts: [{ type: 'text', text: title }] }] });
    await seen('run.finished', index + 1);
    expect((await mailbox.threads.find(alice, 't'))?.thread.title).toBe(title === '' ? undefined : title);
  }
});

for (const title of ['by hand', null]) {
  test(`what people change on a thread stands over what its run changed before: ${title}`, async () => {
    const [patched, ended] = [deferred(), deferred()];
    const settings = { mode: 'plan', options: {} };
    const agent = scripted(async function* (_, context) {
      yield { type: 'thread.changed', title: 'by the agent', settings };
      yield* say(context, 'a', 'changed');
      await patched.promise;
      yield { type: 'thread.changed', settings };
      yield* say(context, 'b', 'changed again');
      await ended.promise;
    });
    const { mailbox, submit, seen } = await open(agent);
    await submit('one');
    await seen('text.ended');
    await mailbox.threads.patch(alice, 't', { title, settings: { mode: 'code' } });
    patched.resolve();
    await seen('text.ended', 2);
    ended.resolve();
    await seen('run.finished');
    const status = await mailbox.threads.find(alice, 't');
    expect(status?.thread.title).toBe(title ?? undefined);
    expect(status?.thread.settings.mode).toBe('plan');
  });
}
