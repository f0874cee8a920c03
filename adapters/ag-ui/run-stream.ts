import type { Principal, RunId, ThreadId, TicketId } from '../../schemas/id.ts';
import type { Outcome } from '../../schemas/run.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import { Fault } from '../../src/fault.ts';
import type { Gateway, ThreadView } from '../../src/gateway.ts';
import { type BlobSource, blobsOf, readBlobs } from './blobs.ts';
import type { RunEncoder, ThreadMoment } from './encode.ts';
import type { Material } from './ending.ts';
import type { MediaLinks } from './media-links.ts';

export interface StreamSource {
  readonly gateway: Gateway;
  readonly principal: Principal;
  readonly threadId: ThreadId;
  readonly encoder: RunEncoder;
  /** Aborted when the client has gone, or the gateway stops. */
  readonly signal: AbortSignal;
  readonly maxInlineChars: number;
  /** Undefined: media too large for a frame are handles. */
  readonly links: MediaLinks | undefined;
}

/** What a stream is written to. */
export interface FrameSink {
  readonly isFull: boolean;
  /** All up to this event was told to the sink. */
  add(frames: readonly string[], seq: number): void;
  /** Resolves with how long its client kept it waiting, in ms. */
  flush(): Promise<number>;
}

/**
 * Tells a client the log from a position on, until its stream has its terminal event or `signal` aborts. Stops early,
 * and says after which event, when the client kept it waiting for longer than `maxStallMs`.
 */
export async function writeLog(
  source: StreamSource,
  { afterSeq, maxStallMs }: { readonly afterSeq: number; readonly maxStallMs: number },
  sink: FrameSink,
): Promise<{ readonly stalledAfter: number } | undefined> {
  const { gateway, principal, threadId, encoder, signal } = source;
  for await (const page of gateway.follow(principal, threadId, afterSeq, signal)) {
    for (const event of page) {
      const gathering = gather(source, event);
      if (gathering !== undefined) await sink.flush();
      const frames = encoder.encode(event, (await gathering) ?? nothing);
      if (frames.length > 0 || !encoder.hasEnded) sink.add(frames, event.seq);
      if (encoder.hasEnded) return undefined;
      if (sink.isFull && (await sink.flush()) > maxStallMs) return { stalledAfter: event.seq };
    }
    await sink.flush();
  }
  if (!signal.aborted) throw new Fault('internal', 'the log ended before its run');
  return undefined;
}

/** Asks a client what its thread waits for: its request stays queued behind the answer. */
export async function encodeBlocked(
  source: StreamSource,
  blockedBy: TicketId,
  seq: number,
): Promise<readonly string[]> {
  const { gateway, principal, threadId, encoder } = source;
  const ticket = await gateway.findTicket(principal, threadId, blockedBy);
  if (ticket === undefined) throw new Fault('internal', `the question ${blockedBy} has no record`);
  return encoder.encodeBlocked(await gatherView(source, { runId: ticket.runId, seq }, undefined));
}

/**
 * The encoder goes silently over a run's log up to an event, and then tells what somebody who comes there must know.
 * @throws Fault `cursor-expired` when the log does not go back that far
 */
export async function encodeJoin(
  source: StreamSource,
  to: { readonly runId: RunId; readonly afterSeq: number; readonly seq: number },
): Promise<readonly string[]> {
  const { encoder } = source;
  const { runId, seq } = to;
  for await (const event of eventsBetween(source, to.afterSeq, seq)) {
    encoder.encode(event, (await gather(source, event)) ?? nothing);
  }
  return encoder.join(seq, await gatherView(source, { runId, seq }, undefined));
}

/** The encoder goes silently over what a run told before its stream begins. What of that is evicted is not recalled. */
export async function recall(
  source: StreamSource,
  run: { readonly runId: RunId; readonly afterSeq: number; readonly seq: number },
): Promise<void> {
  try {
    for await (const event of eventsBetween(source, run.afterSeq, run.seq)) {
      source.encoder.recall(run.runId, event, (await gather(source, event)) ?? nothing);
    }
  } catch (thrown) {
    if (Fault.from(thrown).code !== 'cursor-expired') throw thrown;
  }
}

async function* eventsBetween(
  { gateway, principal, threadId }: StreamSource,
  after: number,
  upTo: number,
): AsyncGenerator<RunEvent> {
  for (let at = after; at < upTo;) {
    const page = await gateway.events(principal, threadId, at, Math.min(250, upTo - at));
    yield* page;
    at = page.at(-1)?.seq ?? upTo;
  }
}

/** What somebody is told who comes when nothing happens, and the log of what did is gone. */
export async function encodeIdle(
  source: StreamSource,
  seq: number,
  outcome: Outcome | undefined,
): Promise<readonly string[]> {
  const { gateway, principal, threadId, encoder } = source;
  const view = await gateway.viewAt(principal, threadId, seq);
  return encoder.encodeIdle(seq, await materialOf(source, view, undefined), outcome);
}

const nothing: Material = { blobs: new Map() };

/** Undefined for the many events that need nothing beside themselves. */
function gather(source: StreamSource, event: RunEvent): Promise<Material> | undefined {
  const moment = source.encoder.needsView(event);
  if (moment === undefined && blobsOf(event, undefined).length === 0) return undefined;
  return gatherView(source, moment, event);
}

async function gatherView(
  source: StreamSource,
  moment: ThreadMoment | undefined,
  event: RunEvent | undefined,
): Promise<Material> {
  const { gateway, principal, threadId } = source;
  const view = moment === undefined ? undefined : await gateway.view(principal, threadId, moment.runId, moment.seq);
  return materialOf(source, view, event);
}

async function materialOf(
  { gateway, principal, threadId, maxInlineChars, links }: StreamSource,
  view: ThreadView | undefined,
  event: RunEvent | undefined,
): Promise<Material> {
  const thread = { scope: principal.scope, threadId };
  const reader = {
    read: (id: string) => gateway.blob(principal, threadId, id),
    linkTo: ({ id, mimeType }: BlobSource) => links?.urlOf({ thread, blob: id, mimeType }),
  };
  return { view, blobs: await readBlobs(blobsOf(event, view), reader, maxInlineChars) };
}
