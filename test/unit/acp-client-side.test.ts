import { describe, expect, it } from 'vitest';
import { attachmentOf } from '../../adapters/acp/client-side.ts';
import { JsonRpcPeer, RpcError } from '../../adapters/acp/peer.ts';
import type { ClientSide } from '../../adapters/acp/version.ts';
import type { Attachment } from '../../src/attachment.ts';
import { systemClock } from '../../src/clock.ts';
import { HeldChannel, KeepingHandler, settled } from '../support/acp-channel.ts';
import { clientRequests } from '../support/acp-client.ts';
import { assertValid, type Definition } from '../support/acp-schema.ts';

const none: ClientSide & { readonly clientId: string } = {
  clientId: 'client',
  takesCursors: false,
  readsFiles: false,
  writesFiles: false,
  runsCommands: false,
  asksForms: false,
  opensUrls: false,
  showsNotices: false,
  showsCompaction: false,
  hasBooleanOptions: false,
};
const all = { ...none, readsFiles: true, writesFiles: true, runsCommands: true };

interface Asked {
  readonly id: number;
  readonly method: string;
  readonly params: object;
}

/** A client that answers by method, and what it was asked. */
class AnsweringChannel extends HeldChannel {
  readonly #answers: Readonly<Record<string, unknown>>;

  constructor(answers: Readonly<Record<string, unknown>>) {
    super();
    this.#answers = answers;
  }

  override send(message: object): void {
    super.send(message);
    const { id, method, params } = message as Asked;
    assertValid(clientRequests[method] as Definition, params);
    const answer = this.#answers[method];
    const said =
      answer instanceof RpcError ? { error: { code: answer.code, message: answer.message } } : { result: answer };
    queueMicrotask(() => this.hear({ jsonrpc: '2.0', id, ...said }));
  }

  get asked(): readonly [string, object][] {
    return this.sent.map((message) => [(message as Asked).method, (message as Asked).params]);
  }
}

function sideOf(
  answers: Readonly<Record<string, unknown>> = {},
  client = all,
): { readonly side: Required<Attachment>; readonly channel: AnsweringChannel } {
  const channel = new AnsweringChannel(answers);
  const peer = new JsonRpcPeer({ channel, handler: new KeepingHandler(), clock: systemClock });
  return { channel, side: attachmentOf(peer, { id: 's', mcpServers: [] }, client) as Required<Attachment> };
}

describe('the side of a client', () => {
  it('has what the client said it can do, and nothing else', () => {
    const able = (client: Partial<typeof none>): string[] =>
      Object.keys(sideOf({}, { ...none, ...client }).side).filter((name) => !['id', 'mcpServers'].includes(name));
    expect(able({})).toEqual([]);
    expect(able({ readsFiles: true })).toEqual(['readTextFile']);
    expect(able({ writesFiles: true })).toEqual(['writeTextFile']);
    expect(able({ runsCommands: true })).toEqual(['runCommand']);
  });

  it('reads and writes files', async () => {
    const { side, channel } = sideOf({ 'fs/read_text_file': { content: 'two' }, 'fs/write_text_file': null });
    expect(await side.readTextFile({ path: '/a', line: 2, limit: 1 })).toBe('two');
    await side.writeTextFile({ path: '/a', text: 'new' });
    expect(channel.asked).toEqual([
      ['fs/read_text_file', { sessionId: 's', path: '/a', line: 2, limit: 1 }],
      ['fs/write_text_file', { sessionId: 's', path: '/a', content: 'new' }],
    ]);
  });

  it('runs commands, and lets go of each terminal once', async () => {
    const { side, channel } = sideOf({
      'terminal/create': { terminalId: 't' },
      'terminal/output': { output: 'out', truncated: true, exitStatus: { exitCode: 0, signal: null } },
      'terminal/wait_for_exit': { exitCode: null, signal: 'SIGTERM' },
      'terminal/kill': {},
      'terminal/release': {},
    });
    {
      await using terminal = await side.runCommand({
        command: 'ls',
        args: ['-l'],
        env: { A: 'b' },
        cwd: '/',
        maxOutputBytes: 9,
      });
      expect(await terminal.output()).toEqual({
        text: 'out',
        truncated: true,
        exit: { exitCode: 0, signal: undefined },
      });
      await terminal.kill();
      expect(await terminal.exit()).toEqual({ exitCode: undefined, signal: 'SIGTERM' });
      await terminal.release();
    }
    expect(channel.asked[0]).toEqual([
      'terminal/create',
      { sessionId: 's', command: 'ls', args: ['-l'], env: [{ name: 'A', value: 'b' }], cwd: '/', outputByteLimit: 9 },
    ]);
    expect(channel.asked.filter(([method]) => method === 'terminal/release')).toHaveLength(1);
  });

  it('says what the client refuses in its words, and what it answers wrongly as that', async () => {
    const { side } = sideOf({
      'fs/read_text_file': new RpcError(-32002, 'no such file'),
      'terminal/create': { id: 't' },
    });
    await expect(side.readTextFile({ path: '/a' })).rejects.toMatchObject({
      code: 'upstream-failed',
      message: 'fs/read_text_file: no such file',
      retryable: false,
    });
    await expect(side.runCommand({ command: 'ls' })).rejects.toMatchObject({ code: 'upstream-failed' });
  });

  it('is told that nobody waits for an answer any more', async () => {
    const { side, channel } = sideOf({ 'terminal/create': { terminalId: 't' } });
    const terminal = await side.runCommand({ command: 'ls' });
    const silent = new HeldChannel();
    channel.send = (message) => {
      silent.send(message);
    };
    const stop = new AbortController();
    const ended = terminal.exit(stop.signal);
    const why = new Error('cancelled');
    stop.abort(why);
    await expect(ended).rejects.toBe(why);
    const [asked, withdrawn] = silent.sent as readonly (Asked & { readonly params: { readonly requestId?: number } })[];
    expect(asked?.method).toBe('terminal/wait_for_exit');
    expect(withdrawn).toMatchObject({ method: '$/cancel_request', params: { requestId: asked?.id } });
    await expect(side.readTextFile({ path: '/a' }, stop.signal)).rejects.toBe(why);
  });

  it('is told that nobody waits for a terminal, and relieved of one that it makes all the same', async () => {
    const channel = new HeldChannel();
    const peer = new JsonRpcPeer({ channel, handler: new KeepingHandler(), clock: systemClock });
    const side = attachmentOf(peer, { id: 's', mcpServers: [] }, all) as Required<Attachment>;
    const stop = new AbortController();
    const started = side.runCommand({ command: 'ls' }, stop.signal);
    const why = new Error('cancelled');
    stop.abort(why);
    await expect(started).rejects.toBe(why);
    channel.hear({ jsonrpc: '2.0', id: 1, result: { terminalId: 't' } });
    await settled();
    expect(channel.sent).toMatchObject([
      { id: 1, method: 'terminal/create' },
      { method: '$/cancel_request', params: { requestId: 1 } },
      { id: 2, method: 'terminal/release', params: { sessionId: 's', terminalId: 't' } },
    ]);
  });

  it('is gone with its client, and is let go of all the same', async () => {
    const { side, channel } = sideOf({ 'terminal/create': { terminalId: 't' } });
    const terminal = await side.runCommand({ command: 'ls' });
    await channel.close();
    await expect(side.readTextFile({ path: '/a' })).rejects.toMatchObject({ code: 'client-gone' });
    await expect(terminal.exit()).rejects.toMatchObject({ code: 'client-gone' });
    await terminal[Symbol.asyncDispose]();
  });
});
