// Peers of the gateway on stdio: an agent that does nothing but JSON lines, and the SDK's own app. Each says `/stream N`
// in N pieces and anything else in one.
import { createInterface } from 'node:readline';
import { Readable, Writable } from 'node:stream';
import { agent, ndJsonStream } from '@agentclientprotocol/sdk';

function piecesOf(text: string): string[] {
  const count = Number(/^\/stream (\d+)/.exec(text)?.[1] ?? 1);
  return Array.from({ length: count }, (_, index) => `${index + 1} `);
}

function raw(): void {
  let sessions = 0;
  const write = (message: object): void => {
    process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  };
  createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method, params } = JSON.parse(line) as { id: number; method: string; params: Record<string, unknown> };
    if (method === 'initialize') write({ id, result: { protocolVersion: 1 } });
    if (method === 'session/new') write({ id, result: { sessionId: `session-${(sessions += 1)}` } });
    if (method !== 'session/prompt') return;
    const { sessionId, prompt } = params as { sessionId: string; prompt: readonly { text: string }[] };
    process.stdout.cork();
    for (const text of piecesOf(prompt[0]?.text ?? '')) {
      const update = { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text }, messageId: 'answer' };
      write({ method: 'session/update', params: { sessionId, update } });
    }
    write({ id, result: { stopReason: 'end_turn' } });
    process.stdout.uncork();
  });
}

function sdk(): void {
  let sessions = 0;
  agent({ name: 'bench' })
    .onRequest('initialize', () => ({ protocolVersion: 1 }))
    .onRequest('session/new', () => ({ sessionId: `session-${(sessions += 1)}` }))
    .onRequest('session/prompt', async ({ params: { sessionId, prompt }, client }) => {
      const [block] = prompt;
      for (const text of piecesOf(block?.type === 'text' ? block.text : '')) {
        const content = { type: 'text', text } as const;
        const update = { sessionUpdate: 'agent_message_chunk', content, messageId: 'answer' } as const;
        await client.notify('session/update', { sessionId, update });
      }
      return { stopReason: 'end_turn' };
    })
    .connect(ndJsonStream(Writable.toWeb(process.stdout), Readable.toWeb(process.stdin) as ReadableStream<Uint8Array>));
}

if (process.argv[2] === 'sdk') sdk();
else raw();
