// An editor whose gateway dies in the middle of an answer: the process that it started goes on, and so does the answer.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { client, ndJsonStream, type PromptResponse } from '@agentclientprotocol/sdk';

const anyport = join(dirname(fileURLToPath(import.meta.resolve('anyport/package.json'))), 'dist/src/main.js');
const data = await mkdtemp(join(tmpdir(), 'anyport-example-'));

async function serve(port: string) {
  const gateway = spawn(process.execPath, [anyport, 'serve', '--port', port, '--data', data], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  for await (const line of createInterface({ input: gateway.stdout })) {
    const url = /listening on (\S+)/.exec(line)?.[1];
    if (url !== undefined) return { gateway, url };
  }
  throw new Error('the gateway did not start');
}

try {
  const first = await serve('0');
  const agent = spawn(process.execPath, [anyport, 'acp', '--url', first.url], { stdio: ['pipe', 'pipe', 'ignore'] });
  const stream = ndJsonStream(Writable.toWeb(agent.stdin), Readable.toWeb(agent.stdout) as ReadableStream<Uint8Array>);
  let answer = '';
  let killed: ReturnType<typeof serve> | undefined;

  const editor = client().onNotification('session/update', ({ params: { update } }) => {
    if (update.sessionUpdate !== 'agent_message_chunk' || update.content.type !== 'text') return;
    answer += update.content.text;
    // Somewhere in the middle, once.
    if (killed !== undefined || !answer.includes('20 ')) return;
    console.log('the editor has seen:', answer);
    first.gateway.kill('SIGKILL');
    killed = once(first.gateway, 'exit').then(() => serve(new URL(first.url).port));
  });

  await editor.connectWith(stream, async (gateway) => {
    await gateway.request('initialize', { protocolVersion: 1 });
    const { sessionId } = await gateway.request('session/new', { cwd: process.cwd(), mcpServers: [] });
    const ended: PromptResponse = await gateway.request('session/prompt', {
      sessionId,
      prompt: [{ type: 'text', text: '/stream 60 20' }],
    });
    assert.equal(ended.stopReason, 'end_turn');
  });
  console.log('and in the end:', answer.slice(-40));
  assert.match(answer, / 58 59 60 $/);

  agent.stdin.end();
  await once(agent, 'exit');
  const second = await killed;
  assert.ok(second);
  second.gateway.kill('SIGTERM');
  const [code] = (await once(second.gateway, 'exit')) as [number];
  assert.equal(code, 0);
} finally {
  await rm(data, { recursive: true, force: true });
}
