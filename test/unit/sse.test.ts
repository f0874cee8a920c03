import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { EventStream } from '../../src/sse.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** A response whose client reads only when told. */
class SlowResponse extends Writable {
  readonly written: string[] = [];
  status: number | undefined;
  #read: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 1, decodeStrings: false });
  }

  writeHead(status: number): this {
    this.status = status;
    return this;
  }

  flushHeaders(): void {}

  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.written.push(chunk);
    this.#read = done;
  }

  read(): void {
    this.#read?.();
  }
}

function open(): { response: SlowResponse; clock: ManualClock; stream: EventStream; leave: () => void } {
  const response = new SlowResponse();
  const clock = new ManualClock();
  const gone = new AbortController();
  const stream = new EventStream(response as unknown as ServerResponse, {
    clock,
    keepAliveMs: 1000,
    maxBufferedChars: 10,
    signal: gone.signal,
  });
  const leave = (): void => {
    gone.abort();
  };
  return { response, clock, stream, leave };
}

describe('an event stream', () => {
  it('opens before there is anything to write', () => {
    const { response } = open();
    expect(response.status).toBe(200);
    expect(response.written).toEqual([]);
  });

  it('writes what has gathered at once', () => {
    const { response, stream, leave } = open();
    stream.add(['one\n\n', 'two\n\n']);
    stream.add(['three\n\n']);
    expect(stream.isFull).toBe(true);
    leave();
    void stream.flush();
    expect(response.written).toEqual(['one\n\ntwo\n\nthree\n\n']);
    expect(stream.isFull).toBe(false);
  });

  it('waits until its client reads', async () => {
    const { response, clock, stream } = open();
    stream.add(['one\n\n']);
    let isFlushed = false;
    const flushed = stream.flush().then(() => {
      isFlushed = true;
    });
    await clock.advance(0);
    expect(isFlushed).toBe(false);
    response.read();
    await flushed;
  });

  it('waits no longer when its client leaves', async () => {
    const { stream, leave } = open();
    stream.add(['one\n\n']);
    const flushed = stream.flush();
    leave();
    await expect(flushed).resolves.toBe(0);
    stream.add(['two\n\n']);
    await expect(stream.flush()).resolves.toBe(0);
  });

  it('comments on silence alone, and not to a client that does not read', async () => {
    const { response, clock, stream, leave } = open();
    await clock.advance(999);
    stream.add(['one\n\n']);
    const flushed = stream.flush();
    response.read();
    await flushed;
    await clock.advance(999);
    expect(response.written).toEqual(['one\n\n']);
    await clock.advance(1);
    expect(response.written).toEqual(['one\n\n', ': keep-alive\n\n']);
    await clock.advance(5000);
    expect(response.written).toHaveLength(2);
    leave();
    stream.end();
    await clock.advance(5000);
    expect(response.written).toHaveLength(2);
  });
});
