import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { PassThrough, Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter } from '../../adapters/acp/line-splitter.ts';
import { LinesChannel, type LinesOptions } from '../../adapters/acp/lines.ts';
import type { Fault } from '../../src/fault.ts';
import { settled } from '../support/acp-channel.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';

function opened(options: Partial<LinesOptions> = {}) {
  const input = new PassThrough();
  const output = new PassThrough();
  const clock = new ManualClock();
  const channel = new LinesChannel({ input, output, clock, ...options });
  const heard: unknown[] = [];
  const ends: unknown[] = [];
  channel.open({
    message: (value) => heard.push(value),
    malformed: ({ code }: Fault) => heard.push(code),
    closed: (error) => ends.push(error),
  });
  return { channel, clock, input, output, heard, ends };
}

/** Takes writes and completes them when told. */
class HeldWritable extends Writable {
  readonly chunks: string[] = [];
  #complete: (() => void) | undefined;

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.chunks.push(chunk.toString());
    this.#complete = done;
  }

  complete(): void {
    this.#complete?.();
  }
}

function codeOf(character: string): number {
  return character.charCodeAt(0);
}

/** As bytes are read back. */
function asBytes(text: string): string {
  return Buffer.from(text).toString();
}

function split(chunks: readonly Buffer[], maxBytes = 1000): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter(maxBytes, {
    line: (text) => lines.push(text),
    tooLong: () => lines.push('(too long)'),
  });
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return lines;
}

describe('lines', () => {
  it('are the same however the bytes are cut', () => {
    const line = fc.string({ unit: 'binary', maxLength: 30 }).map((text) => text.replaceAll('\n', ''));
    const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 });
    fc.assert(
      fc.property(fc.array(line), line, sizes, (lines, last, cuts) => {
        const bytes = Buffer.from([...lines, `${last}.`].join('\n'));
        const chunks: Buffer[] = [];
        for (let at = 0; at < bytes.length; at += chunks.at(-1)?.length ?? 0) {
          chunks.push(bytes.subarray(at, at + (cuts[chunks.length % cuts.length] ?? 1)));
        }
        expect(split(chunks)).toEqual(bytes.toString().split('\n'));
      }),
    );
  });

  it.each([1, 3, 100])('over the limit are skipped, in chunks of %d bytes', (size) => {
    const bytes = Buffer.from(`12345\n123456\n1\n${'x'.repeat(50)}\n\n54321\n123456`);
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
      bytes.subarray(n * size, (n + 1) * size),
    );
    const expected = ['12345', '(too long)', '1', '(too long)', '', '54321', '(too long)'];
    expect(split(chunks, 5)).toEqual(expected);
  });

  it('are known to be over the limit before they end', () => {
    const lines: string[] = [];
    const splitter = new LineSplitter(5, { line: (text) => lines.push(text), tooLong: () => lines.push('(too long)') });
    splitter.push(Buffer.from('123456'));
    expect(lines).toEqual(['(too long)']);
    for (let n = 0; n < 1000; n++) splitter.push(Buffer.alloc(1000, 'x'));
    splitter.push(Buffer.from('x\n1\n'));
    expect(lines).toEqual(['(too long)', '1']);
  });

  it('copy each byte a few times at most, however small the chunks are', () => {
    const bytes = 1_000_000;
    let copiedBytes = 0;
    class Counted extends LineSplitter {}
    const copy = Buffer.prototype.copy;
    Buffer.prototype.copy = function counted(this: Buffer, ...parameters: Parameters<typeof copy>): number {
      const copied = copy.apply(this, parameters);
      copiedBytes += copied;
      return copied;
    };
    try {
      const splitter = new Counted(2 * bytes, { line: () => undefined, tooLong: () => undefined });
      for (let n = 0; n < bytes / 10; n++) splitter.push(Buffer.alloc(10, 'x'));
      splitter.end();
    } finally {
      Buffer.prototype.copy = copy;
    }
    expect(copiedBytes).toBeGreaterThanOrEqual(bytes);
    expect(copiedBytes).toBeLessThan(4 * bytes);
  });
});

describe('what comes', () => {
  it('is one message a line, with either line ending, blank lines, a byte order mark and no ending at the end', async () => {
    const { input, heard, ends } = opened();
    input.end('\uFEFF{"n":1}\r\n\n  \r\n{"n":2}\n[3]\n"é😀"\r\n{"n":5}');
    await until('the end', () => ends.length > 0);
    expect(heard).toEqual([{ n: 1 }, { n: 2 }, [3], 'é😀', { n: 5 }]);
    expect(ends).toEqual([undefined]);
  });

  it('keeps characters whole that are cut between chunks', async () => {
    const { input, heard } = opened();
    for (const byte of Buffer.from('"é😀"\n')) input.write(Buffer.of(byte));
    await settled();
    expect(heard).toEqual(['é😀']);
  });

  it('may be no JSON, or too long, and is followed by the next line', async () => {
    const { input, heard } = opened({ maxMessageBytes: 20 });
    input.write(`{"n":1}\nnonsense\n{"n":\n${'['.repeat(21)}\n${'x'.repeat(200)}`);
    input.write(`${'x'.repeat(200)}\n{"n":2}\n`);
    await settled();
    expect(heard).toEqual([{ n: 1 }, 'invalid-request', 'invalid-request', 'too-large', 'too-large', { n: 2 }]);
  });

  it('is not taken after the close, not even from the same chunk', async () => {
    const input = new PassThrough();
    const channel = new LinesChannel({ input, output: new PassThrough(), clock: new ManualClock() });
    const heard: unknown[] = [];
    channel.open({
      message(value) {
        heard.push(value);
        void channel.close();
      },
      malformed: (why) => heard.push(why),
      closed: () => heard.push('closed'),
    });
    input.write(`1\n2\nnonsense\n${'x'.repeat(33 * 1024 * 1024)}\n`);
    await settled();
    expect(heard).toEqual([1, 'closed']);
  });
});

describe('what is sent', () => {
  it('is one JSON text a line, and one write for all of a tick', async () => {
    const output = new HeldWritable();
    const { channel } = opened({ output });
    channel.send({ text: 'a\nb\r\u2028' });
    channel.send({ n: 2 });
    await Promise.resolve();
    channel.send({ n: 3 });
    expect(output.chunks).toEqual([]);
    await settled();
    output.complete();
    channel.send({ n: 4 });
    await settled();
    expect(output.chunks).toEqual(['{"text":"a\\nb\\r\u2028"}\n{"n":2}\n{"n":3}\n', '{"n":4}\n']);
  });

  it('holds no half of a character, which strict readers of JSON refuse, and is otherwise what was said', async () => {
    const unit = fc.oneof(fc.integer({ min: 0xd7fe, max: 0xe001 }), fc.constantFrom(...[...'\\ud8f"'].map(codeOf)));
    const text = fc.array(unit, { maxLength: 12 }).map((units) => String.fromCharCode(...units));
    await fc.assert(
      fc.asyncProperty(text, text, async (name, value) => {
        const { channel, output } = opened();
        channel.send({ [`_${name}`]: [value] });
        await settled();
        const line = String(output.read());
        expect(line).not.toMatch(/(?<!\\)(\\\\)*\\ud[89a-f]/);
        expect(JSON.parse(line)).toEqual({ [`_${asBytes(name)}`]: [asBytes(value)] });
      }),
    );
  });

  it('has room until the stream is full, and again when it has drained', async () => {
    const output = new HeldWritable({ highWaterMark: 20 });
    const { channel } = opened({ output });
    channel.send({ n: 1 });
    expect(channel.room()).toBeUndefined();
    channel.send({ text: 'more than fits' });
    let drained = 0;
    const waits = [channel.room(), channel.room()];
    for (const wait of waits) void wait?.then(() => drained++);
    expect(waits).not.toContain(undefined);
    await settled();
    expect([drained, output.chunks.length]).toEqual([0, 1]);
    output.complete();
    await settled();
    expect(drained).toBe(2);
    expect(channel.room()).toBeUndefined();
  });

  it('has room again where what was queued fits by the time it is written', async () => {
    const output = new HeldWritable({ highWaterMark: 20 });
    const { channel } = opened({ output });
    channel.send({ text: 'a' });
    await settled();
    channel.send({ text: 'b' });
    const wait = channel.room();
    expect(wait).toBeDefined();
    output.complete();
    await wait;
    expect(channel.room()).toBeUndefined();
  });

  it('leaves no one waiting for room at the end', async () => {
    const { channel } = opened({ output: new HeldWritable({ highWaterMark: 1 }) });
    channel.send({ n: 1 });
    const wait = channel.room();
    expect(wait).toBeDefined();
    void channel.close();
    await wait;
    expect(channel.room()).toBeUndefined();
  });

  it('may not gather without end before a side that does not read', async () => {
    const output = new HeldWritable();
    const { channel, input, ends } = opened({ output, maxUnreadBytes: 1000 });
    for (let n = 0; n < 20; n++) {
      channel.send({ text: 'x'.repeat(100) });
      await settled();
    }
    expect(ends).toEqual([expect.objectContaining({ code: 'too-many' })]);
    expect(output.writableLength).toBeLessThan(1500);
    expect([input.destroyed, output.destroyed]).toEqual([true, true]);
  });

  it('throws for what is no JSON, with nothing queued', async () => {
    const { channel, output } = opened();
    expect(() => channel.send({ n: 1n })).toThrow(TypeError);
    channel.send({ n: 2 });
    await settled();
    expect(String(output.read())).toBe('{"n":2}\n');
  });
});

describe('the end', () => {
  it('by this side comes after all that is queued', async () => {
    const { channel, input, output, ends } = opened();
    channel.send({ n: 1 });
    const closed = channel.close();
    channel.send({ n: 2n });
    expect(ends).toEqual([undefined]);
    const chunks = await output.toArray();
    expect(Buffer.concat(chunks as Buffer[]).toString()).toBe('{"n":1}\n');
    await closed;
    await channel.close();
    expect(input.destroyed).toBe(true);
    expect(ends).toHaveLength(1);
  });

  it('waits for a side that reads slowly', async () => {
    const output = new HeldWritable();
    const { channel } = opened({ output });
    channel.send({ n: 1 });
    let isClosed = false;
    const closed = channel.close().then(() => (isClosed = true));
    await settled();
    expect(isClosed).toBe(false);
    output.complete();
    await closed;
  });

  it('is forced on a side that does not read', async () => {
    const output = new HeldWritable();
    const { channel, clock, input } = opened({ output, closeWaitMs: 100 });
    channel.send({ n: 1 });
    const closed = channel.close();
    await clock.advance(99);
    expect(output.destroyed).toBe(false);
    await clock.advance(1);
    await closed;
    expect([input.destroyed, output.destroyed]).toEqual([true, true]);
  });

  it('of the input is the end, and ends the output', async () => {
    const { channel, input, output, ends } = opened();
    channel.send({ n: 1 });
    input.end();
    await until('the end', () => ends.length > 0);
    channel.send({ n: 2 });
    expect(Buffer.concat((await output.toArray()) as Buffer[]).toString()).toBe('{"n":1}\n');
    expect(ends).toEqual([undefined]);
  });

  it.each(['input', 'output'] as const)('comes once when the %s fails, and throws nothing', async (which) => {
    const { channel, ends, heard, ...streams } = opened();
    const wait = (channel.send({ text: 'x'.repeat(100_000) }), channel.room());
    streams.input.write('{"half":');
    const error = new Error('EPIPE');
    streams[which].destroy(error);
    await until('the end', () => ends.length > 0);
    streams.input.emit('error', new Error('again'));
    streams.output.emit('error', new Error('again'));
    channel.send({ n: 2 });
    await wait;
    await channel.close();
    expect(ends).toEqual([error]);
    expect(heard).toEqual([]);
    expect([streams.input.destroyed, streams.output.destroyed]).toEqual([true, true]);
  });

  it.each(['input', 'output'] as const)('is known where the %s was over before', async (which) => {
    const streams = { input: new PassThrough(), output: new PassThrough() };
    streams[which].destroy();
    await once(streams[which], 'close');
    const { ends, channel } = opened(streams);
    await until('the end', () => ends.length > 0);
    await channel.close();
    expect(ends).toHaveLength(1);
  });

  it('of a socket lets its last words arrive', async () => {
    const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect({ port: (server.address() as { port: number }).port, host: '127.0.0.1' });
    const [socket] = (await once(server, 'connection')) as [Socket];
    const text = 'x'.repeat(3_000_000);
    const { channel, ends } = opened({ input: socket, output: socket });
    client.write('{"unread":1}\n'.repeat(1000));
    channel.send({ text });
    const closed = channel.close();
    client.write('{"unread":2}\n'.repeat(1000));
    const chunks = (await client.toArray()) as Buffer[];
    const received = Buffer.concat(chunks).toString();
    expect([received.length, received === `${JSON.stringify({ text })}\n`]).toEqual([text.length + 12, true]);
    await closed;
    expect([socket.destroyed, ends]).toEqual([true, [undefined]]);
    server.close();
  });

  it('comes where the other side of a socket is gone', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect({ port: (server.address() as { port: number }).port, host: '127.0.0.1' });
    const [socket] = (await once(server, 'connection')) as [Socket];
    const { channel, ends } = opened({ input: socket, output: socket });
    client.resetAndDestroy();
    await until('the end', () => {
      channel.send({ text: 'x'.repeat(1000) });
      return ends.length > 0;
    });
    await channel.close();
    expect(ends).toEqual([expect.objectContaining({ code: expect.stringMatching(/ECONNRESET|EPIPE/) as string })]);
    server.close();
  });
});
