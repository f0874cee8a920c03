import { describe, expect, test } from 'vitest';
import { decodeCursor } from '../../adapters/ag-ui/cursor.ts';
import { deferred } from '../../src/deferred.ts';
import { MemoryStore } from '../../src/stores/memory-store.ts';
import { parseSse, readStream } from '../support/ag-ui-client.ts';
import { serve, type TestServer } from '../support/ag-ui-server.ts';
import { alice, caller, open, say, scripted } from '../support/mailbox-fixture.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** An agent that says one word, and the next ones when it is let on. */
function wordy(...words: readonly string[]) {
  const steps = words.map(() => deferred());
  const agent = scripted(async function* (_, context) {
    const id = context.id('answer');
    yield { type: 'text.started', id, role: 'assistant' };
    yield { type: 'text.delta', id, delta: 'first' };
    for (const [index, word] of words.entries()) {
      await Promise.race([steps[index]?.promise, aborted(context.signal)]);
      if (context.signal.aborted) return;
      yield { type: 'text.delta', id, delta: word };
    }
    yield { type: 'text.ended', id };
  });
  return { agent, go: (count = words.length) => steps.slice(0, count).forEach((step) => step.resolve()) };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve());
  });
}

const answerer = scripted(async function* (_, context) {
  yield* say(context, 'answer', 'an answer');
});
const asking = scripted(async function* (_, context) {
  await context.ask('q', { kind: 'approval', text: 'may I?' });
  yield* say(context, 'answer', 'thanks');
});
const bodyOf = (runId: string, threadId = 't', more: object = {}): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({
    threadId,
    runId,
    protocolVersion: '1.0',
    messages: [{ id: `m-${runId}`, role: 'user', content: runId }],
    ...more,
  }),
});

async function framesOf(response: Response): Promise<ReturnType<typeof parseSse>> {
  return parseSse(await response.text());
}

function textOf(frames: ReturnType<typeof parseSse>): string {
  return frames.map(({ event }) => (event.type === 'TEXT_MESSAGE_CONTENT' ? String(event['delta']) : '')).join('');
}

/** Reads frames until one of a type is there, and leaves. */
async function readUntil(response: Response, type: string): Promise<ReturnType<typeof parseSse>> {
  const reader = response.body?.getReader();
  if (reader === undefined) throw new Error('there is no body');
  let text = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the stream ended before ${type}: ${text}`);
    text += new TextDecoder().decode(value);
    const frames = parseSse(text.slice(0, text.lastIndexOf('\n\n') + 2));
    if (frames.some(({ event }) => event.type === type)) {
      await reader.cancel();
      return frames;
    }
  }
}

async function look(server: TestServer, cursor?: string, threadId = 't', query = ''): Promise<Response> {
  const headers = cursor === undefined ? {} : { 'last-event-id': cursor };
  return fetch(server.url(`/threads/${threadId}/stream${query}`), { headers });
}

test('a stream that was cut goes on where it was, says so in a header, and is empty once it was told', async () => {
  const { agent, go } = wordy(' second', ' third');
  const { mailbox } = await open(agent);
  await using server = await serve(mailbox);
  const first = await fetch(server.url('/scripted'), bodyOf('r1'));
  expect(first.headers.get('anyport-stream')).toBe('threads/t/stream');
  const before = await readUntil(first, 'TEXT_MESSAGE_CONTENT');
  go();
  const after = await framesOf(await look(server, before.at(-1)?.id));
  expect(textOf([...before, ...after])).toBe('first second third');
  expect(after.map(({ event }) => event.type)).not.toContain('RUN_STARTED');
  expect(after.at(-1)?.event).toMatchObject({ type: 'RUN_FINISHED', runId: 'r1', threadId: 't' });
  const again = await look(server, after.at(-1)?.id);
  expect([again.status, await again.text()]).toEqual([204, '']);
  const byQuery = await look(server, undefined, 't', `?after=${encodeURIComponent(before.at(-1)?.id ?? '')}`);
  expect(await framesOf(byQuery)).toEqual(after);
});

test('a newcomer is shown the thread as it is, and the run to its end', async () => {
  const { agent, go } = wordy(' second');
  const { mailbox, seen } = await open(agent);
  await using server = await serve(mailbox);
  const told = framesOf(await fetch(server.url('/scripted'), bodyOf('r1')));
  await seen('text.delta');
  const joined = await look(server, undefined, 't', '?protocolVersion=1.0');
  go();
  const frames = await framesOf(joined);
  expect(frames.map(({ event }) => event.type)).toEqual([
    'RUN_STARTED',
    'STATE_SNAPSHOT',
    'MESSAGES_SNAPSHOT',
    'TEXT_MESSAGE_START',
    'TEXT_MESSAGE_CONTENT',
    'TEXT_MESSAGE_END',
    'RUN_FINISHED',
  ]);
  expect(frames[0]?.event).toMatchObject({ runId: 'r1' });
  expect(frames[2]?.event['messages']).toMatchObject([{ content: 'r1' }, { role: 'assistant', content: 'first' }]);
  expect(textOf(frames)).toBe(' second');
  expect((await told).at(-1)?.event).toMatchObject({ type: 'RUN_FINISHED' });
  const cut = frames[3]?.id ?? '';
  expect(await framesOf(await look(server, cut))).toEqual(frames.slice(4));
});

test('on an idle thread a newcomer gets the thread and how its last run ended, open questions again among it', async () => {
  const { mailbox, seen } = await open(asking);
  await using server = await serve(mailbox);
  const asked = await framesOf(await fetch(server.url('/scripted'), bodyOf('r1')));
  const waiting = await framesOf(await look(server, undefined, 't', '?protocolVersion=1.0'));
  expect(waiting[0]?.event).toMatchObject({ type: 'RUN_STARTED', runId: 'r1' });
  expect(waiting.at(-1)?.event['outcome']).toEqual(asked.at(-1)?.event['outcome']);
  expect(waiting.at(-1)?.event).toMatchObject({ outcome: { type: 'interrupt' } });
  const { items } = await mailbox.tickets.list(alice, {}, { limit: 1 });
  await mailbox.tickets.decide(caller, items[0]?.id ?? '', { answer: { type: 'approve' } });
  await seen('run.finished');
  const done = await framesOf(await look(server, undefined, 't', '?protocolVersion=1.0'));
  expect(done.at(-1)?.event).toMatchObject({ outcome: { type: 'success' } });
  const snapshot = done.find(({ event }) => event.type === 'MESSAGES_SNAPSHOT')?.event['messages'];
  expect(snapshot).toMatchObject([{ role: 'user' }, { role: 'assistant', content: 'thanks' }]);
});

test('who comes while a run that waited is being stopped sees it end', async () => {
  const release = deferred();
  const { mailbox, seen } = await open(
    scripted(async function* (_, context) {
      const asked = context.ask('q', { kind: 'approval', text: 'may I?' });
      await asked.catch(() => release.promise);
      yield* say(context, 'answer', 'too late');
    }),
  );
  await using server = await serve(mailbox);
  await framesOf(await fetch(server.url('/scripted'), bodyOf('r1')));
  const report = await fetch(server.url('/threads/t/cancel'), { method: 'POST' });
  expect(Object.values(((await report.json()) as { runs: object }).runs)).toEqual(['stopping']);
  const joined = await look(server, undefined, 't', '?protocolVersion=1.0');
  release.resolve();
  await seen('run.finished');
  expect((await framesOf(joined)).at(-1)?.event).toMatchObject({ outcome: { type: 'cancelled' } });
});

test('an answer that does not fit leaves the question open, and the client is told why', async () => {
  const schema = { type: 'object', properties: { age: { type: 'integer', minimum: 0 } }, required: ['age'] };
  const { mailbox } = await open(
    scripted(async function* (_, context) {
      await context.ask('q', { kind: 'form', text: 'how old?', schema });
      yield* say(context, 'answer', 'thanks');
    }),
  );
  await using server = await serve(mailbox);
  type Told = { readonly interrupts: readonly { id: string; metadata: { anyport: { problem?: string } } }[] };
  const asked = (await framesOf(await fetch(server.url('/scripted'), bodyOf('r1')))).at(-1)?.event['outcome'] as Told;
  const [question] = asked.interrupts;
  expect(question?.metadata.anyport.problem).toBeUndefined();
  const resume = [{ interruptId: question?.id, status: 'resolved', payload: { age: -1 } }];
  const frames = await framesOf(await fetch(server.url('/scripted'), bodyOf('r2', 't', { messages: [], resume })));
  const again = frames.at(-1)?.event['outcome'] as Told;
  expect(again.interrupts[0]?.metadata.anyport.problem).toBe('the answer at /age must be >= 0');
  expect((await framesOf(await look(server, frames.at(-2)?.id))).at(-1)?.event['outcome']).toEqual(again);
});

test('a request that is made again under another name, when its run waits, is asked what is asked', async () => {
  const { mailbox } = await open(asking);
  await using server = await serve(mailbox);
  const messages = [{ id: 'm-r1', role: 'user', content: 'r1' }];
  const asked = await framesOf(await fetch(server.url('/scripted'), bodyOf('r1', 't', { messages })));
  const again = await framesOf(await fetch(server.url('/scripted'), bodyOf('r2', 't', { messages })));
  expect(again.at(-1)?.event).toEqual({ ...asked.at(-1)?.event, runId: 'r2' });
  expect((await mailbox.runs.list(alice, {}, { limit: 10 })).items).toHaveLength(1);
});

test('a request that is made again under another name, with what was shown before a cut, goes on with its run', async () => {
  const { agent, go } = wordy(' second');
  const { mailbox } = await open(agent);
  await using server = await serve(mailbox);
  const user = { id: 'm-r1', role: 'user', content: 'r1' };
  const cut = await readUntil(
    await fetch(server.url('/scripted'), bodyOf('r1', 't', { messages: [user] })),
    'TEXT_MESSAGE_CONTENT',
  );
  await server.handled(1);
  const id = cut.at(-1)?.event['messageId'];
  const messages = [user, { id, role: 'assistant', content: 'fir' }];
  const again = await fetch(server.url('/scripted'), bodyOf('r2', 't', { messages }));
  go();
  const { messages: shown } = await readStream('1.x', await again.text(), { threadId: 't', runId: 'r2', messages });
  expect(shown.map(({ content }) => content)).toEqual(['r1', 'first second']);
  expect((await mailbox.runs.list(alice, {}, { limit: 10 })).items).toHaveLength(1);
});

test('an answer that comes when its question is over shows what came of it, the same each time', async () => {
  const { mailbox } = await open(asking);
  await using server = await serve(mailbox);
  const asked = (await framesOf(await fetch(server.url('/scripted'), bodyOf('r1')))).at(-1)?.event['outcome'];
  const [question] = (asked as { readonly interrupts: readonly { id: string }[] }).interrupts;
  const messages = [{ id: 'm-r1', role: 'user', content: 'r1' }];
  const answer = (runId: string, approved: boolean): Promise<Response> => {
    const resume = [{ interruptId: question?.id, status: 'resolved', payload: { approved } }];
    return fetch(server.url('/scripted'), bodyOf(runId, 't', { messages, resume }));
  };
  await framesOf(await answer('r2', true));
  const late = await framesOf(await answer('r3', false));
  expect(late.map(({ event }) => event.type)).toEqual([
    'RUN_STARTED',
    'STATE_SNAPSHOT',
    'MESSAGES_SNAPSHOT',
    'RUN_FINISHED',
  ]);
  expect(late[2]?.event['messages']).toMatchObject([{ id: 'm-r1' }, { role: 'assistant', content: 'thanks' }]);
  expect(late.at(-1)?.event).toMatchObject({ runId: 'r3', outcome: { type: 'success' } });
  expect(await framesOf(await answer('r3', false))).toEqual(late);
  expect(await framesOf(await look(server, late[0]?.id))).toEqual(late.slice(1));
  expect((await mailbox.runs.list(alice, {}, { limit: 10 })).items).toHaveLength(1);
});

test('a newcomer sees what earlier runs showed beside their words; agents are not told of it, and it makes no branch', async () => {
  const told: string[] = [];
  const shower = scripted(async function* (_, context) {
    for await (const { role } of context.history()) told.push(role);
    const entries = [{ content: 'think', priority: 'high', status: 'completed' } as const];
    yield { type: 'plan', planId: context.id('plan'), entries };
    yield* say(context, 'answer', 'done');
    const parts = [{ type: 'text', text: 'a file' } as const];
    yield { type: 'artifact', id: context.id('file'), name: 'a.txt', parts, append: false, last: true };
  });
  const { mailbox, events } = await open(shower);
  await using server = await serve(mailbox);
  const first = await fetch(server.url('/scripted'), bodyOf('r1'));
  const input = { threadId: 't', runId: 'r1', messages: [{ id: 'm-r1', role: 'user', content: 'r1' }] };
  const { messages } = await readStream('1.x', await first.text(), input);
  // As stock clients do: without their activities.
  const own = messages.filter(({ role }) => role !== 'activity');
  const next = { messages: [...own, { id: 'm-r2', role: 'user', content: 'r2' }] };
  await framesOf(await fetch(server.url('/scripted'), bodyOf('r2', 't', next)));
  expect(told).toEqual(['user', 'user', 'assistant', 'user']);
  expect((await events()).some((event) => event.type === 'thread.branched')).toBe(false);
  for (const era of ['1.x', '0.x'] as const) {
    const joined = await look(server, undefined, 't', era === '1.x' ? '?protocolVersion=1.0' : '');
    const shown = await readStream(era, await joined.text(), { ...input, messages: [] });
    const once = ['user', 'anyport:plan', 'assistant', 'anyport:artifact'];
    expect(shown.messages.map(({ role, activityType }) => activityType ?? role)).toEqual([...once, ...once]);
    expect(shown.messages[3]?.['content']).toEqual(
      messages.find(({ activityType }) => activityType === 'anyport:artifact')?.['content'],
    );
  }
});

test('a thread on which nothing has run is shown whole, and as ended', async () => {
  const { mailbox } = await open(answerer);
  await using server = await serve(mailbox);
  await mailbox.threads.create(alice, { id: 't', state: { n: 1 } });
  const frames = await framesOf(await look(server, undefined, 't', '?protocolVersion=1.0'));
  expect(frames.map(({ event }) => event.type)).toEqual([
    'RUN_STARTED',
    'STATE_SNAPSHOT',
    'MESSAGES_SNAPSHOT',
    'RUN_FINISHED',
  ]);
  expect(frames[1]?.event['snapshot']).toEqual({ n: 1 });
});

test('what nobody can go on with is refused clearly', async () => {
  const { mailbox, seen } = await open(answerer);
  await using server = await serve(mailbox);
  const frames = await framesOf(await fetch(server.url('/scripted'), bodyOf('r1')));
  await seen('run.finished');
  const cursor = frames[1]?.id ?? '';
  const status = async (response: Promise<Response>): Promise<[number, string]> => {
    const { code } = (await (await response).json()) as { code: string };
    return [(await response).status, code];
  };
  expect(await status(look(server, 'nonsense'))).toEqual([400, 'INVALID_REQUEST']);
  expect(await status(look(server, cursor, 'another'))).toEqual([404, 'NOT_FOUND']);
  const beyond = cursor.replace(/\.\d+\.\d+$/, '.9999.0');
  expect(await status(look(server, beyond))).toEqual([410, 'CURSOR_EXPIRED']);
  await mailbox.threads.remove(alice, 't', { children: 'refuse', force: true });
  await framesOf(await fetch(server.url('/scripted'), bodyOf('r1')));
  expect(await status(look(server, cursor))).toEqual([410, 'CURSOR_EXPIRED']);
  expect(await status(look(server, undefined, 'nothing'))).toEqual([404, 'NOT_FOUND']);
  expect((await fetch(server.url('/threads/t/stream'), { method: 'POST' })).status).toBe(405);
  expect((await fetch(server.url('/threads/t/else'))).status).toBe(404);
});

test('when the events of a run are evicted, its stream is gone, and a newcomer still sees the thread', async () => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const { mailbox } = await open(answerer, { store, clock });
  await using server = await serve(mailbox);
  const answered = framesOf(await fetch(server.url('/scripted'), bodyOf('r1')));
  await clock.advance(100);
  const cursor = (await answered)[1]?.id ?? '';
  await clock.advance(1000);
  expect(await store.purge(clock.now() + 1, 10)).toBeGreaterThan(0);
  expect((await look(server, cursor)).status).toBe(410);
  const frames = await framesOf(await look(server, undefined, 't', '?protocolVersion=1.0'));
  const snapshot = frames.find(({ event }) => event.type === 'MESSAGES_SNAPSHOT')?.event['messages'];
  expect(snapshot).toMatchObject([{ role: 'user' }, { role: 'assistant', content: 'an answer' }]);
  expect(frames.at(-1)?.event).toMatchObject({ type: 'RUN_FINISHED', outcome: { type: 'success' } });
  const { position } = decodeCursor(frames[0]?.id ?? '');
  expect(position.frame).toBe(0);
});

test('an explicit cancel ends the run for every viewer, with everything closed first', async () => {
  const { agent } = wordy(' second');
  const { mailbox, seen } = await open(agent);
  await using server = await serve(mailbox);
  const told = framesOf(await fetch(server.url('/scripted'), bodyOf('r1')));
  await seen('text.delta');
  const joined = await look(server, undefined, 't', '?protocolVersion=1.0');
  const legacy = await look(server);
  const cancel = (query = ''): Promise<Response> => fetch(server.url(`/threads/t/cancel${query}`), { method: 'POST' });
  const report = (await (await cancel('?runId=r1')).json()) as { runs: object };
  expect(Object.values(report.runs)).toEqual(['stopping']);
  for (const frames of [await told, await framesOf(joined)]) {
    expect(frames.slice(-2).map(({ event }) => event.type)).toEqual(['TEXT_MESSAGE_END', 'RUN_FINISHED']);
    expect(frames.at(-1)?.event).toMatchObject({ outcome: { type: 'cancelled' } });
  }
  expect((await framesOf(legacy)).at(-1)?.event).toMatchObject({ type: 'RUN_ERROR', code: 'CANCELLED' });
  const again = (await (await cancel('?runId=r1')).json()) as { runs: object };
  expect(Object.values(again.runs)).toEqual(['was-ended']);
  expect(await (await cancel()).json()).toEqual({ runs: {}, retracted: [] });
  expect((await cancel('?runId=none')).status).toBe(404);
});

test('a run that its last viewer left is interrupted by its own actor’s next words, and by nothing else', async () => {
  const { agent, go } = wordy(' second');
  const { mailbox, seen, events } = await open(agent);
  await using server = await serve(mailbox);
  await readUntil(await fetch(server.url('/scripted'), bodyOf('r1')), 'TEXT_MESSAGE_CONTENT');
  await server.handled(1);
  // Asked again under its own name, it is looked at again: nothing is abandoned any more.
  await readUntil(await fetch(server.url('/scripted'), bodyOf('r1')), 'TEXT_MESSAGE_CONTENT');
  await server.handled(2);
  expect((await events()).some((event) => event.type === 'run.stopping')).toBe(false);
  const next = framesOf(await fetch(server.url('/scripted'), bodyOf('r2')));
  expect(await seen('run.finished')).toMatchObject({ outcome: { type: 'cancelled', by: 'ada' } });
  await seen('text.delta', 2);
  go();
  expect((await next).at(-1)?.event).toMatchObject({ type: 'RUN_FINISHED', runId: 'r2', outcome: { type: 'success' } });
});

test('a run that somebody still looks at is not abandoned', async () => {
  const { agent, go } = wordy(' second');
  const { mailbox, seen, events } = await open(agent);
  await using server = await serve(mailbox);
  const stays = framesOf(await fetch(server.url('/scripted'), bodyOf('r1')));
  await seen('text.delta');
  await readUntil(await look(server), 'TEXT_MESSAGE_START');
  await server.handled(1);
  const queued = framesOf(await fetch(server.url('/scripted'), bodyOf('r2')));
  await seen('run.queued', 2);
  go();
  expect((await stays).at(-1)?.event).toMatchObject({ type: 'RUN_FINISHED' });
  await queued;
  expect((await events()).some((event) => event.type === 'run.stopping')).toBe(false);
});

test('a run is abandoned no more once somebody has looked at what it asks', async () => {
  const step = deferred();
  const { mailbox, seen, events } = await open(
    scripted(async function* (_, context) {
      yield* say(context, 'answer', 'one moment');
      await step.promise;
      await context.ask('q', { kind: 'approval', text: 'may I?' });
    }),
  );
  await using server = await serve(mailbox);
  await readUntil(await fetch(server.url('/scripted'), bodyOf('r1')), 'TEXT_MESSAGE_CONTENT');
  await server.handled(1);
  step.resolve();
  await seen('run.waiting');
  const asked = (await framesOf(await look(server, undefined, 't', '?protocolVersion=1.0'))).at(-1)?.event['outcome'];
  await server.handled(2);
  const next = await framesOf(await fetch(server.url('/scripted'), bodyOf('r2')));
  expect(next.at(-1)?.event['outcome']).toEqual(asked);
  expect((await events()).some((event) => event.type === 'run.stopping')).toBe(false);
});

test('where leaving means cancelling, a run ends after the grace unless somebody looks at it again', async () => {
  const { agent } = wordy(' second');
  const { mailbox, seen, events } = await open(agent);
  await using server = await serve(mailbox, { onDisconnect: { is: 'cancel', graceMs: 1000 } });
  const cut = await readUntil(await fetch(server.url('/scripted'), bodyOf('r1')), 'TEXT_MESSAGE_CONTENT');
  await server.handled(1);
  const back = await look(server, cut.at(-2)?.id);
  await server.clock.advance(1000);
  expect((await events()).some((event) => event.type === 'run.stopping')).toBe(false);
  await back.body?.cancel();
  await server.handled(2);
  await server.clock.advance(999);
  expect((await events()).some((event) => event.type === 'run.stopping')).toBe(false);
  await server.clock.advance(1);
  expect(await seen('run.finished')).toMatchObject({ outcome: { type: 'cancelled' } });
});

test('where leaving means cancelling, a request that waits its turn ends too, unless its client comes back', async () => {
  const { agent, go } = wordy(' second');
  const { mailbox, seen, events } = await open(agent);
  await using server = await serve(mailbox, { onDisconnect: { is: 'cancel', graceMs: 1000 } });
  const first = framesOf(await fetch(server.url('/scripted'), bodyOf('r1')));
  await seen('text.delta');
  await readUntil(await fetch(server.url('/scripted'), bodyOf('r2')), 'RUN_STARTED');
  const cut = await readUntil(await fetch(server.url('/scripted'), bodyOf('r3')), 'RUN_STARTED');
  await server.handled(2);
  const back = framesOf(await look(server, cut[0]?.id));
  await server.clock.advance(1000);
  expect(await seen('run.finished')).toMatchObject({ outcome: { type: 'cancelled' } });
  go();
  await first;
  expect((await back).at(-1)?.event).toMatchObject({ runId: 'r3', outcome: { type: 'success' } });
  expect((await events()).filter((event) => event.type === 'run.started')).toHaveLength(2);
});

test('where leaving means cancelling, who only looked on may be the last to leave', async () => {
  const { agent } = wordy(' second');
  const { mailbox, seen, events } = await open(agent);
  await using server = await serve(mailbox, { onDisconnect: { is: 'cancel', graceMs: 1000 } });
  const asked = await fetch(server.url('/scripted'), bodyOf('r1'));
  await seen('text.delta');
  const reloaded = await look(server);
  await asked.body?.cancel();
  await server.handled(1);
  await server.clock.advance(1000);
  await reloaded.body?.cancel();
  await server.handled(2);
  await server.clock.advance(900);
  const back = await look(server);
  await back.body?.cancel();
  await server.handled(3);
  await server.clock.advance(999);
  expect((await events()).some((event) => event.type === 'run.stopping')).toBe(false);
  await server.clock.advance(1);
  expect(await seen('run.finished')).toMatchObject({ outcome: { type: 'cancelled' } });
});

describe('a viewer that does not read', () => {
  const words = Array.from({ length: 200 }, (_, index) => `${index}${'x'.repeat(100_000)} `);
  const talker = scripted(async function* (_, context) {
    const id = context.id('answer');
    yield { type: 'text.started', id, role: 'assistant' };
    for (const delta of words) yield { type: 'text.delta', id, delta };
    yield { type: 'text.ended', id };
  });
  const limits = { maxFrameChars: 64 * 1024 * 1024 };

  test('is shown the thread as it is then, in the stream that it has', async () => {
    const { mailbox, seen } = await open(talker);
    await using server = await serve(mailbox, { limits });
    const response = await fetch(server.url('/scripted'), bodyOf('r1'));
    await seen('run.finished');
    await server.clock.advance(30_001);
    const text = await response.text();
    const frames = parseSse(text);
    expect(textOf(frames).length).toBeLessThan(words.join('').length);
    expect(frames.filter(({ event }) => event.type === 'RUN_STARTED')).toHaveLength(1);
    const input = { threadId: 't', runId: 'r1', messages: [{ id: 'm-r1', role: 'user', content: 'r1' }] };
    const { messages } = await readStream('1.x', text, input);
    expect(messages.map(({ content }) => content)).toEqual(['r1', words.join('')]);
    const last = frames.findLastIndex(({ event }) => event.type === 'MESSAGES_SNAPSHOT');
    expect(await framesOf(await look(server, frames[last]?.id))).toEqual(frames.slice(last + 1));
  });

  test('is cut off where that is configured, and may go on from where it was', async () => {
    const { mailbox, seen } = await open(talker);
    await using server = await serve(mailbox, { limits, slowViewers: 'end' });
    const response = await fetch(server.url('/scripted'), bodyOf('r1'));
    await seen('run.finished');
    await server.clock.advance(30_001);
    const read: Uint8Array[] = [];
    const reading = (async () => {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) read.push(chunk);
    })();
    await expect(reading).rejects.toThrow('terminated');
    const text = Buffer.concat(read).toString();
    const before = parseSse(text.slice(0, text.lastIndexOf('\n\n') + 2));
    const after = await framesOf(await look(server, before.at(-1)?.id));
    expect(textOf([...before, ...after])).toBe(words.join(''));
  });
});
