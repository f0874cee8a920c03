import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readFrames } from '../../../src/client/event-stream.ts';
import { HurriedClock } from '../../support/hurried-clock.ts';

async function framesIn(...pieces: Uint8Array[]): Promise<object[]> {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
  const frames: object[] = [];
  for await (const frame of readFrames(body, { clock: new HurriedClock(), silenceMs: Infinity })) frames.push(frame);
  return frames;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('an event stream', () => {
  it('is the same in whatever pieces it arrives', async () => {
    const text =
      ': hello\n\nid: a.1\r\nevent: text\r\ndata: {"delta":"grüße 👋"}\r\n\r\nid: a.2\ndata: one\ndata: two\n\n';
    const bytes = bytesOf(text);
    const whole = [
      { id: 'a.1', event: 'text', data: '{"delta":"grüße 👋"}' },
      { id: 'a.2', event: undefined, data: 'one\ntwo' },
    ];
    expect(await framesIn(bytes)).toEqual(whole);
    const places = fc.uniqueArray(fc.nat({ max: bytes.length }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(places, async (cuts) => {
        const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
        const pieces = edges.slice(1).map((end, index) => bytes.slice(edges[index], end));
        expect(await framesIn(...pieces)).toEqual(whole);
      }),
    );
  });

  it('drops a frame that its end cuts', async () => {
    expect(await framesIn(bytesOf('id: a.1\ndata: 1\n\nid: a.2\ndata: 2\n'))).toMatchObject([{ id: 'a.1' }]);
  });
});
