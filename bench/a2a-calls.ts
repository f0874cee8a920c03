// A client process of its own: sends messages over JSON-RPC, reads each answer to its end, and prints how long each took.
import { Agent, request } from 'node:http';

export interface Calls {
  readonly elapsedMs: number;
  readonly tookMs: readonly number[];
}

const [url = '', method = '', connections = '1', count = '1'] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: Number(connections) });
const headers = { 'content-type': 'application/json', 'a2a-version': '1.0' };
const tookMs: number[] = [];
let next = 0;

function call(n: number): Promise<void> {
  const message = { messageId: `${process.pid}-${n}`, role: 'ROLE_USER', parts: [{ text: 'hello' }] };
  const body = JSON.stringify({ jsonrpc: '2.0', id: n, method, params: { message } });
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('error', reject);
      response.on('end', () => {
        tookMs.push(performance.now() - startedAt);
        // The echo says back what was said; all others end their task.
        if (text === body || text.includes('TASK_STATE_COMPLETED')) resolve();
        else reject(new Error(`not what was asked for: ${text.slice(0, 500)}`));
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const startedAt = performance.now();
await Promise.all(
  Array.from({ length: Number(connections) }, async () => {
    for (let n = next++; n < Number(count); n = next++) await call(n);
  }),
);
const calls: Calls = { elapsedMs: performance.now() - startedAt, tookMs };
console.log(JSON.stringify(calls));
agent.destroy();
