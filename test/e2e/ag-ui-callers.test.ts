import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { clients } from '../support/ag-ui-clients.ts';
import { Frontend, textOf } from '../support/ag-ui-frontend.ts';
import { GatewayProcess, temporaryDirectory } from '../support/gateway-process.ts';
import { violations } from '../support/store-violations.ts';

const [client] = clients;

test(
  'two scopes use the same names and never see each other',
  { tags: ['any-name-is-safe', 'unknown-question-is-not-found'] },
  async () => {
    await using directory = await temporaryDirectory();
    const config = join(directory.path, 'anyport.yaml');
    const tokens = ['red', 'blue'].map((scope) => `  - { token: token-of-${scope}, scope: ${scope}, actor: someone }`);
    await writeFile(config, ['tokens:', ...tokens, ''].join('\n'));
    const gateway = await GatewayProcess.start(join(directory.path, 'data'), { args: ['--config', config] });
    const { url } = gateway;
    const red = new Frontend(client, { url, threadId: 't', token: 'token-of-red', scope: 'red' });
    const blue = new Frontend(client, { url, threadId: 't', token: 'token-of-blue', scope: 'blue' });
    const asked = await red.say('/approve', { runId: 'r' });
    const other = await blue.say('hello', { runId: 'r' });
    expect(asked.outcome).toBe('interrupt');
    expect(other).toMatchObject({ outcome: 'success', failure: undefined });
    expect(textOf(other)).toContain('hello');

    // What blue is told of red's question is what it is told of one that never was.
    const resume = (id: string): Parameters<Frontend['run']>[0] => ({
      resume: [{ interruptId: id, status: 'resolved', payload: { approved: true } }],
    });
    const theirs = await blue.run(resume(asked.interrupts[0]?.id ?? ''));
    const nobodys = await blue.run(resume('tkt_never'));
    const shape = (turn: typeof theirs): unknown => turn.events.map((event) => event.type);
    expect(shape(theirs)).toEqual(shape(nobodys));
    const still = await red.approve(asked.interrupts);
    expect(still).toMatchObject({ outcome: 'success', failure: undefined });

    const stranger = new Frontend(client, { url, threadId: 't', token: 'no-token' });
    expect((await stranger.say('hello')).failure?.message).toMatch(/^HTTP 401/);
    await gateway.stop();
    const transcripts = [...red.transcripts, ...blue.transcripts];
    expect(await violations(join(directory.path, 'data'), { scopes: ['red', 'blue'], transcripts })).toEqual([]);
  },
);

test(
  'two clients on one thread at once lose nothing and never run at once',
  { tags: ['requests-at-once-lose-nothing', 'one-run-at-a-time'] },
  async () => {
    await using directory = await temporaryDirectory();
    const gateway = await GatewayProcess.start(directory.path);
    const pages = [1, 2].map(() => new Frontend(client, { url: gateway.url, threadId: 't' }));
    const turns = await Promise.all(pages.map((page) => page.say('/stream 40 2')));
    for (const turn of turns) expect(turn).toMatchObject({ outcome: 'success', failure: undefined });
    const late = new Frontend(client, { url: gateway.url, threadId: 't' });
    late.agent.setMessages([...pages[0]!.messages] as never);
    await late.say('and now?');
    await gateway.stop();
    const transcripts = [...pages, late].flatMap((page) => page.transcripts);
    expect(await violations(directory.path, { transcripts })).toEqual([]);
  },
);

test(
  'the same run id posted twice, also after the end, is one run with two whole streams',
  { tags: ['same-request-is-one-run', 'replay-is-the-same-again'] },
  async () => {
    await using directory = await temporaryDirectory();
    const gateway = await GatewayProcess.start(directory.path);
    const post = async (content = '/stream 50 2'): Promise<{ status: number; body: string }> => {
      const response = await fetch(`${gateway.url}/ag-ui/demo`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          threadId: 't',
          runId: 'r',
          protocolVersion: '1.0',
          messages: [{ id: 'm', role: 'user', content }],
          tools: [],
          context: [],
        }),
      });
      return { status: response.status, body: await response.text() };
    };
    const [first, second] = await Promise.all([post(), post()]);
    const third = await post();
    const frames = (body: string): string[] => body.split('\n\n').filter((frame) => frame.includes('data: '));
    expect(frames(second.body)).toEqual(frames(first.body));
    expect(frames(third.body)).toEqual(frames(first.body));
    expect(frames(first.body).at(-1)).toContain('RUN_FINISHED');
    const other = await post('something else');
    expect(other.status).toBe(409);
    expect(JSON.parse(other.body)).toMatchObject({ status: 409, code: 'REQUEST_CONFLICT' });
    await gateway.stop();
    expect(await violations(directory.path)).toEqual([]);
  },
);

test(
  'a client that leaves ends nothing, and is told all of it when it comes back',
  { tags: 'leaving-client-ends-nothing' },
  async () => {
    await using directory = await temporaryDirectory();
    const gateway = await GatewayProcess.start(directory.path);
    const post = (signal?: AbortSignal): Promise<Response> =>
      fetch(`${gateway.url}/ag-ui/demo`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          threadId: 't',
          runId: 'r',
          messages: [{ id: 'm', role: 'user', content: '/stream 200 2' }],
        }),
        ...(signal === undefined ? {} : { signal }),
      });
    for (let visit = 0; visit < 3; visit++) {
      const leaving = new AbortController();
      const response = await post(leaving.signal);
      await response.body?.getReader().read();
      leaving.abort();
    }
    const whole = await (await post()).text();
    expect(whole.match(/"type":"RUN_FINISHED"/g)).toHaveLength(1);
    expect(whole).not.toMatch(/RUN_ERROR|cancelled/);
    expect(whole).toMatch(/"delta":"[^"]*200\b/);
    await gateway.stop();
    expect(await violations(directory.path)).toEqual([]);
  },
);
