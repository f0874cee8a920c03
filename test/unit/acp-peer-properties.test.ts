import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LinesChannel } from '../../adapters/acp/lines.ts';
import { JsonRpcPeer, RpcError } from '../../adapters/acp/peer.ts';
import { systemClock } from '../../src/clock.ts';
import { KeepingHandler, pipes, settled } from '../support/acp-channel.ts';
import { until } from '../support/until.ts';

const maxMessageBytes = 400;

const methods = ['quick', 'later', 'fails', 'refuses', 'constructor', '__proto__'];
const id = fc.oneof(fc.string(), fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constant(null));
const member = { jsonrpc: fc.constantFrom('2.0', '1.0', 2), id: fc.oneof(id, fc.jsonValue()), params: fc.jsonValue() };
const call = fc.record(
  { ...member, method: fc.oneof(fc.constantFrom('$/cancel_request', ...methods), fc.jsonValue()) },
  { requiredKeys: [] },
);
const answer = fc.record({ ...member, result: fc.jsonValue(), error: fc.jsonValue() }, { requiredKeys: ['id'] });

/** Replaces, removes or doubles one byte, but not so that the ids of good requests could come about. */
const mutated = fc
  .tuple(fc.oneof(call, answer), fc.nat(), fc.constantFrom(0, 1, 2), fc.nat(255))
  .map(([value, where, width, byte]) => {
    const bytes = Buffer.from(JSON.stringify(value));
    const at = where % (bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, at), Buffer.of(byte), bytes.subarray(at + width)]);
  });

const noise = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc.oneof(call, answer, fc.jsonValue()).map((value) => Buffer.from(JSON.stringify(value))),
  mutated,
  fc.constantFrom(maxMessageBytes, maxMessageBytes * 10).map((length) => Buffer.alloc(length + 1, '[')),
);
const good = fc.constantFrom(...methods);
const part = fc.oneof({ weight: 1, arbitrary: good }, { weight: 2, arbitrary: noise });

test('whatever comes, each good request in it is answered once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      async (parts, sizes) => {
        const lines = [...parts, 'quick'].map((each, n) =>
          typeof each === 'string'
            ? Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: `good ${n}`, method: each }))
            : each,
        );
        const ids = [...parts, 'quick'].flatMap((each, n) => (typeof each === 'string' ? [`good ${n}`] : []));
        const heard = await answers(Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')])), sizes);
        expect(heard.filter((each) => ids.some((sent) => sent === each)).toSorted()).toEqual(ids.toSorted());
      },
    ),
    { numRuns: 200 },
  );
});

/** Plays bytes to a peer in chunks of these sizes, in turn, and gives the ids of its answers when all have come. */
async function answers(bytes: Buffer, sizes: readonly number[]): Promise<unknown[]> {
  const [ours, theirs] = pipes();
  let running = 0;
  const handler = new KeepingHandler({
    later: async () => {
      running++;
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return { result: 'later' };
    },
    fails: () => Promise.reject(new Error('fails')),
    refuses: () => {
      throw new RpcError(-32601, 'refuses');
    },
  });
  const peer = new JsonRpcPeer({
    channel: new LinesChannel({ ...ours, clock: systemClock, maxMessageBytes }),
    handler,
    clock: systemClock,
  });
  let text = '';
  theirs.input.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    theirs.output.write(bytes.subarray(at, at + size));
    at += size;
  }
  theirs.output.write('{"jsonrpc":"2.0","id":"the last","method":"quick"}\n');
  await until('the last answer', () => text.includes('"the last"') && running === 0);
  await settled();
  expect(handler.ends).toEqual([]);
  await peer.close();
  const messages = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { readonly jsonrpc: string; readonly id: unknown });
  expect(messages.every(({ jsonrpc }) => jsonrpc === '2.0')).toBe(true);
  return messages.map((message) => message.id);
}
