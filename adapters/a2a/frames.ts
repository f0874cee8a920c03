// Streams of both bindings are frames of server-sent events, one response each.
// https://a2a-protocol.org/v1.0.1/specification/#92-request-and-response-structure
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../src/clock.ts';
import { EventStream } from '../../src/sse.ts';
import type { Call } from './call.ts';

export interface StreamLimits {
  /** Silence after which a comment is written. */
  readonly keepAliveMs: number;
  /** Frames that may gather for one client before they are flushed. */
  readonly maxBufferedChars: number;
  /** How long a client may leave its connection full before it is cut off. */
  readonly slowViewerMs: number;
}

export interface FrameWriter {
  readonly response: ServerResponse;
  readonly clock: Clock;
  readonly limits: StreamLimits;
  readonly call: Call;
  /** What a client is told of a fault after its stream began. */
  readonly encodeFault: (thrown: unknown) => object;
}

/**
 * Writes what a transport yields. Nothing is written before there is something: until then whatever goes wrong is the
 * caller's to answer, and is thrown.
 */
export async function writeFrames(writer: FrameWriter, frames: AsyncGenerator): Promise<void> {
  const { response, clock, limits, call, encodeFault } = writer;
  let next = await frames.next();
  const { keepAliveMs, maxBufferedChars, slowViewerMs: maxStallMs } = limits;
  const stream = new EventStream(response, { clock, keepAliveMs, maxBufferedChars, maxStallMs, signal: call.signal });
  try {
    while (next.done !== true && !call.signal.aborted) {
      stream.add([frameOf(next.value, call.position)]);
      if (call.isCaughtUp || stream.isFull) await stream.flush();
      next = await frames.next();
    }
  } catch (thrown) {
    if (!response.destroyed) stream.add([frameOf(encodeFault(call.fault ?? thrown), '')]);
  } finally {
    await frames.return(undefined);
    // Its client comes back with Last-Event-ID: the task is not at its end.
    if (call.signal.aborted && !response.destroyed) stream.add(['retry: 1000\n\n']);
    stream.end();
  }
}

function frameOf(value: unknown, id: string): string {
  return `${id === '' ? '' : `id: ${id}\n`}data: ${JSON.stringify(value)}\n\n`;
}
