import { getEventListeners } from 'node:events';
import { PassThrough } from 'node:stream';
import { setImmediate as nextTick } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { closeWith } from '../../adapters/acp/connection.ts';
import { serveStdio } from '../../adapters/acp/stdio.ts';
import { systemClock } from '../../src/clock.ts';
import { deferred } from '../../src/deferred.ts';
import { Fault } from '../../src/fault.ts';
import { HeldChannel, KeptLog, settled } from '../support/acp-channel.ts';
import { Ide } from '../support/acp-client.ts';
import { openAcp } from '../support/acp-gateway.ts';
import { say, scripted } from '../support/mailbox-fixture.ts';
import { until } from '../support/until.ts';

const ada = { scope: 'local', actor: 'ada' };
const home = { cwd: '/home/ann', mcpServers: [] };
const text = (words: string): object => ({ prompt: [{ type: 'text', text: words }] });
const named = (key: string): object => ({ _meta: { 'anyport/key': key } });
const failureOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((thrown: unknown) => thrown);

describe('a session on one connection', () => {
  it('that is loaded twice at once is followed once', async () => {
    await using gateway = await openAcp();
    await using first = await Ide.open(gateway.stream());
    const sessionId = await first.newSession();
    await using ide = await Ide.open(gateway.stream());
    const load = (): Promise<unknown> => ide.request('session/load', { sessionId, ...home });
    await Promise.all([load(), load(), ide.request('session/resume', { sessionId, ...home }), load()]);
    await first.prompt(sessionId, 'hello');
    await ide.prompt(sessionId, 'again');
    expect(ide.textOf(sessionId)).toBe('You said: “hello”You said: “again”');
    expect(await ide.request('session/close', { sessionId })).toEqual({});
    const told = ide.of(sessionId).length;
    await first.prompt(sessionId, 'alone');
    expect(ide.of(sessionId)).toHaveLength(told);
  });

  it('that is loaded while its prompt runs answers that prompt, and tells the rest once', async () => {
    const goOn = deferred();
    await using gateway = await openAcp(
      scripted(async function* (_, context) {
        yield* say(context, 'a', 'one ');
        await goOn.promise;
        yield* say(context, 'b', 'two');
      }),
    );
    await using ide = await Ide.open(gateway.stream());
    const sessionId = await ide.newSession();
    const ended = ide.prompt(sessionId, 'go');
    await ide.seen('its beginning', () => ide.textOf(sessionId) === 'one ');
    const loaded = ide.request('session/load', { sessionId, ...home });
    goOn.resolve();
    await loaded;
    expect(await ended).toBe('end_turn');
    expect(ide.textOf(sessionId).split('two')).toHaveLength(2);
  });

  it('that is loaded again while its log fails goes on with its prompts', async () => {
    await using gateway = await openAcp();
    const { mailbox } = gateway;
    const follow = mailbox.follow.bind(mailbox);
    mailbox.follow = async function* (...all) {
      yield* follow(...all);
      throw new Fault('store-failed', 'broken off');
    };
    await using ide = await Ide.open(gateway.stream());
    const sessionId = await ide.newSession();
    const ended = ide.prompt(sessionId, '/stream 100 5');
    await ide.seen('its beginning', () => ide.textOf(sessionId) !== '');
    await ide.request('session/load', { sessionId, ...home });
    expect(await ended).toBe('end_turn');
    expect(ide.textOf(sessionId)).toMatch(/ 100 $/);
  });

  it('that cannot be opened again ends, and answers its prompts', async () => {
    await using gateway = await openAcp();
    const capabilities = { _meta: { 'anyport/client': 'client' } };
    await using ide = await Ide.open(gateway.stream(), { capabilities });
    const sessionId = await ide.newSession();
    const ended = failureOf(ide.prompt(sessionId, '/stream 1000000 5'));
    await ide.seen('its beginning', () => ide.textOf(sessionId) !== '');
    const resume = { sessionId, ...home, _meta: { 'anyport/after': 'nonsense' } };
    expect(await failureOf(ide.request('session/resume', resume))).toMatchObject({ data: { code: 'cursor-expired' } });
    expect(await ended).toMatchObject({ data: { code: 'cursor-expired' } });
    expect(await failureOf(ide.prompt(sessionId, 'hello'))).toMatchObject({ code: -32002 });
    await ide.request('session/load', { sessionId, ...home });
    await ide.cancel(sessionId);
  });

  it('that is closed takes no prompt meanwhile', async () => {
    await using gateway = await openAcp();
    await using ide = await Ide.open(gateway.stream());
    const sessionId = await ide.newSession();
    const running = ide.prompt(sessionId, '/stream 1000000 5');
    await ide.seen('its beginning', () => ide.textOf(sessionId) !== '');
    const closed = ide.request('session/close', { sessionId });
    await ide.seen('the cancel', async () =>
      (await gateway.events(sessionId)).some(({ type }) => type === 'run.stopping'),
    );
    const late = failureOf(ide.prompt(sessionId, '/stream 1000000 5'));
    expect(await closed).toEqual({});
    expect(await running).toBe('cancelled');
    expect(await late).toMatchObject({ code: -32002 });
  });

  it('that is closed by the other of two connections goes on there', async () => {
    await using gateway = await openAcp();
    await using ide = await Ide.open(gateway.stream());
    await using other = await Ide.open(gateway.stream('bob'));
    const sessionId = await ide.newSession();
    await other.request('session/load', { sessionId, ...home });
    const running = ide.prompt(sessionId, '/stream 200 1');
    await ide.seen('its beginning', () => ide.textOf(sessionId) !== '');
    await other.request('session/close', { sessionId });
    expect(await running).toBe('end_turn');
  });
});

describe('prompts of two connections in one session', () => {
  it('are each answered at its own end, and both are shown both', async () => {
    await using gateway = await openAcp();
    await using ide = await Ide.open(gateway.stream());
    await using other = await Ide.open(gateway.stream());
    const sessionId = await ide.newSession();
    await other.request('session/load', { sessionId, ...home });
    await nextTick();
    expect(await Promise.all([ide.prompt(sessionId, 'mine'), other.prompt(sessionId, 'theirs')])).toEqual([
      'end_turn',
      'end_turn',
    ]);
    const both = 'You said: “mine”You said: “theirs”';
    await ide.seen('both answers', () => ide.textOf(sessionId) === both);
    await other.seen('both answers', () => other.textOf(sessionId) === both);
    expect(ide.textOf(sessionId, 'user_message_chunk')).toBe('theirs');
    expect(other.textOf(sessionId, 'user_message_chunk')).toBe('mine');
  });
});

describe('a prompt under a name', () => {
  it('that comes twice is one prompt, answered twice', async () => {
    await using gateway = await openAcp();
    await using ide = await Ide.open(gateway.stream());
    const sessionId = await ide.newSession();
    const prompt = (): Promise<unknown> =>
      ide.request('session/prompt', { sessionId, ...text('hello'), ...named('k') } as never);
    const end = { stopReason: 'end_turn' };
    expect(await Promise.all([prompt(), prompt()])).toEqual([end, end]);
    expect(await prompt()).toEqual(end);
    expect(ide.textOf(sessionId)).toBe('You said: “hello”');
  });

  it('that is refused for another one’s name leaves that one waiting for its answer', async () => {
    await using gateway = await openAcp();
    await using ide = await Ide.open(gateway.stream());
    const sessionId = await ide.newSession();
    const prompt = (words: string): Promise<unknown> =>
      ide.request('session/prompt', { sessionId, ...text(words), ...named('k') } as never);
    const first = prompt('/stream 1000000 5');
    await gateway.seen('run.started', 1, sessionId);
    expect(await failureOf(prompt('hello'))).toMatchObject({ data: { code: 'request-conflict' } });
    await ide.cancel(sessionId);
    expect(await first).toEqual({ stopReason: 'cancelled' });
  });
});

describe('a session whose thread is removed', () => {
  it.each(['another connection', 'another door'])('by %s ends with its prompts, and is forgotten', async (who) => {
    await using gateway = await openAcp();
    const { mailbox } = gateway;
    await using ide = await Ide.open(gateway.stream());
    await using other = await Ide.open(gateway.stream());
    const sessionId = await ide.newSession();
    await other.request('session/load', { sessionId, ...home });
    const ended = failureOf(ide.prompt(sessionId, '/stream 1000000 5'));
    await other.seen('its beginning', () => other.textOf(sessionId) !== '');
    if (who === 'another connection') await other.request('session/delete', { sessionId });
    else await mailbox.threads.remove(ada, sessionId, { children: 'keep', force: true });
    expect(await ended).toMatchObject({ code: -32002 });
    for (const client of [ide, other]) {
      expect(await failureOf(client.prompt(sessionId, 'hello'))).toMatchObject({ code: -32002 });
      await client.cancel(sessionId);
      expect(await client.request('session/delete', { sessionId })).toEqual({});
    }
    expect(await mailbox.threads.find(ada, sessionId)).toBeUndefined();
  });
});

describe('a session whose log cannot be read', () => {
  it('ends with its prompts, and can be loaded again', async () => {
    await using gateway = await openAcp();
    const { mailbox } = gateway;
    await using ide = await Ide.open(gateway.stream());
    const follow = mailbox.follow.bind(mailbox);
    mailbox.follow = async function* (...all) {
      for await (const page of follow(...all)) {
        yield page;
        if (page.some(({ type }) => type === 'text.delta')) throw new Fault('store-failed', 'the disk is gone');
      }
    };
    const sessionId = await ide.newSession();
    expect(await failureOf(ide.prompt(sessionId, '/stream 1000000 5'))).toMatchObject({
      data: { code: 'store-failed' },
    });
    mailbox.follow = follow;
    expect(await failureOf(ide.prompt(sessionId, 'hello'))).toMatchObject({ code: -32002 });
    await ide.request('session/load', { sessionId, ...home });
    await ide.cancel(sessionId);
    expect(await ide.prompt(sessionId, 'hello')).toBe('end_turn');
  });

  it('tells its log and goes on, when it cannot say what it waits for', async () => {
    await using gateway = await openAcp();
    const { mailbox } = gateway;
    await using ide = await Ide.open(gateway.stream());
    const sessionId = await ide.newSession();
    const findActivation = mailbox.findActivation.bind(mailbox);
    mailbox.findActivation = () => Promise.reject(new Fault('store-failed', 'not now'));
    const ended = failureOf(ide.prompt(sessionId, '/form'));
    await ide.seen('the question', () => ide.textOf(sessionId) !== '');
    mailbox.findActivation = findActivation;
    expect(await ended).toBeDefined();
  });

  it('answers a prompt that cannot be cancelled with an error, and no stop reason', async () => {
    await using gateway = await openAcp();
    await using ide = await Ide.open(gateway.stream());
    const sessionId = await ide.newSession();
    const one = new AbortController();
    const ended = failureOf(ide.prompt(sessionId, '/stream 1000000 5', one.signal));
    await ide.seen('its beginning', () => ide.textOf(sessionId) !== '');
    const { runs } = gateway.mailbox;
    runs.cancelActivation = () => Promise.reject(new Fault('store-failed', 'not now'));
    one.abort();
    expect(await ended).toMatchObject({ code: -32603, data: { code: 'store-failed' } });
    await ide.cancel(sessionId);
  });

  it('is listed with the rest', async () => {
    await using gateway = await openAcp();
    await using ide = await Ide.open(gateway.stream());
    const sessionId = await ide.newSession();
    await ide.prompt(sessionId, 'hello');
    gateway.mailbox.events = () => Promise.reject(new Fault('cursor-expired', 'evicted'));
    expect((await ide.agent.request('session/list', {})).sessions).toMatchObject([{ sessionId }]);
  });
});

describe('a client that reads nothing', () => {
  it('has no more of its session’s media read than it takes', async () => {
    const data = Buffer.alloc(100_000, 1).toString('base64');
    await using gateway = await openAcp();
    const image = { type: 'media', kind: 'image', mimeType: 'image/png', source: { at: 'inline', data } } as const;
    const created = await gateway.mailbox.threads.create(ada, { workspace: { cwd: '/', additionalDirectories: [] } });
    const sessionId = created.status.thread.id;
    for (let count = 0; count < 5; count++) {
      const key = String(count);
      await gateway.submit(key, { threadId: sessionId, agentId: 'demo', messages: [{ role: 'user', parts: [image] }] });
      await gateway.seen('run.finished', count + 1, sessionId);
    }
    let reads = 0;
    const blob = gateway.mailbox.blob.bind(gateway.mailbox);
    gateway.mailbox.blob = (...all) => {
      reads += 1;
      return blob(...all);
    };
    const room = deferred();
    const channel = Object.assign(new HeldChannel(), { room: () => room.promise });
    gateway.serve(channel);
    channel.hear({ jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: 1 } });
    await settled();
    const params = { sessionId, cwd: '/', mcpServers: [] };
    channel.hear({ jsonrpc: '2.0', id: '', method: 'session/load', params });
    await until('the first', async () => channel.sent.length > 1);
    await settled();
    expect([reads, channel.sent.length]).toEqual([1, 2]);
    room.resolve();
    await until('the answer', async () => channel.sent.some((one) => 'id' in one && one.id === ''));
    expect(reads).toBe(5);
  });
});

describe('a load that its client cancels', () => {
  it.each(['a session that was not open', 'an open one, whose prompt is answered'])('ends, of %s', async (which) => {
    await using gateway = await openAcp();
    const room = deferred();
    let isFull = false;
    const channel = Object.assign(new HeldChannel(), { room: () => (isFull ? room.promise : undefined) });
    const answerOf = (id: unknown): Promise<object> =>
      until('the answer', async () => channel.sent.find((one) => 'id' in one && one.id === id));
    gateway.serve(channel);
    channel.hear({ jsonrpc: '2.0', id: 'hello', method: 'initialize', params: { protocolVersion: 1 } });
    const { status } = await gateway.mailbox.threads.create(ada, {});
    const sessionId = status.thread.id;
    await settled();
    for (let count = 1; count <= 3; count++) {
      await gateway.submit(`${count}`, { threadId: sessionId, agentId: 'demo' });
      await gateway.seen('run.finished', count, sessionId);
    }
    const load = { jsonrpc: '2.0', method: 'session/load', params: { sessionId, ...home } };
    if (which !== 'a session that was not open') {
      channel.hear({ ...load, id: 'first' });
      await answerOf('first');
      const params = { sessionId, ...text('/stream 1000000 5') };
      channel.hear({ jsonrpc: '2.0', id: 'prompt', method: 'session/prompt', params });
      await gateway.seen('run.started', 4, sessionId);
    }
    isFull = true;
    const toldBefore = channel.sent.length;
    channel.hear({ ...load, id: 'load' });
    await until('its beginning', async () => channel.sent.length > toldBefore);
    channel.hear({ jsonrpc: '2.0', method: '$/cancel_request', params: { requestId: 'load' } });
    room.resolve();
    expect(await answerOf('load')).toMatchObject({ error: { code: -32_800 } });
    if (which !== 'a session that was not open') {
      expect(await answerOf('prompt')).toMatchObject({ error: { data: { code: 'client-gone' } } });
    }
    isFull = false;
    channel.hear({ jsonrpc: '2.0', id: 'late', method: 'session/prompt', params: { sessionId, ...text('hello') } });
    expect(await answerOf('late')).toMatchObject({ error: { code: -32_002 } });
    channel.hear({ ...load, id: 'again' });
    expect(await answerOf('again')).toMatchObject({ result: {} });
    expect(gateway.logged.filter(({ message }) => message === 'a request failed')).toEqual([]);
  });
});

describe('a process that an editor started', () => {
  it('ends when its input breaks, as it does when that ends, once what was asked is answered', async () => {
    await using gateway = await openAcp();
    const { mailbox } = gateway;
    const [card] = mailbox.agents();
    if (card === undefined) throw new Error('there is no agent');
    const [input, output] = [new PassThrough(), new PassThrough()];
    const who = { principal: ada, card, needsToken: false, whenBusy: 'queue' } as const;
    const log = new KeptLog();
    const served = serveStdio({ input, output, drainMs: 10_000, gateway: mailbox, clock: systemClock, log, ...who });
    const messages = [
      { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: 1 } },
      { jsonrpc: '2.0', id: 2, method: 'session/new', params: { cwd: '/', mcpServers: [] } },
    ];
    input.write(messages.map((message) => `${JSON.stringify(message)}\n`).join(''));
    await until('the welcome', async () => output.readableLength > 0);
    input.destroy(new Error('read ECONNRESET'));
    await served;
    expect(String(output.read())).toContain('"id":2,"result":{"sessionId"');
  });
});

describe('a session that is new', () => {
  it('is answered before anything is told of it', async () => {
    await using gateway = await openAcp();
    const channel = new HeldChannel();
    gateway.serve(channel);
    channel.hear({ jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: 1 } });
    await settled();
    channel.hear({ jsonrpc: '2.0', id: 0, method: 'session/new', params: { cwd: '/', mcpServers: [] } });
    await until('its commands', async () => channel.sent.length > 2);
    expect(channel.sent.slice(1)).toMatchObject([
      { id: 0, result: { sessionId: expect.any(String) as string } },
      { method: 'session/update', params: { update: { sessionUpdate: 'available_commands_update' } } },
    ]);
  });

  it('takes a prompt and a cancel of it in one go', async () => {
    await using gateway = await openAcp();
    const channel = new HeldChannel();
    gateway.serve(channel);
    const { status } = await gateway.mailbox.threads.create(ada, {});
    const params = { sessionId: status.thread.id, ...home };
    channel.hear({ jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: 1 } });
    channel.hear({ jsonrpc: '2.0', id: 1, method: 'session/resume', params });
    await until('the answer', async () => channel.sent.some((one) => 'id' in one && one.id === 1));
    const prompt = { sessionId: params.sessionId, ...text('/stream 1000000 5') };
    channel.hear(
      { jsonrpc: '2.0', id: 2, method: 'session/prompt', params: prompt },
      { jsonrpc: '2.0', method: 'session/cancel', params: { sessionId: params.sessionId } },
    );
    await until('the end', async () => channel.sent.some((one) => 'id' in one && one.id === 2));
    expect(channel.sent.at(-1)).toMatchObject({ id: 2, result: { stopReason: 'cancelled' } });
  });
});

describe('words for a turn that waits for a person', () => {
  it('are taken by it, and leave its question open', async () => {
    await using gateway = await openAcp();
    await using ide = await Ide.open(gateway.stream());
    const sessionId = await ide.newSession();
    const ended = ide.prompt(sessionId, '/approve');
    await ide.seen('the permission', () => ide.permissions.length === 1);
    await gateway.seen('run.waiting', 1, sessionId);
    const steered = await ide.request('_session/steering', { sessionId, ...text('hurry') } as never);
    expect(steered).toEqual({ outcome: 'injected' });
    const { items } = await gateway.mailbox.tickets.list(ada, { state: 'open' }, { limit: 2 });
    expect(items).toHaveLength(1);
    await ide.cancel(sessionId);
    expect(await ended).toBe('cancelled');
  });
});

describe('a connection', () => {
  it('that has closed is not kept for the end of the gateway', async () => {
    await using gateway = await openAcp();
    const stopping = new AbortController();
    const listeners = (): number => getEventListeners(stopping.signal, 'abort').length;
    const [gone, stays] = [gateway.serve(new HeldChannel()), gateway.serve(new HeldChannel())];
    for (const connection of [gone, stays]) closeWith(stopping.signal, connection);
    expect(listeners()).toBe(2);
    await gone.close();
    await gone.whenClosed;
    expect(listeners()).toBe(1);
    stopping.abort();
    await stays.whenClosed;
    const late = gateway.serve(new HeldChannel());
    closeWith(stopping.signal, late);
    await late.whenClosed;
  });

  it('that closes while its session is attached leaves no follower', async () => {
    await using gateway = await openAcp();
    const { mailbox } = gateway;
    const { status } = await mailbox.threads.create(ada, { workspace: { cwd: '/', additionalDirectories: [] } });
    const viewed = deferred();
    const asked = deferred();
    const viewAt = mailbox.viewAt.bind(mailbox);
    mailbox.viewAt = async (...all) => {
      asked.resolve();
      await viewed.promise;
      return viewAt(...all);
    };
    let follows = 0;
    const follow = mailbox.follow.bind(mailbox);
    mailbox.follow = (...all) => {
      follows += 1;
      return follow(...all);
    };
    const channel = new HeldChannel();
    const connection = gateway.serve(channel);
    channel.hear({ jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: 1 } });
    await settled();
    const params = { sessionId: status.thread.id, cwd: '/', mcpServers: null };
    channel.hear({ jsonrpc: '2.0', id: 1.5, method: 'session/load', params });
    await asked.promise;
    await connection.close();
    viewed.resolve();
    await settled();
    expect(follows).toBe(0);
  });
});
