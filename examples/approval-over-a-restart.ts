// A person is asked, the gateway is killed, and the answer counts all the same.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { HttpAgent } from '@ag-ui/client';

const anyport = join(dirname(fileURLToPath(import.meta.resolve('anyport/package.json'))), 'dist/src/main.js');
const data = await mkdtemp(join(tmpdir(), 'anyport-example-'));

async function serve() {
  const gateway = spawn(process.execPath, [anyport, 'serve', '--port', '0', '--data', data], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  for await (const line of createInterface({ input: gateway.stdout })) {
    const url = /listening on (\S+)/.exec(line)?.[1];
    if (url !== undefined) return { gateway, url };
  }
  throw new Error('the gateway did not start');
}

try {
  const first = await serve();
  const agent = new HttpAgent({ url: `${first.url}/ag-ui/demo`, threadId: randomUUID() });
  agent.addMessage({ id: randomUUID(), role: 'user', content: '/approve' });
  await agent.runAgent();
  const [question] = agent.pendingInterrupts;
  assert.ok(question);
  console.log('asked:', question.message);

  first.gateway.kill('SIGKILL');
  await once(first.gateway, 'exit');
  console.log('killed, and started again');

  const second = await serve();
  agent.url = `${second.url}/ag-ui/demo`;
  await agent.runAgent({
    resume: [{ interruptId: question.id, status: 'resolved', payload: { approved: true } }],
  });
  const answer = agent.messages.at(-1);
  console.log('answered:', answer?.content);
  assert.equal(answer?.role, 'assistant');
  assert.equal(agent.messages.filter((message) => message.role === 'tool').length, 1);

  second.gateway.kill('SIGTERM');
  const [code] = (await once(second.gateway, 'exit')) as [number];
  assert.equal(code, 0);
} finally {
  await rm(data, { recursive: true, force: true });
}
