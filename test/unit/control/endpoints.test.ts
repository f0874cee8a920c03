import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ZodType } from 'zod';
import type { ShownTicket } from '../../../schemas/control.ts';
import type { Activated, RunContext } from '../../../src/agents/agent.ts';
import { Fault } from '../../../src/fault.ts';
import { endpoints } from '../../../src/server/control/endpoints.ts';
import { type Answered, type Asking, ControlServer } from '../../support/control-server.ts';
import { type Fixture, open, say, scripted } from '../../support/mailbox-fixture.ts';
import { until } from '../../support/until.ts';

const released = new Set<string>();

/** Does what the last words say. */
const agent = scripted(async function* (activation: Activated, context: RunContext) {
  const words = textOf(activation);
  const [deed, name = ''] = words.split(' ');
  if (deed === 'fail' && !released.has(name)) throw new Fault('agent-refused', 'it was told to fail');
  if (deed === 'ask') {
    const question = { kind: 'approval', text: 'may I?' } as const;
    const [decision] = await context.ask('q', question);
    yield* say(context, 'a', JSON.stringify(decision));
    return;
  }
  if (deed === 'secret') {
    await context.ask('q', { kind: 'form', text: 'the password?', secret: true, schema: { type: 'string' } });
  }
  if (deed === 'hold') await held(name, context.signal);
  const taken = await context.input();
  yield* say(context, 'a', [words, ...taken.map((message) => JSON.stringify(message.parts))].join(' '));
});

function textOf(activation: Activated): string {
  const part = activation.messages.at(-1)?.parts[0];
  return part?.type === 'text' ? part.text : '';
}

async function held(name: string, signal: AbortSignal): Promise<void> {
  await until(`the release of ${name}`, () => released.has(name) || signal.aborted);
  signal.throwIfAborted();
}

let fixture: Fixture;
let server: ControlServer;
let count = 0;

beforeAll(async () => {
  fixture = await open(agent);
  server = await ControlServer.open(fixture.mailbox, {
    tokens: [
      { token: 'ann', actor: 'ann' },
      { token: 'bob', actor: 'bob' },
      { token: 'eve', scope: 'other', actor: 'ann' },
    ],
  });
});

afterAll(async () => {
  await fixture.mailbox.stop();
  await server[Symbol.asyncDispose]();
});

/** Asks as someone, and holds what comes back against what the table says comes back. */
async function ask(asked: string, asking: Asking & { as?: string } = {}): Promise<Answered> {
  const [method = '', path = ''] = asked.split(' ');
  const { as = 'ann', headers, ...rest } = asking;
  const answer = await server.ask(method, path, { ...rest, headers: { authorization: `Bearer ${as}`, ...headers } });
  if (answer.status < 300 && answer.body !== undefined) {
    const body = schemaOf(method, path, answer.status);
    expect(body.parse(answer.body), `${asked} answers as the table says`).toEqual(answer.body);
  }
  return answer;
}

function schemaOf(method: string, path: string, status: number) {
  const pathname = `/v1${path.split('?')[0]}`;
  const found = endpoints.find(
    (endpoint) =>
      endpoint.method === method.toLowerCase() &&
      new RegExp(`^${endpoint.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(pathname),
  );
  const answers: Readonly<Record<number, { readonly body?: ZodType } | undefined>> = found?.answers ?? {};
  const body = answers[status]?.body;
  if (body === undefined) throw new Error(`${method} ${path} does not say that it answers with ${status}`);
  return body;
}

const fresh = (): string => `t/${++count}`;
const at = encodeURIComponent;

async function run(text: string, threadId = fresh(), more: object = {}, as = 'ann') {
  const { status, body } = await ask('POST /runs', { body: { text, threadId, ...more }, as });
  expect(status).toBe(202);
  return body as { threadId: string; runId: string; activationId: string; became: string; blockedBy: string[] };
}

async function done(runId: string): Promise<Answered> {
  const answer = await ask(`GET /runs/${runId}/wait?until=done&timeoutMs=10000`);
  expect(answer.body.run.status).toBe('done');
  return answer;
}

describe('agents', () => {
  it('are listed, and each says what it is', async () => {
    expect((await ask('GET /agents')).body.items).toMatchObject([{ id: 'scripted' }]);
    expect((await ask('GET /agents/scripted')).body).toEqual(agent.card);
    expect(await ask('GET /agents/nobody')).toMatchObject({ status: 404, body: { code: 'agent-not-found' } });
  });
});

describe('a run', () => {
  it('is submitted, waited for and shown', async () => {
    const { threadId, runId, became } = await run('hello');
    expect(became).toBe('running');
    const { body } = await done(runId);
    expect(body.run).toMatchObject({ id: runId, threadId, status: 'done', outcome: { type: 'completed' } });
    expect(body.messages.map(({ role }: { role: string }) => role)).toEqual(['user', 'assistant']);
    expect(JSON.stringify(body)).not.toContain('clm_');
    expect((await ask(`GET /runs/${runId}`)).body).toEqual(body);
    expect((await ask(`GET /runs/${runId}/wait`)).body).toEqual(body);
  });

  it('of an agent that nobody has is not taken', async () => {
    const body = { text: 'a', agentId: 'nobody' };
    expect(await ask('POST /runs', { body })).toMatchObject({ status: 404, body: { code: 'agent-not-found' } });
  });

  it('is accepted once under its key, however often and at once it is sent', async () => {
    const asking = { body: { text: 'once' }, headers: { 'idempotency-key': 'only-once' } };
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask('POST /runs', asking)));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers['idempotency-replayed'] === undefined)).toHaveLength(1);
    const [{ body: receipt } = { body: {} }] = answers;
    const { runId, threadId } = receipt;
    await done(runId);
    const later = await ask('POST /runs', asking);
    expect(later).toMatchObject({ status: 202, text: answers[0]?.text, headers: { 'idempotency-replayed': 'true' } });
    expect((await ask(`GET /runs?threadId=${threadId}`)).body.items).toHaveLength(1);
    const other = { ...asking, body: { text: 'other' } };
    expect(await ask('POST /runs', other)).toMatchObject({ status: 422, body: { code: 'request-conflict' } });
    const another = await ask('POST /runs', { ...asking, as: 'bob' });
    expect(another.body.threadId).not.toBe(threadId);
  });

  it('is listed by status, thread and agent, in pages', async () => {
    const threadId = fresh();
    for (const text of ['one', 'two', 'three']) await done((await run(text, threadId)).runId);
    const path = `GET /runs?status=done&agentId=scripted&threadId=${at(threadId)}&limit=2`;
    const { body: first } = await ask(path);
    const { body: second } = await ask(`${path}&cursor=${at(first.next)}`);
    expect([first.items.length, second.items.length, second.next]).toEqual([2, 1, undefined]);
    expect((await ask(`GET /runs?status=waiting&threadId=${at(threadId)}`)).body.items).toEqual([]);
  });

  it('is waited for no longer than was asked', async () => {
    const { runId } = await run('hold w1');
    const { body } = await ask(`GET /runs/${runId}/wait?timeoutMs=0`);
    expect(body.run.status).toBe('running');
    expect((await ask(`GET /runs/${runId}/wait?timeoutMs=20`)).body.run.status).toBe('running');
    released.add('w1');
    await done(runId);
  });

  it('is cancelled, once', async () => {
    const { runId, threadId } = await run('hold c1');
    expect((await ask(`POST /runs/${runId}/cancel`)).body.runs).toEqual({ [runId]: 'stopping' });
    const { body } = await done(runId);
    expect(body.run.outcome).toMatchObject({ type: 'cancelled' });
    expect((await ask(`POST /runs/${runId}/cancel`)).body.runs).toEqual({ [runId]: 'was-ended' });
    const next = await run('hold c2', threadId);
    expect((await ask(`POST /threads/${at(threadId)}/cancel`)).body.runs).toEqual({ [next.runId]: 'stopping' });
    await done(next.runId);
    const last = await run('hold c3', threadId);
    const path = `POST /threads/${at(threadId)}/activations/${at(last.activationId)}/cancel`;
    expect((await ask(path)).body.runs).toEqual({ [last.runId]: 'stopping' });
    await done(last.runId);
  });

  it('takes input while it is open, and none afterwards', async () => {
    const { runId, threadId } = await run('hold i1');
    const asking = { body: { text: 'more' }, headers: { 'idempotency-key': 'i1' } };
    const { status, body } = await ask(`POST /runs/${runId}/input`, asking);
    expect(status).toBe(202);
    expect(body).toMatchObject({ threadId, runId, became: 'pending' });
    released.add('i1');
    const report = await done(runId);
    expect(report.text).toContain('more');
    const again = await ask(`POST /runs/${runId}/input`, asking);
    expect(again).toMatchObject({ status: 202, headers: { 'idempotency-replayed': 'true' }, body });
    const late = await ask(`POST /runs/${runId}/input`, { body: { text: 'late' } });
    expect(late).toMatchObject({ status: 409, body: { code: 'run-ended' } });
    const other = await ask(`POST /runs/${runId}/input`, { ...asking, body: { text: 'other' } });
    expect(other).toMatchObject({ status: 422, body: { code: 'request-conflict' } });
  });

  it('is refused where the thread is busy and the caller asked not to wait', async () => {
    const { runId, threadId } = await run('hold r1');
    const body = { text: 'a', threadId, whenBusy: 'reject' };
    expect(await ask('POST /runs', { body })).toMatchObject({ status: 409, body: { code: 'run-conflict' } });
    released.add('r1');
    await done(runId);
  });
});

describe('a thread', () => {
  it('is made once, changed, and removed', async () => {
    const id = fresh();
    const input = { id, title: 'a title', contextId: 'c', metadata: { a: 1 } };
    const made = await ask('POST /threads', { body: input });
    expect(made).toMatchObject({ status: 201, headers: { location: `/v1/threads/${at(id)}` } });
    expect(made.body).toMatchObject({ thread: { id, title: 'a title' }, head: expect.any(Number), waiting: 0 });
    expect((await ask('POST /threads', { body: input })).status).toBe(200);
    const other = { ...input, title: 'another' };
    expect(await ask('POST /threads', { body: other })).toMatchObject({
      status: 409,
      body: { code: 'request-conflict' },
    });
    const patch = { title: null, metadata: { a: null, b: { c: 2 }, constructor: { prototype: { polluted: 1 } } } };
    const patched = await ask(`PATCH /threads/${at(id)}`, { body: patch });
    expect(patched.body.thread).not.toHaveProperty('title');
    expect(patched.body.thread.metadata).toMatchObject({ b: { c: 2 } });
    expect({}).not.toHaveProperty('polluted');
    expect((await ask(`GET /threads/${at(id)}`)).body.thread).toEqual(patched.body.thread);
    expect((await ask('GET /threads?contextId=c')).body.items).toMatchObject([{ id }]);
    expect((await ask(`DELETE /threads/${at(id)}`)).status).toBe(204);
    expect((await ask(`GET /threads/${at(id)}`)).status).toBe(404);
  });

  it('gets a name where it has none', async () => {
    const { status, body } = await ask('POST /threads', { body: {} });
    expect([status, body.thread.id]).toEqual([201, expect.stringMatching(/^thr_/)]);
    expect((await ask('POST /threads')).status).toBe(201);
  });

  it('shows its messages, its events and itself at a moment', async () => {
    const { runId, threadId } = await run('hello');
    await done(runId);
    const messages = (await ask(`GET /threads/${at(threadId)}/messages?limit=1`)).body;
    expect(messages.items).toMatchObject([{ role: 'assistant' }]);
    const rest = (await ask(`GET /threads/${at(threadId)}/messages?cursor=${at(messages.next)}`)).body;
    expect(rest.items).toMatchObject([{ role: 'user' }]);
    const branch = (await ask(`GET /threads/${at(threadId)}/messages?head=${rest.items[0].id}`)).body;
    expect(branch.items).toEqual(rest.items);
    expect((await ask(`GET /threads/${at(threadId)}/messages?head=nothing`)).status).toBe(404);

    const events = (await ask(`GET /threads/${at(threadId)}/events`)).body;
    expect(events.items.at(-1)).toMatchObject({ type: 'run.finished', runId });
    expect(events.items.some((event: object) => 'token' in event)).toBe(false);
    const view = (await ask(`GET /threads/${at(threadId)}/view`)).body;
    expect(view).toMatchObject({ cursor: events.cursor, runId, messages: [{ role: 'user' }, { role: 'assistant' }] });
    const [logId] = view.cursor.split('.');
    const before = (await ask(`GET /threads/${at(threadId)}/view?cursor=${logId}.1`)).body;
    expect(before.cursor).toBe(`${logId}.1`);
    for (const cursor of [`${logId}.9999`, 'log_other.1']) {
      const gone = { status: 410, body: { code: 'cursor-expired' } };
      expect(await ask(`GET /threads/${at(threadId)}/view?cursor=${cursor}`)).toMatchObject(gone);
      expect(await ask(`GET /threads/${at(threadId)}/events?after=${cursor}`)).toMatchObject(gone);
      expect(await ask(`GET /runs/${runId}/events?after=${cursor}`)).toMatchObject(gone);
    }
  });

  it('streams a run from its start to its end, and goes on from any frame', async () => {
    const { runId } = await run('hello');
    const headers = { authorization: 'Bearer ann' };
    const whole = await server.watch(`/runs/${runId}/events`, headers);
    await whole.ended;
    const frames = whole.frames();
    expect(frames[0]?.event).toBe('run.started');
    expect(frames.at(-1)?.event).toBe('run.finished');
    const half = await server.watch(`/runs/${runId}/events`, { ...headers, 'last-event-id': frames[2]?.id ?? '' });
    await half.ended;
    expect(half.frames()).toEqual(frames.slice(3));
    const seen = { accept: 'text/event-stream', 'last-event-id': frames.at(-1)?.id ?? '' };
    expect((await ask(`GET /runs/${runId}/events`, { headers: seen })).status).toBe(204);
    const pages = (await ask(`GET /runs/${runId}/events`)).body;
    expect(pages.items).toEqual(frames.map(({ data }) => data));
  });

  it('is forked', async () => {
    const { runId, threadId } = await run('hello');
    await done(runId);
    const forked = await ask(`POST /threads/${at(threadId)}/fork`, { body: {} });
    expect(forked).toMatchObject({ status: 201, body: { thread: { parent: { threadId } } } });
    const { id } = forked.body.thread;
    expect(forked.headers.location).toBe(`/v1/threads/${at(id)}`);
    expect((await ask(`GET /threads/${at(id)}/messages`)).body.items).toHaveLength(2);
    expect(await ask(`DELETE /threads/${at(threadId)}`)).toMatchObject({ status: 409, body: { code: 'run-conflict' } });
    expect((await ask(`DELETE /threads/${at(threadId)}?children=remove`)).status).toBe(204);
    expect((await ask(`GET /threads/${at(id)}`)).status).toBe(404);
  });

  it('is interrupted', async () => {
    const { runId, threadId } = await run('hold int');
    expect(await ask(`DELETE /threads/${at(threadId)}`)).toMatchObject({ status: 409, body: { code: 'run-conflict' } });
    const { body } = await ask(`POST /threads/${at(threadId)}/interrupt`, { as: 'bob' });
    expect(body.runs).toEqual({ [runId]: 'stopping' });
    expect((await done(runId)).body.run.outcome).toMatchObject({ type: 'cancelled' });
    expect((await ask(`DELETE /threads/${at(threadId)}?force=true`)).status).toBe(204);
  });
});

describe('what waits', () => {
  it('is listed, put in order, changed and taken back by who brought it in', async () => {
    const { runId, threadId } = await run('hold q');
    const first = await run('first', threadId);
    const second = await run('second', threadId);
    expect(second.became).toBe('queued');
    const input = `/threads/${at(threadId)}/input`;
    const listed = await ask(`GET ${input}`);
    expect(listed.text).not.toContain('digest');
    const ids = ({ body }: Answered) =>
      body.items.map(({ activation }: { activation: { id: string } }) => activation.id);
    expect(ids(listed)).toEqual([first.activationId, second.activationId]);
    const order = { activationIds: [second.activationId, first.activationId] };
    expect(ids(await ask(`PUT ${input}`, { body: order }))).toEqual(order.activationIds);

    const edit = { revision: 1, messages: [{ role: 'user', parts: [{ type: 'text', text: 'changed' }] }] };
    const path = `${input}/${at(first.activationId)}`;
    expect(await ask(`PATCH ${path}`, { body: edit, as: 'bob' })).toMatchObject({ status: 403 });
    expect((await ask(`PATCH ${path}`, { body: edit })).body).toMatchObject({ id: first.activationId, revision: 2 });
    const stale = { revision: 1, messages: [{ role: 'user', parts: [{ type: 'text', text: 'other' }] }] };
    const conflict = { status: 409, body: { code: 'revision-conflict' } };
    expect(await ask(`PATCH ${path}`, { body: stale })).toMatchObject(conflict);
    expect((await ask(`DELETE ${path}`)).body.state.is).toBe('retracted');
    expect((await ask(`GET /threads/${at(threadId)}/activations/${at(first.activationId)}`)).body).toMatchObject({
      id: first.activationId,
      state: { is: 'retracted' },
    });
    released.add('q');
    await done(runId);
    await done(second.runId);
    const taken = `${input}/${at(second.activationId)}`;
    expect(await ask(`DELETE ${taken}`)).toMatchObject({ status: 409, body: { code: 'input-taken' } });
    expect((await ask(`DELETE ${input}/nothing`)).status).toBe(404);
  });
});

describe('a question', () => {
  const openOn = async (threadId: string): Promise<ShownTicket> =>
    until('a question', async () => (await ask(`GET /tickets?threadId=${at(threadId)}`)).body.items[0] as ShownTicket);

  it('is listed, shown and answered once', async () => {
    const { runId, threadId } = await run('ask');
    const settled = await ask(`GET /runs/${runId}/wait`);
    expect(settled.body).toMatchObject({ run: { status: 'waiting' }, tickets: [{ text: 'may I?' }] });
    const ticket = await openOn(threadId);
    expect((await ask(`GET /tickets/${ticket.id}`)).body).toEqual(ticket);
    expect((await ask(`GET /tickets?runId=${runId}`)).body.items).toEqual([ticket]);
    const behind = await run('behind', threadId);
    expect(behind).toMatchObject({ became: 'blocked', blockedBy: [ticket.id] });
    const path = `POST /tickets/${ticket.id}/decision`;
    const wrong = { answer: { type: 'option', optionId: 'none' } };
    expect(await ask(path, { body: wrong })).toMatchObject({ status: 422, body: { code: 'invalid-answer' } });
    const body = { answer: { type: 'approve' }, decisionId: 'd1' };
    const closed = await ask(path, { body });
    expect(closed.body.closed).toMatchObject({ how: 'answered', actor: 'ann', door: 'control' });
    expect((await ask(path, { body })).body).toEqual(closed.body);
    const deny = { answer: { type: 'deny' } };
    expect(await ask(path, { body: deny })).toMatchObject({ status: 409, body: { code: 'decision-conflict' } });
    expect((await done(runId)).text).toContain('approve');
    await done(behind.runId);
    expect((await ask(`GET /tickets?threadId=${at(threadId)}`)).body.items).toEqual([]);
    for (const state of ['closed', 'all']) {
      const { items } = (await ask(`GET /tickets?state=${state}&threadId=${at(threadId)}`)).body;
      expect(items).toEqual([closed.body]);
    }
  });

  it('tells nobody an answer that is a secret', async () => {
    const { runId, threadId } = await run('secret');
    const ticket = await openOn(threadId);
    const body = { answer: { type: 'value', value: 'open sesame' } };
    const closed = await ask(`POST /tickets/${ticket.id}/decision`, { body });
    expect(closed.body.closed).toMatchObject({ how: 'answered' });
    await done(runId);
    const answers = [
      closed,
      await ask(`GET /tickets/${ticket.id}`),
      await ask(`GET /threads/${at(threadId)}/view`),
      await ask(`GET /threads/${at(threadId)}/events`),
    ];
    for (const { text } of answers) expect(text).not.toContain('sesame');
  });
});

describe('a dead letter', () => {
  it('is listed, redriven or discarded', async () => {
    const first = await run('fail d1');
    const second = await run('fail d2');
    for (const { runId } of [first, second]) await done(runId);
    const listed = async (): Promise<string[]> => {
      const { body } = await ask('GET /dead-letters?agentId=scripted');
      return body.items
        .map(({ id }: { id: string }) => id)
        .filter((id: string) => [first.runId, second.runId].includes(id));
    };
    expect(await listed()).toEqual([second.runId, first.runId]);
    expect((await ask('GET /runs?status=dead&limit=200')).body.items.length).toBeGreaterThanOrEqual(2);
    released.add('d1');
    const redriven = await ask(`POST /dead-letters/${first.runId}/redrive`);
    expect(redriven).toMatchObject({ status: 202, body: { threadId: first.threadId } });
    const again = await ask(`POST /dead-letters/${first.runId}/redrive`);
    expect(again).toMatchObject({ text: redriven.text, headers: { 'idempotency-replayed': 'true' } });
    expect((await done(redriven.body.runId)).body.run).toMatchObject({ retryOf: first.runId });
    expect((await ask(`DELETE /dead-letters/${second.runId}`)).status).toBe(204);
    expect((await ask(`DELETE /dead-letters/${second.runId}`)).status).toBe(204);
    expect(await listed()).toEqual([]);
    const alive = await run('hello');
    await done(alive.runId);
    for (const asked of [`POST /dead-letters/${alive.runId}/redrive`, `DELETE /dead-letters/${alive.runId}`]) {
      expect(await ask(asked)).toMatchObject({ status: 409, body: { code: 'run-conflict' } });
    }
  });
});

describe('a dead webhook', () => {
  it('is listed, redriven or discarded', async () => {
    const { subscriptions } = fixture.mailbox;
    const fault = { code: 'upstream-failed', message: 'the receiver answered 500', retryable: true } as const;
    const made = { id: 'hook', runId: 'run_1', threadId: 't', actor: 'ann', door: 'a2a', filter: 'status' } as const;
    const webhook = { ...made, webhookId: 'cnVu', host: 'h', fault, attempts: 20, createdAtMs: 0, diedAtMs: 1 };
    using list = vi.spyOn(subscriptions, 'listDead').mockResolvedValue({ items: [webhook], next: 'more' });
    using redrive = vi.spyOn(subscriptions, 'redrive').mockResolvedValue();
    using discard = vi.spyOn(subscriptions, 'discard').mockResolvedValue();
    const listed = await ask('GET /dead-webhooks?limit=1');
    expect(listed).toMatchObject({ status: 200, body: { items: [webhook], next: 'more' } });
    expect(list).toHaveBeenCalledWith(expect.anything(), { limit: 1 });
    expect((await ask('POST /dead-webhooks/cnVu/redrive')).status).toBe(204);
    expect((await ask('DELETE /dead-webhooks/cnVu')).status).toBe(204);
    for (const spy of [redrive, discard]) expect(spy).toHaveBeenCalledWith(expect.anything(), 'cnVu');
    expect(await ask('DELETE /dead-webhooks/a.b')).toMatchObject({ status: 400, body: { code: 'invalid-request' } });
  });
});

describe('another scope', () => {
  it('has nothing of this one: its names answer as those of nothing', async () => {
    const { runId, threadId, activationId } = await run('ask');
    const { id: ticketId } = await until(
      'a question',
      async () => (await ask(`GET /tickets?runId=${runId}`)).body.items[0],
    );
    const webhookId = Buffer.from(`${runId}/ann/hook`).toString('base64url');
    const ids = { runId, threadId, activationId, ticketId, webhookId, agentId: 'scripted' };
    const bodies: Record<string, object> = {
      patchThread: { title: 'mine' },
      forkThread: {},
      reorderInput: { activationIds: [activationId] },
      editInput: { revision: 1, messages: [{ role: 'user', parts: [] }] },
      sendInput: { text: 'a' },
      decideTicket: { answer: { type: 'approve' } },
    };
    const named = endpoints.filter(({ path }) => /\{(run|thread|activation|ticket|webhook)Id\}/.test(path));
    expect(named.length).toBeGreaterThan(20);
    for (const { method, path, operationId } of named) {
      const withIds = (of: (name: keyof typeof ids) => string): string =>
        path.slice('/v1'.length).replaceAll(/\{(\w+)\}/g, (_, name: keyof typeof ids) => at(of(name)));
      const asked = async (of: (name: keyof typeof ids) => string): Promise<string> => {
        const { status, text } = await ask(`${method.toUpperCase()} ${withIds(of)}`, {
          as: 'eve',
          body: bodies[operationId],
        });
        return `${status} ${Object.keys(ids).reduce((said, name) => said.replaceAll(of(name as keyof typeof ids), name), text)}`;
      };
      const theirs = await asked((name) => ids[name]);
      expect(theirs, operationId).toBe(await asked((name) => `none-${name}`));
      expect(theirs, operationId).toMatch(/^404 /);
    }
    for (const list of ['threads', 'runs', 'tickets', 'dead-letters', 'dead-webhooks']) {
      expect((await ask(`GET /${list}`, { as: 'eve' })).body, list).toEqual({ items: [] });
    }
    expect((await ask(`GET /runs?threadId=${at(threadId)}`, { as: 'eve' })).text).toBe(
      (await ask('GET /runs?threadId=none', { as: 'eve' })).text,
    );
    await ask(`POST /runs/${runId}/cancel`);
    await done(runId);
  });
});
