// Clients in a process of their own. They say `ready` when all of them are being served, and at the end what they saw, as
// JSON lines on stdout.
import { HttpAgent } from '@ag-ui/client';
import { Agent, get, type IncomingMessage, request } from 'node:http';

/** What viewers saw. */
export interface Viewed {
  readonly elapsedMs: number;
  readonly frames: number;
  /** From the moment that a token's text says it was written at to its arrival, in ms. */
  readonly latenciesMs: readonly number[];
  readonly cpuMs: number;
}

const [mode = 'count', url = '', count = '1'] = process.argv.slice(2);
const latenciesMs: number[] = [];
let frames = 0;
let startedAt = 0;

function open(target: string): Promise<IncomingMessage> {
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  return new Promise((resolve, reject) => {
    const sent =
      mode === 'post' || mode === 'latency'
        ? request(target, { method: 'POST', agent, headers: { 'content-type': 'application/json' } }, resolve)
        : get(target, { agent }, resolve);
    sent.on('error', reject);
    if (mode === 'post' || mode === 'latency') sent.write(JSON.stringify(inputOf([])));
    sent.end();
  });
}

function inputOf(history: readonly object[]): object {
  const messages = [...history, { id: 'm', role: 'user', content: 'hello' }];
  return { threadId: `t-${process.pid}`, runId: 'r', protocolVersion: '1.0', messages, tools: [], context: [] };
}

async function read(response: IncomingMessage): Promise<void> {
  response.setEncoding('latin1');
  for await (const chunk of response as AsyncIterable<string>) {
    if (startedAt === 0) startedAt = performance.now();
    for (let at = chunk.indexOf('\n\n'); at !== -1; at = chunk.indexOf('\n\n', at + 2)) frames += 1;
    if (mode !== 'latency') continue;
    const now = process.hrtime.bigint();
    for (const [, writtenAt] of chunk.matchAll(/at:(\d+)/g)) {
      latenciesMs.push(Number(now - BigInt(writtenAt ?? '0')) / 1e6);
    }
  }
}

/** As a page does it: the published client, with a conversation behind it. */
async function runStockClient(): Promise<void> {
  const text = 'a message of some length, as they are '.repeat(5);
  const initialMessages = Array.from({ length: 200 }, (_, index) => ({
    id: `h${index}`,
    role: 'user' as const,
    content: text,
  }));
  const agent = new HttpAgent({ url, threadId: `t-${process.pid}`, initialMessages });
  await agent.runAgent({}, { onEvent: () => void (frames += 1) });
}

const cpu = process.cpuUsage();
if (mode === 'stock') {
  console.log('ready');
  await runStockClient();
} else {
  const responses = await Promise.all(Array.from({ length: Number(count) }, () => open(url)));
  const reading = responses.map(read);
  console.log('ready');
  if (mode === 'idle') process.stdin.resume();
  else await Promise.all(reading);
}
const { user, system } = process.cpuUsage(cpu);
const elapsedMs = performance.now() - startedAt;
const viewed: Viewed = { elapsedMs, frames, latenciesMs, cpuMs: (user + system) / 1000 };
if (mode !== 'idle') {
  console.log(JSON.stringify(viewed));
  process.exit(0);
}
