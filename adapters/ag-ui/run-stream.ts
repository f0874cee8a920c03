import type { RunEvent } from '../../schemas/run-event.ts';
import type { Principal, ThreadId, TicketId } from '../../schemas/id.ts';
import { Fault } from '../../src/fault.ts';
import type { Gateway } from '../../src/gateway.ts';
import type { EventStream } from '../../src/sse.ts';
import { blobsOf, readBlobs } from './blobs.ts';
import type { RunEncoder, ThreadMoment } from './encode.ts';
import type { Material } from './ending.ts';

export interface RunStreamSource {
  readonly gateway: Gateway;
  readonly principal: Principal;
  readonly threadId: ThreadId;
  readonly afterSeq: number;
  readonly encoder: RunEncoder;
  /** Aborted when the client has gone, or the gateway stops. */
  readonly signal: AbortSignal;
  readonly maxInlineChars: number;
}

/** Tells a client the log from a position on, until its stream has its terminal event or `signal` aborts. */
export async function writeRun(source: RunStreamSource, stream: EventStream): Promise<void> {
  const { gateway, principal, threadId, afterSeq, encoder, signal } = source;
  for await (const page of gateway.follow(principal, threadId, afterSeq, signal)) {
    for (const event of page) {
      const gathering = gather(source, event);
      if (gathering !== undefined) await stream.flush();
      stream.add(encoder.encode(event, (await gathering) ?? nothing));
      if (encoder.hasEnded) return;
      if (stream.isFull) await stream.flush();
    }
    await stream.flush();
  }
  if (!signal.aborted) throw new Fault('internal', 'the log ended before its run');
}

/** Asks a client what its thread waits for: its request stays queued behind the answer. */
export async function writeBlocked(source: RunStreamSource, blockedBy: TicketId, stream: EventStream): Promise<void> {
  const { gateway, principal, threadId, afterSeq: seq, encoder } = source;
  const ticket = await gateway.findTicket(principal, threadId, blockedBy);
  if (ticket === undefined) throw new Fault('internal', `the question ${blockedBy} has no record`);
  stream.add(encoder.encodeBlocked(await gatherView(source, { runId: ticket.runId, seq }, undefined)));
}

const nothing: Material = { blobs: new Map() };

/** Undefined for the many events that need nothing beside themselves. */
function gather(source: RunStreamSource, event: RunEvent): Promise<Material> | undefined {
  const moment = source.encoder.needsView(event);
  if (moment === undefined && blobsOf(event, undefined).length === 0) return undefined;
  return gatherView(source, moment, event);
}

async function gatherView(
  { gateway, principal, threadId, maxInlineChars }: RunStreamSource,
  moment: ThreadMoment | undefined,
  event: RunEvent | undefined,
): Promise<Material> {
  const view = moment === undefined ? undefined : await gateway.view(principal, threadId, moment.runId, moment.seq);
  const readBlob = (id: string): Promise<string> => gateway.blob(principal, threadId, id);
  return { view, blobs: await readBlobs(blobsOf(event, view), readBlob, maxInlineChars) };
}
