// A client process of its own: posts AG-UI runs, reads each stream to its end, and prints what it saw as JSON.
import { Agent, request } from 'node:http';

export interface Load {
  readonly runs: number;
  readonly elapsedMs: number;
  /** From sending the request to the first byte of the stream, and to the first text. */
  readonly firstFrameMs: readonly number[];
  readonly firstTextMs: readonly number[];
  readonly frames: number;
}

const [url = '', connections = '1', count = '1', text = 'hello'] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: Number(connections) });
const firstFrameMs: number[] = [];
const firstTextMs: number[] = [];
let frames = 0;
let next = 0;

function post(n: number): Promise<void> {
  const body = JSON.stringify({
    threadId: `${process.pid}-${n}`,
    runId: `run-${n}`,
    protocolVersion: '1.0',
    messages: [{ id: `m-${n}`, role: 'user', content: text }],
    tools: [],
    context: [],
  });
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    let seen: 'nothing' | 'frame' | 'text' = 'nothing';
    const sent = request(
      url,
      { method: 'POST', agent, headers: { 'content-type': 'application/json' } },
      (response) => {
        response.setEncoding('latin1');
        response.on('data', (chunk: string) => {
          if (seen === 'nothing') {
            firstFrameMs.push(performance.now() - startedAt);
            seen = 'frame';
          }
          if (seen === 'frame' && chunk.includes('TEXT_MESSAGE_CONTENT')) {
            firstTextMs.push(performance.now() - startedAt);
            seen = 'text';
          }
          for (let at = chunk.indexOf('\n\n'); at !== -1; at = chunk.indexOf('\n\n', at + 2)) frames += 1;
        });
        response.on('end', resolve);
        response.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

const startedAt = performance.now();
await Promise.all(
  Array.from({ length: Number(connections) }, async () => {
    for (let n = next++; n < Number(count); n = next++) await post(n);
  }),
);
const load: Load = { runs: Number(count), elapsedMs: performance.now() - startedAt, firstFrameMs, firstTextMs, frames };
console.log(JSON.stringify(load));
agent.destroy();
