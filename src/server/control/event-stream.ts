import type { ThreadId } from '../../../schemas/id.ts';
import type { RunEvent } from '../../../schemas/run-event.ts';
import { exchangeSignal } from '../../exchange-signal.ts';
import { Fault } from '../../fault.ts';
import { EventStream } from '../../sse.ts';
import { encodeCursor, type Position } from './cursor.ts';
import type { Call } from './endpoint.ts';
import { showEvent } from './shown.ts';

/** What of a thread's log is told to one client. */
export interface Told {
  readonly threadId: ThreadId;
  readonly from: Position;
  readonly pick: (event: RunEvent) => boolean;
  /** Whether an event that was picked is the last one. */
  readonly isLast: (event: RunEvent) => boolean;
}

/** Frames that may gather for one client before they are written. */
const maxBufferedChars = 65_536;

/**
 * Tells a client a log as it is written, until the last event was told, the client leaves or the gateway stops. Pages are
 * pulled as the client reads, so a slow one costs no more memory than a fast one.
 */
export async function writeEvents(call: Call, { threadId, from, pick, isLast }: Told): Promise<void> {
  const { gateway, clock, caller, response, keepAliveMs, log } = call;
  using over = exchangeSignal(response, gateway.stopping);
  const { signal } = over;
  const stream = new EventStream(response, { clock, keepAliveMs, maxBufferedChars, signal });
  try {
    for await (const page of gateway.follow(caller, threadId, from.seq, signal)) {
      for (const event of page) {
        if (!pick(event)) continue;
        stream.add([frameOf(call, from.logId, event)]);
        if (isLast(event)) return;
        if (stream.isFull) await stream.flush();
      }
      await stream.flush();
    }
  } catch (thrown) {
    // Whoever asks again is told what is wrong: the thread is gone, or its log no longer reaches back that far.
    const fault = Fault.from(thrown);
    if (fault.code === 'internal' && !signal.aborted) {
      log.error({ threadId, cause: fault.cause ?? fault }, 'a stream of events failed');
    }
  } finally {
    stream.end();
  }
}

function frameOf({ frames }: Call, logId: string, event: RunEvent): string {
  const id = encodeCursor({ logId, seq: event.seq });
  return frames.get(id, () => `id: ${id}\nevent: ${event.type}\ndata: ${JSON.stringify(showEvent(event))}\n\n`);
}
