import { HttpAgent } from '@ag-ui/client';
import { HttpAgent as FormerHttpAgent } from 'ag-ui-client-0-0-59';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { resumable, ResumableHttpAgent } from '../../adapters/ag-ui/client/index.ts';
import { refused, type ScriptedAnswer, ScriptedFetch, streamed } from '../support/scripted-fetch.ts';

const url = 'https://gateway.test/ag-ui/demo';
const interrupt = { id: 'i1', reason: 'confirmation', message: 'May it?' };

const quick = { firstWaitMs: 0 };
const clients = [
  { name: '1.0.0', Agent: resumable(HttpAgent, quick), version: '?protocolVersion=1.0' },
  { name: '0.0.59', Agent: resumable(FormerHttpAgent as unknown as typeof HttpAgent, quick), version: '' },
];

const started = frame('s.1', { type: 'RUN_STARTED', threadId: 't', runId: 'r' });
const snapshot = frame('s.2', {
  type: 'MESSAGES_SNAPSHOT',
  messages: [{ id: 'm1', role: 'user', content: 'hello' }],
});
const asked = frame('s.3', {
  type: 'RUN_FINISHED',
  threadId: 't',
  runId: 'r',
  outcome: { type: 'interrupt', interrupts: [interrupt] },
});
const finished = frame('s.3', { type: 'RUN_FINISHED', threadId: 't', runId: 'r' });

function frame(id: string, event: object): string {
  return `id: ${id}\ndata: ${JSON.stringify(event)}\n\n`;
}

function problem(status: number, code: string): ScriptedAnswer {
  return () => Response.json({ status, code, detail: code }, { status });
}

describe.each(clients)('a resumable client on $name', ({ Agent, version }) => {
  beforeEach(() => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const open = (...script: ScriptedAnswer[]) => {
    const gateway = new ScriptedFetch(script);
    const headers = { authorization: 'Bearer token' };
    return { gateway, agent: new Agent({ url, threadId: 't/1', headers, fetch: gateway.fetch }) };
  };

  it('goes on with its answer after a cut', async () => {
    const { gateway, agent } = open(streamed([started, snapshot], 'cut'), streamed([finished]));
    await agent.runAgent({ runId: 'r' });
    expect(agent.messages).toHaveLength(1);
    expect(gateway.asked.map(({ method }) => method)).toEqual(['POST', 'GET']);
  });

  it('connects to what its thread is at', async () => {
    const { gateway, agent } = open(streamed([started, snapshot], 'cut'), streamed([asked]));
    await agent.connectAgent();
    expect(agent.messages).toMatchObject([{ id: 'm1', content: 'hello' }]);
    expect(agent.pendingInterrupts).toMatchObject([{ id: 'i1' }]);
    const [joining] = gateway.asked;
    expect(joining).toMatchObject({
      method: 'GET',
      url: `https://gateway.test/ag-ui/threads/t%2F1/stream${version}`,
      init: { headers: { authorization: 'Bearer token', accept: 'text/event-stream' } },
    });
    expect(joining?.init).not.toHaveProperty('body');
    expect(joining?.headers.has('content-type')).toBe(false);
  });

  it('connects although it holds a question, and forgets it when it is closed', async () => {
    const { agent } = open(streamed([started, snapshot, finished]));
    agent.pendingInterrupts = [interrupt];
    await agent.connectAgent();
    expect(agent.pendingInterrupts).toEqual([]);
  });

  it('still holds its questions when it cannot connect', async () => {
    const { agent } = open(refused);
    agent.pendingInterrupts = [interrupt];
    await expect(agent.connectAgent()).rejects.toThrow('fetch failed');
    expect(agent.pendingInterrupts).toEqual([interrupt]);
  });

  it('finds a thread that is not there yet empty', async () => {
    const { agent } = open(problem(404, 'NOT_FOUND'));
    expect(await agent.connectAgent()).toEqual({ result: undefined, newMessages: [] });
  });

  it('is told that nothing is served there', async () => {
    const { agent } = open(() => new Response('nothing here', { status: 404 }));
    await expect(agent.connectAgent()).rejects.toThrow('HTTP 404: nothing here');
  });

  it('connects after it was aborted, and can be aborted again', async () => {
    const { agent } = open(streamed([started], 'open'));
    agent.abortRun();
    const connected = agent.connectAgent({}, { onRunStartedEvent: () => agent.abortRun() });
    await connected;
    expect(agent.isRunning).toBe(false);
  });

  it('cancels all, and one request', async () => {
    const { gateway, agent } = open(
      () => Response.json({}),
      () => Response.json({}),
      problem(404, 'NOT_FOUND'),
    );
    agent.abortRun();
    await agent.cancel();
    await agent.cancel('r&1');
    await expect(agent.cancel()).rejects.toThrow('HTTP 404');
    expect(gateway.asked.map(({ method, url: at }) => `${method} ${at.slice(url.length - 4)}`)).toEqual([
      'POST threads/t%2F1/cancel',
      'POST threads/t%2F1/cancel?runId=r%261',
      'POST threads/t%2F1/cancel',
    ]);
    expect(gateway.asked[0]?.headers.get('authorization')).toBe('Bearer token');
  });

  it('is cloned with all of that', async () => {
    const { gateway, agent } = open(streamed([started], 'cut'), streamed([snapshot, asked]), () => Response.json({}));
    const clone = agent.clone() as typeof agent;
    await clone.connectAgent();
    await clone.cancel();
    expect(clone.pendingInterrupts).toHaveLength(1);
    expect(gateway.asked).toHaveLength(3);
  });

  it('asks as its subclass says', async () => {
    class Signed extends Agent {
      protected override requestInit(input: Parameters<typeof this.run>[0]): RequestInit {
        return { ...super.requestInit(input), credentials: 'include' };
      }
    }
    const gateway = new ScriptedFetch([streamed([started, finished]), () => Response.json({})]);
    const agent = new Signed({ url, threadId: 't', fetch: gateway.fetch });
    await agent.connectAgent();
    await agent.cancel();
    expect(gateway.asked.map(({ init }) => init.credentials)).toEqual(['include', 'include']);
  });
});

it.each([
  ['/ag-ui/demo', '/ag-ui/threads/t/cancel'],
  ['/ag-ui/demo/', '/ag-ui/threads/t/cancel'],
  ['https://a.test/behind/ag-ui/demo?x=/y', 'https://a.test/behind/ag-ui/threads/t/cancel'],
])('the threads of an agent at %s are beside it', async (at, there) => {
  const gateway = new ScriptedFetch([() => Response.json({})]);
  await new ResumableHttpAgent({ url: at, threadId: 't', fetch: gateway.fetch }).cancel();
  expect(gateway.asked[0]?.url).toBe(there);
});
