// A program works through the control API: it steers a turn and ends it, edits what waits, and answers a question.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { AnyportClient, type RunEvent } from 'anyport/client';

const main = join(dirname(fileURLToPath(import.meta.resolve('anyport/package.json'))), 'dist/src/main.js');
const gateway = spawn(process.execPath, [main, 'serve', '--port', '0', '--store', 'memory'], {
  stdio: ['ignore', 'pipe', 'ignore'],
});
const [line] = (await once(createInterface({ input: gateway.stdout }), 'line')) as [string];
const anyport = new AnyportClient({ url: line.replace('listening on ', '') });

async function follow(runId: string, seen: (event: RunEvent, text: string) => Promise<void>): Promise<string> {
  let text = '';
  for await (const { event } of anyport.follow({ runId })) {
    if (event.type === 'text.delta') text += event.delta;
    await seen(event, text);
  }
  return text;
}

try {
  const threadId = 'a-conversation';
  const slow = await anyport.submit({ threadId, text: '/steer 10000' });
  const queued = await anyport.submit({ threadId, text: 'the wrong words' });
  assert.equal(queued.became, 'queued');
  const [entry] = await anyport.queue(threadId);
  assert.ok(entry);
  await anyport.editInput(threadId, queued.activationId, {
    revision: entry.activation.revision,
    messages: [{ role: 'user', parts: [{ type: 'text', text: '/approve' }] }],
  });
  await anyport.submit({ threadId, text: 'faster', whenBusy: 'steer' });
  const steered = await follow(slow.runId, async (event, text) => {
    if (event.type === 'text.ended' && text.includes('I took “faster”')) await anyport.cancelRun(slow.runId);
  });
  assert.match(steered, /I took “faster”/);
  console.log('steered, and edited what waits');

  const answer = await follow(queued.runId, async (event) => {
    if (event.type === 'ticket.opened') await anyport.decide(event.ticket.id, { type: 'approve' });
  });
  console.log('approved:', answer);
  assert.match(answer, /was sent/);
  const { run } = await anyport.waitForRun(queued.runId, { until: 'done' });
  assert.equal(run.outcome?.type, 'completed');
} finally {
  gateway.kill('SIGTERM');
  await once(gateway, 'exit');
}
