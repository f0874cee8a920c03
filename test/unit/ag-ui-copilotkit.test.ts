// Pages drive the routes with the published @copilotkit/core 1.75.0, which holds @ag-ui/client 0.0.59; what no page of
// that version sends is sent as @copilotkit/runtime 1.75.0 reads it.
// https://github.com/CopilotKit/CopilotKit/tree/main/packages/core/src
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { agUiAdapter } from '../../adapters/ag-ui/index.ts';
import { encodeCapabilities } from '../../adapters/ag-ui/capabilities.ts';
import { systemClock } from '../../src/clock.ts';
import { deferred } from '../../src/deferred.ts';
import { manifest } from '../../src/manifest.ts';
import { parseSse } from '../support/ag-ui-client.ts';
import { Page, type Transport } from '../support/copilotkit-page.ts';
import { openPort, type Port } from '../support/copilotkit-port.ts';
import { scripted } from '../support/mailbox-fixture.ts';
import { until } from '../support/until.ts';

const anybody = { scope: 'local', actor: 'local' };
const json = { 'content-type': 'application/json' };

// Where there is no window the core takes itself for server rendering, and asks for nothing.
beforeAll(() => {
  vi.stubGlobal('window', new EventTarget());
  vi.spyOn(console, 'warn').mockImplementation(() => undefined);
});
afterAll(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** An agent that begins its answer, and ends it when it is let on; a second one is whole at once. */
function halting() {
  const go = deferred();
  let runs = 0;
  const agent = scripted(
    async function* (_, context) {
      const id = context.id('answer');
      const isFirst = (runs += 1) === 1;
      yield { type: 'text.started', id, role: 'assistant' };
      yield { type: 'text.delta', id, delta: 'first ' };
      if (isFirst) await Promise.race([go.promise, aborted(context.signal)]);
      if (context.signal.aborted) return;
      yield { type: 'text.delta', id, delta: 'then' };
      yield { type: 'text.ended', id };
    },
    { id: 'halting' },
  );
  return { agent, go: () => go.resolve() };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve());
  });
}

/** What the thread's runs came to, oldest first. */
async function outcomes({ mailbox }: Port, threadId: string): Promise<string[]> {
  const { items } = await mailbox.runs.list(anybody, { threadId }, { limit: 10 });
  return items.map(({ outcome }) => outcome?.type ?? 'none').toReversed();
}

function runs({ mailbox }: Port, threadId: string): Promise<string> {
  return until('a run that runs', async () => {
    const { items } = await mailbox.runs.list(anybody, { threadId, status: 'running' }, { limit: 1 });
    return items[0]?.id;
  });
}

async function post(port: Port, path: string, body: object): Promise<Response> {
  return fetch(`${port.url}/copilotkit${path}`, { method: 'POST', headers: json, body: JSON.stringify(body) });
}

const input = (threadId: string, runId: string, content = 'hello'): object => ({
  threadId,
  runId,
  state: {},
  messages: [{ id: `m-${runId}`, role: 'user', content }],
  tools: [],
  context: [],
  forwardedProps: {},
});

it('is told of at start', async () => {
  await using port = await openPort();
  const { entryPoints } = agUiAdapter({ gateway: port.mailbox, clock: systemClock });
  expect(entryPoints.at(-1)).toEqual({ what: 'CopilotKit', path: '/copilotkit' });
});

describe('a page that looks for its runtime', () => {
  it.each<[Transport, Transport]>([
    ['auto', 'rest'],
    ['rest', 'rest'],
    ['single', 'single'],
  ])('finds it and its agents: %s', async (transport, found) => {
    await using port = await openPort([halting().agent]);
    const page = await Page.open({ url: port.url, transport });
    expect(page.errors).toEqual([]);
    const { core } = page;
    expect(core.runtimeConnectionStatus).toBe('connected');
    expect(core).toMatchObject({ runtimeTransport: found, runtimeVersion: manifest.version, runtimeMode: 'sse' });
    expect(core).toMatchObject({ suggestions: false, audioFileTranscriptionEnabled: false, a2uiEnabled: false });
    expect(Object.keys(core.agents)).toEqual(['demo', 'halting']);
    const card = port.mailbox.findAgent('demo')!;
    expect(page.agent.description).toBe(card.description);
    expect(await page.agent.getCapabilities()).toEqual(encodeCapabilities(card));
  });

  it('is told in words why it may not', async () => {
    await using port = await openPort([], { tokens: [{ token: 'right', scope: 'local', actor: 'ann' }] });
    const stranger = await Page.open({ url: port.url, headers: { authorization: 'Bearer wrong' } });
    expect(stranger.errors).toEqual([expect.stringMatching(/status 401: \S/)]);
    const page = await Page.open({ url: port.url, headers: { authorization: 'Bearer right' } });
    await page.say('hello');
    expect(page.errors).toEqual([]);
    expect(page.transcript).toEqual(['user: hello', 'assistant: You said: “hello”']);
  });

  it('may call from where pages may', async () => {
    await using port = await openPort([], { allowedOrigins: ['https://app.example.com'] });
    const preflight = (origin: string): Promise<Response> =>
      fetch(`${port.url}/copilotkit/agent/demo/run`, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization,content-type',
        },
      });
    const allowed = await preflight('https://app.example.com');
    expect(allowed.status).toBe(204);
    expect(Object.fromEntries(allowed.headers)).toMatchObject({
      'access-control-allow-origin': 'https://app.example.com',
      'access-control-allow-headers': 'authorization,content-type',
      'access-control-allow-methods': expect.stringContaining('POST') as string,
    });
    const refused = await preflight('https://elsewhere.example.com');
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({ error: expect.any(String) as string, code: 'FORBIDDEN' });
  });
});

describe.each(['rest', 'single'] as const)('a page that speaks %s', (transport) => {
  it('is answered in text, by tools and with a state', async () => {
    await using port = await openPort();
    const page = await Page.open({ url: port.url, transport });
    await page.say('hello');
    await page.say('/tool');
    expect(page.transcript).toEqual([
      'user: hello',
      'assistant: You said: “hello”',
      'user: /tool',
      'tool: 42',
      'assistant: 19 and 23 are 42.',
    ]);
    await page.say('/state');
    expect(Object.keys(page.agent.state as object)).not.toEqual([]);
    for (const command of ['/think', '/plan', '/artifact', '/stream 20']) await page.say(command);
    expect(page.errors).toEqual([]);
    expect(await outcomes(port, page.agent.threadId)).toEqual(Array.from({ length: 7 }, () => 'completed'));
  });

  it('asks its user, and goes on with the answer', async () => {
    await using port = await openPort();
    const page = await Page.open({ url: port.url, transport });
    await page.say('/approve 2');
    expect(page.agent.pendingInterrupts).toHaveLength(2);
    await page.approve();
    expect(page.errors).toEqual([]);
    expect(page.agent.pendingInterrupts).toEqual([]);
    expect(page.agent.messages.filter(({ role }) => role === 'tool')).toHaveLength(2);
    expect(await outcomes(port, page.agent.threadId)).toEqual(['completed']);
  });

  it('runs its own tools, and is answered to what they gave', async () => {
    await using port = await openPort();
    const page = await Page.open({ url: port.url, transport });
    const handler = vi.fn(async () => 'green');
    page.core.addTool({ name: 'colour', description: 'Which colour', parameters: z.object({}), handler });
    await page.say('/frontend colour');
    expect(handler).toHaveBeenCalledTimes(1);
    expect(page.errors).toEqual([]);
    expect(page.transcript).toEqual(['user: /frontend colour', 'tool: green', expect.stringContaining('green')]);
    expect(await outcomes(port, page.agent.threadId)).toEqual(['completed', 'completed']);
  });

  it('waits its turn on a busy thread', async () => {
    const { agent, go } = halting();
    await using port = await openPort([agent]);
    const options = { url: port.url, transport, agentId: 'halting', threadId: 't' };
    const [page, other] = await Promise.all([Page.open(options), Page.open(options)]);
    const first = page.say('one');
    await runs(port, 't');
    const second = other.say('two');
    await until('two runs', async () => (await outcomes(port, 't')).length === 2);
    expect(await outcomes(port, 't')).toEqual(['none', 'none']);
    go();
    await Promise.all([first, second]);
    expect([...page.errors, ...other.errors]).toEqual([]);
    expect(page.transcript).toEqual(['user: one', 'assistant: first then']);
    expect(other.transcript.toSorted()).toEqual([
      'assistant: first then',
      'assistant: first then',
      'user: one',
      'user: two',
    ]);
    expect(await outcomes(port, 't')).toEqual(['completed', 'completed']);
  });

  it('speaks again before it was answered, and both are', async () => {
    const { agent, go } = halting();
    await using port = await openPort([agent]);
    const page = await Page.open({ url: port.url, transport, agentId: 'halting', threadId: 't' });
    const first = page.say('one');
    await until('the beginning', () => page.transcript.length === 2);
    const second = page.say('two');
    await until('two runs', async () => (await outcomes(port, 't')).length === 2);
    go();
    await Promise.all([first, second]);
    expect(page.errors).toEqual([]);
    expect(await outcomes(port, 't')).toEqual(['completed', 'completed']);
    expect(page.transcript.filter((line) => line === 'assistant: first then')).toHaveLength(2);
  });

  it('that comes to a run sees what was said and what comes', async () => {
    const { agent, go } = halting();
    await using port = await openPort([agent]);
    const options = { url: port.url, transport, agentId: 'halting', threadId: 't' };
    const page = await Page.open(options);
    const saying = page.say('one');
    await until('the beginning', () => page.transcript.length === 2);
    const other = await Page.open(options);
    const connected = other.connect();
    await until('what was said', () => other.transcript.includes('assistant: first '));
    go();
    await Promise.all([saying, connected]);
    expect(other.transcript).toEqual(['user: one', 'assistant: first then']);
    expect([...page.errors, ...other.errors]).toEqual([]);
  });

  it('that comes to an open question may answer it', async () => {
    await using port = await openPort();
    const options = { url: port.url, transport, threadId: 't' };
    const page = await Page.open(options);
    await page.say('/approve');
    const other = await Page.open(options);
    await other.connect();
    expect(other.agent.pendingInterrupts).toMatchObject(page.agent.pendingInterrupts.map(({ id }) => ({ id })));
    await other.approve();
    expect(other.errors).toEqual([]);
    expect(await outcomes(port, 't')).toEqual(['completed']);
  });

  it('that comes to an idle thread sees it as it is', async () => {
    await using port = await openPort();
    const options = { url: port.url, transport, threadId: 't' };
    const page = await Page.open(options);
    await page.say('hello');
    await page.say('/state');
    const other = await Page.open(options);
    await other.connect();
    expect(other.errors).toEqual([]);
    expect(other.transcript).toEqual(page.transcript);
    expect(other.agent.state).toEqual(page.agent.state);
  });

  it('that comes to a thread that is not there yet may begin it', async () => {
    await using port = await openPort();
    const page = await Page.open({ url: port.url, transport });
    await page.connect();
    await page.say('hello');
    expect(page.errors).toEqual([]);
    expect(page.transcript).toEqual(['user: hello', 'assistant: You said: “hello”']);
  });

  it('stops its run', async () => {
    await using port = await openPort([halting().agent]);
    const page = await Page.open({ url: port.url, transport, agentId: 'halting', threadId: 't' });
    const saying = page.say('one');
    await until('the beginning', () => page.transcript.length === 2);
    page.stop();
    await saying;
    expect(page.errors).toEqual([]);
    expect(page.agent.isRunning).toBe(false);
    expect(await outcomes(port, 't')).toEqual(['cancelled']);
    await page.say('two');
    expect(page.errors).toEqual([]);
    expect(await outcomes(port, 't')).toEqual(['cancelled', 'completed']);
  });

  it('stops a run to which it came', async () => {
    await using port = await openPort([halting().agent]);
    const options = { url: port.url, transport, agentId: 'halting', threadId: 't' };
    const page = await Page.open(options);
    const saying = page.say('one');
    await until('the beginning', () => page.transcript.length === 2);
    const other = await Page.open(options);
    const connected = other.connect();
    await until('what was said', () => other.transcript.length === 2);
    other.stop();
    await Promise.all([saying, connected]);
    expect(await outcomes(port, 't')).toEqual(['cancelled']);
  });
});

it('a page that was closed has stopped nothing, whatever the next one says', async () => {
  const { agent, go } = halting();
  await using port = await openPort([agent]);
  const closing = new AbortController();
  const { body } = await fetch(`${port.url}/copilotkit/agent/halting/run`, {
    method: 'POST',
    headers: json,
    body: JSON.stringify(input('t', 'r')),
    signal: closing.signal,
  });
  await body?.getReader().read();
  await runs(port, 't');
  closing.abort();
  await until('the page to have left', () => port.logged.some((line) => line.includes('cut off')));
  const page = await Page.open({ url: port.url, agentId: 'halting', threadId: 't' });
  const saying = page.say('two');
  await until('two runs', async () => (await outcomes(port, 't')).length === 2);
  go();
  await saying;
  expect(page.errors).toEqual([]);
  expect(await outcomes(port, 't')).toEqual(['completed', 'completed']);
});

describe('a look at a thread', () => {
  it('that is not there is a whole stream that tells nothing', async () => {
    await using port = await openPort();
    const response = await post(port, '/agent/demo/connect', input('t', 'r'));
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(parseSse(await response.text()).map(({ event }) => event)).toEqual([
      { type: 'RUN_STARTED', threadId: 't', runId: 'r', protocolVersion: '1.0' },
      { type: 'RUN_FINISHED', threadId: 't', runId: 'r' },
    ]);
  });

  it('goes on after a frame that was seen, and shows all where there is no such frame', async () => {
    await using port = await openPort();
    const whole = parseSse(await (await post(port, '/agent/demo/run', input('t', 'r'))).text());
    const connect = (lastSeenEventId: string | null | undefined): Promise<Response> =>
      post(port, '/agent/demo/connect', { ...input('t', 'look'), lastSeenEventId });
    const rest = parseSse(await (await connect(whole.at(-3)?.id)).text());
    expect(rest).toEqual(whole.slice(-2));
    expect((await connect(whole.at(-1)?.id)).status).toBe(204);
    for (const id of [null, 'cpki_event_1']) {
      const joined = parseSse(await (await connect(id)).text());
      expect(joined.map(({ event }) => event.type)).toContain('MESSAGES_SNAPSHOT');
      expect(joined.at(-1)?.event.type).toBe('RUN_FINISHED');
    }
  });
});

describe('a stop', () => {
  it('says whether anything stopped', async () => {
    await using port = await openPort([halting().agent]);
    const stop = async (threadId: string, body?: object): Promise<unknown> => {
      const sent = body === undefined ? {} : { body: JSON.stringify(body) };
      const url = `${port.url}/copilotkit/agent/halting/stop/${encodeURIComponent(threadId)}`;
      const response = await fetch(url, { method: 'POST', headers: json, ...sent });
      return response.json();
    };
    const no = { stopped: false, message: expect.any(String) as string };
    expect(await stop('a thread')).toEqual(no);
    const running = post(port, '/agent/halting/run', input('a thread', 'r'));
    await runs(port, 'a thread');
    expect(await stop('a thread', { runId: 'another' })).toEqual(no);
    const interrupt = { type: 'RUN_ERROR', message: 'Run stopped by user', code: 'STOPPED' };
    expect(await stop('a thread', { runId: 'r' })).toEqual({ stopped: true, interrupt });
    const frames = parseSse(await (await running).text());
    expect(frames.at(-1)?.event).toMatchObject({ type: 'RUN_ERROR', code: 'abort' });
    expect(await stop('a thread')).toEqual(no);
  });
});

describe('what is not so is refused in the form of a runtime', () => {
  const agentMissing = { error: 'Agent not found', message: 'no agent has the id "nobody"' };
  const notOffered = { code: 'UNSUPPORTED', message: expect.stringContaining('info') as string };
  const badInput = { error: 'Invalid request body', details: expect.stringContaining('$.messages') as string };
  const get = { method: 'GET' };
  const sending = (body: string, headers: Record<string, string> = json): RequestInit => ({
    method: 'POST',
    headers,
    body,
  });
  it.each<[what: string, path: string, init: RequestInit, status: number, body: object]>([
    ['an agent that is not there', '/agent/nobody/run', sending('{}'), 404, agentMissing],
    ['one to connect to', '/agent/nobody/connect', sending('{}'), 404, agentMissing],
    ['one to stop', '/agent/nobody/stop/t', sending('{}'), 404, agentMissing],
    ['a body that is no input', '/agent/demo/run', sending('{"threadId":"t","runId":"r"}'), 400, badInput],
    ['a body that is no JSON', '/agent/demo/run', sending('{'), 400, { error: 'Invalid request body' }],
    ['a body of another kind', '/agent/demo/run', sending('{}', { 'content-type': 'text/plain' }), 415, {}],
    ['a look at no thread', '/agent/demo/connect', sending('{}'), 400, { details: '$.threadId is missing' }],
    ['a stop of no run', '/agent/demo/stop/t', sending('{"runId":7}'), 400, { details: '$.runId is not a string' }],
    ['another method', '/agent/demo/run', get, 405, { error: expect.any(String) as string }],
    ['another path', '/somewhere', get, 404, { error: 'Not found' }],
    ['a path into nothing', '/agent//run', sending('{}'), 404, { error: 'Not found' }],
    ['a path that goes on', '/agent/demo/run/on', sending('{}'), 404, { error: 'Not found' }],
    ['threads', '/threads?agentId=demo', get, 422, notOffered],
    ['suggestions', '/agent/demo/suggest', sending('{}'), 422, notOffered],
    ['transcripts', '/transcribe', sending('', {}), 422, notOffered],
    ['no envelope', '', get, 405, { error: expect.any(String) as string }],
    ['an envelope of another kind', '', sending('method=info', {}), 415, {}],
    ['an envelope with nothing in it', '', sending('{}'), 400, { details: '$.method is missing' }],
    ['another call in an envelope', '', sending('{"method":"x"}'), 400, { error: 'Invalid request body' }],
    ['a call of nobody', '', sending('{"method":"agent/run"}'), 400, { details: '$.params is missing' }],
    ['threads in an envelope', '', sending('{"method":"resource/request"}'), 422, notOffered],
  ])('%s', async (_, path, init, status, body) => {
    await using port = await openPort();
    const response = await fetch(`${port.url}/copilotkit${path}`, init);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toMatchObject({ error: expect.any(String) as string, ...body });
  });
});
