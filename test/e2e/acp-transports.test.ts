import type * as acp from '@agentclientprotocol/sdk';
import { createHttpStream } from '@agentclientprotocol/sdk/experimental/http-client';
import { createWebSocketStream } from '@agentclientprotocol/sdk/experimental/ws-client';
import type { Stream } from '@agentclientprotocol/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { Ide, type IdeOptions } from '../support/acp-client.ts';
import { AcpProcess } from '../support/acp-process.ts';
import { GatewayProcess, temporaryDirectory } from '../support/gateway-process.ts';

/** An IDE and whatever it reaches its agent by. */
interface Reached extends AsyncDisposable {
  readonly ide: Ide;
}

const allow: IdeOptions = {
  onPermission: ({ options }: acp.RequestPermissionRequest) => ({
    outcome: { outcome: 'selected', optionId: options[0]?.optionId ?? '' },
  }),
};

let data: Awaited<ReturnType<typeof temporaryDirectory>>;
let gateway: GatewayProcess;

beforeAll(async () => {
  data = await temporaryDirectory();
  gateway = await GatewayProcess.start(data.path);
});

afterAll(async () => {
  await gateway.stop();
  await data[Symbol.asyncDispose]();
});

async function over(stream: Stream, options: IdeOptions, end: () => Promise<unknown>): Promise<Reached> {
  const ide = await Ide.open(stream, options);
  return {
    ide,
    async [Symbol.asyncDispose]() {
      await ide[Symbol.asyncDispose]();
      await end();
    },
  };
}

const nothing = (): Promise<void> => Promise.resolve();

const transports: Readonly<Record<string, (options: IdeOptions) => Promise<Reached>>> = {
  'stdio of a gateway of its own': async (options) => {
    const own = await temporaryDirectory();
    const agent = new AcpProcess(['--data', own.path]);
    return over(agent.stream, options, async () => {
      await agent.leave();
      await own[Symbol.asyncDispose]();
    });
  },
  'stdio to a gateway that runs': async (options) => {
    const agent = new AcpProcess(['--url', gateway.url, '--agent', 'demo']);
    return over(agent.stream, options, () => agent.leave());
  },
  WebSocket: (options) =>
    over(createWebSocketStream(`${gateway.url.replace('http', 'ws')}/acp/demo`, { WebSocket }), options, nothing),
  'streamable HTTP': (options) => over(createHttpStream(`${gateway.url}/acp/demo`), options, nothing),
};

describe.each(Object.keys(transports))('an unmodified client over %s', (name) => {
  const open = (options: IdeOptions = {}): Promise<Reached> => {
    const connect = transports[name];
    if (connect === undefined) throw new Error(`no transport ${name}`);
    return connect(options);
  };

  it('runs every command', async () => {
    await using reached = await open(allow);
    const { ide } = reached;
    const session = await ide.newSession();
    for (const text of [
      'hello',
      '/stream 20',
      '/think',
      '/tool',
      '/plan',
      '/state',
      '/artifact',
      '/approve 2',
      '/count',
    ]) {
      expect(`${text}: ${await ide.prompt(session, text)}`).toBe(`${text}: end_turn`);
    }
    await expect(ide.prompt(session, '/crash')).rejects.toMatchObject({ code: -32603 });
    expect(await ide.prompt(session, '/fail transient 1')).toBe('end_turn');
    expect(ide.textOf(session)).toContain('Message 2 was sent.');
    expect([...ide.callsOf(session).values()].map(({ status }) => status)).toEqual(Array(4).fill('completed'));
  });

  it('has several sessions at once, and cancels one', async () => {
    await using reached = await open();
    const { ide } = reached;
    const [slow = '', ...others] = await Promise.all([1, 2, 3].map(() => ide.newSession()));
    const ended = ide.prompt(slow, '/stream 1000000 5');
    await ide.seen('its beginning', () => ide.textOf(slow) !== '');
    expect(await Promise.all(others.map((id) => ide.prompt(id, 'hello')))).toEqual(['end_turn', 'end_turn']);
    await ide.cancel(slow);
    expect(await ended).toBe('cancelled');
  });
});

describe('a hard restart', () => {
  it('of a gateway of its own loses neither the session nor its question', async () => {
    await using own = await temporaryDirectory();
    let session = '';
    {
      await using agent = new AcpProcess(['--data', own.path]);
      const ide = await Ide.open(agent.stream);
      session = await ide.newSession();
      await ide.prompt(session, 'hello');
      ide.prompt(session, '/approve').catch(() => undefined);
      await ide.seen('the permission', () => ide.permissions.length === 1);
      await agent.end('SIGKILL');
    }
    await using agent = new AcpProcess(['--data', own.path]);
    await using ide = await Ide.open(agent.stream, allow);
    await ide.request('session/load', { sessionId: session, cwd: '/home/ann', mcpServers: [] });
    await ide.seen('the end', () => ide.textOf(session).includes('Message 1 was sent.'));
    expect(ide.textOf(session)).toMatch(/^You said: “hello”I would like to send a message\./);
    expect(ide.permissions).toHaveLength(1);
    expect(await ide.prompt(session, 'bye')).toBe('end_turn');
  });
});

describe('the process that an IDE starts', () => {
  it('says nothing on stdout but the protocol, answers what was asked, and ends with its input', async () => {
    await using own = await temporaryDirectory();
    await using agent = new AcpProcess(['--data', own.path]);
    const ide = await Ide.open(agent.stream);
    const session = await ide.newSession();
    const ended = ide.prompt(session, '/stream 2 300');
    await ide.seen('its beginning', () => ide.textOf(session) !== '');
    expect(await Promise.all([ended, agent.leave()])).toEqual(['end_turn', 0]);
    expect(ide.textOf(session)).toBe('1 2 ');
  });

  it('refuses what its gateway does not take, and goes on', async () => {
    const tooLong = 'x'.repeat(17 * 1024 * 1024);
    await using agent = new AcpProcess(['--url', gateway.url]);
    await using ide = await Ide.open(agent.stream, {
      capabilities: { fs: { readTextFile: true } },
      files: new Map([['/home/ann/long', tooLong]]),
    });
    const session = await ide.newSession();
    await expect(ide.prompt(session, tooLong)).rejects.toMatchObject({ code: -32602, data: { code: 'too-large' } });
    await expect(ide.prompt(session, '/read long')).rejects.toMatchObject({
      message: expect.stringContaining('fs/read_text_file') as string,
    });
    expect(await ide.prompt(session, 'hello')).toBe('end_turn');
    await agent.leave();
  });

  it('that is not let in says so to its IDE', async () => {
    await using secured = await temporaryDirectory();
    const closed = await GatewayProcess.start(secured.path, {
      environment: {},
      args: ['--config', new URL('../support/one-token.yaml', import.meta.url).pathname],
    });
    try {
      await using stranger = new AcpProcess(['--url', closed.url, '--token', 'wrong']);
      await expect(Ide.open(stranger.stream)).rejects.toMatchObject({ code: -32000 });
      await using known = new AcpProcess(['--url', closed.url], { ANYPORT_TOKEN: 'right' });
      await using ide = await Ide.open(known.stream);
      expect(await ide.prompt(await ide.newSession(), 'hello')).toBe('end_turn');
      await ide.request('authenticate', { methodId: 'token' });
    } finally {
      await closed.stop();
    }
  });
});
