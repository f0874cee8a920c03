import { describe, expect, it } from 'vitest';
import { MessageStreamChannel, type MessageStreamOptions } from '../../adapters/acp/message-stream.ts';
import { settled } from '../support/acp-channel.ts';

/** A writable that completes a write when told. */
function heldWritable(strategy?: QueuingStrategy<unknown>) {
  const taken: unknown[] = [];
  const calls: string[] = [];
  let complete = (): void => undefined;
  const writable = new WritableStream<unknown>(
    {
      write(message) {
        taken.push(message);
        return new Promise<void>((resolve) => {
          complete = resolve;
        });
      },
      close: () => void calls.push('close'),
      abort: () => void calls.push('abort'),
    },
    strategy,
  );
  return { writable, taken, calls, complete: () => complete() };
}

/** A readable in the test's hand. */
function heldReadable() {
  let controller: ReadableStreamDefaultController<unknown> | undefined;
  const cancels: unknown[] = [];
  const pulls: unknown[] = [];
  const readable = new ReadableStream<unknown>(
    {
      start: (started) => void (controller = started),
      pull: () => void pulls.push(undefined),
      cancel: (reason) => void cancels.push(reason),
    },
    { highWaterMark: 0 },
  );
  if (controller === undefined) throw new Error('a stream starts when it is made');
  return { readable, controller, cancels, pulls };
}

function opened(options: Partial<MessageStreamOptions> = {}) {
  const input = heldReadable();
  const output = heldWritable();
  const channel = new MessageStreamChannel({ readable: input.readable, writable: output.writable, ...options });
  const heard: unknown[] = [];
  const ends: unknown[] = [];
  channel.open({
    message: (value) => heard.push(value),
    malformed: (why) => heard.push(why),
    closed: (error) => ends.push(error),
  });
  return { channel, input, output, heard, ends };
}

describe('a stream of messages', () => {
  it('delivers what comes, in order, and asks for one at a time', async () => {
    const { input, heard } = opened();
    await settled();
    expect(input.pulls).toHaveLength(1);
    input.controller.enqueue({ n: 1 });
    input.controller.enqueue('anything');
    await settled();
    expect(heard).toEqual([{ n: 1 }, 'anything']);
    expect(input.pulls).toHaveLength(2);
  });

  it('keeps the order of what is sent, and has room when the other side takes it', async () => {
    const output = heldWritable({ highWaterMark: 2 });
    const { channel } = opened({ writable: output.writable });
    channel.send({ n: 1 });
    expect(channel.room()).toBeUndefined();
    channel.send({ n: 2 });
    let waits = 1;
    void channel.room()?.then(() => waits--);
    await settled();
    expect([waits, output.taken]).toEqual([1, [{ n: 1 }]]);
    output.complete();
    await settled();
    expect([waits, output.taken]).toEqual([0, [{ n: 1 }, { n: 2 }]]);
    expect(channel.room()).toBeUndefined();
  });

  it('may not gather without end before a side that takes nothing', async () => {
    const { channel, input, output, ends } = opened({ maxUntakenMessages: 3 });
    for (let n = 0; n < 3; n++) channel.send({ n });
    const wait = channel.room();
    expect(ends).toEqual([]);
    channel.send({ n: 4 });
    expect(ends).toEqual([expect.objectContaining({ code: 'too-many' })]);
    output.complete();
    await wait;
    await channel.close();
    expect([output.calls, input.cancels.length]).toEqual([['abort'], 1]);
  });

  it('counts what waits, not what was sent', async () => {
    const { channel, output, ends } = opened({ maxUntakenMessages: 2 });
    for (let n = 0; n < 10; n++) {
      channel.send({ n });
      await settled();
      output.complete();
      await settled();
    }
    expect([output.taken.length, ends]).toEqual([10, []]);
  });

  it('ends both sides on close, the written one first and whole', async () => {
    const { channel, input, output, heard, ends } = opened();
    channel.send({ n: 1 });
    channel.send({ n: 2 });
    const closed = channel.close();
    channel.send({ n: 3 });
    input.controller.enqueue({ n: 4 });
    expect(ends).toEqual([undefined]);
    await settled();
    expect([output.calls, input.cancels]).toEqual([[], []]);
    output.complete();
    await settled();
    output.complete();
    await closed;
    await channel.close();
    expect([output.taken, output.calls, input.cancels.length]).toEqual([[{ n: 1 }, { n: 2 }], ['close'], 1]);
    expect([heard, ends]).toEqual([[], [undefined]]);
  });

  it('is over when the readable side is', async () => {
    const { channel, input, output, ends } = opened();
    input.controller.close();
    await settled();
    expect([ends, output.calls, channel.room()]).toEqual([[undefined], ['close'], undefined]);
    await channel.close();
  });

  it.each(['the readable side', 'the writable side', 'a write'])('is over once when %s breaks', async (what) => {
    const error = new Error('broken');
    let breakWritable: ((reason: unknown) => void) | undefined;
    const writable = new WritableStream<unknown>({
      start: (controller) => void (breakWritable = (reason) => controller.error(reason)),
      write: () => Promise.reject(error),
    });
    const { channel, input, heard, ends } = opened({ writable });
    if (what === 'the readable side') input.controller.error(error);
    if (what === 'the writable side') breakWritable?.(error);
    if (what === 'a write') channel.send({ n: 1 });
    await settled();
    channel.send({ n: 2 });
    if (what !== 'the readable side') expect(input.cancels).toEqual([error]);
    await channel.room();
    await channel.close();
    expect([heard, ends]).toEqual([[], [error]]);
  });
});
