import type { EventSourceMessage } from 'eventsource-parser';
import type { RunId, ThreadId } from '../../schemas/id.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import { Fault } from '../fault.ts';
import { type Backoff, pause, waitAfter } from './backoff.ts';
import type { Connection } from './connection.ts';
import { readFrames } from './event-stream.ts';

/** Whose events: a thread's, without end, or one run's up to its end. */
export type Followed = { readonly threadId: ThreadId } | { readonly runId: RunId };

export interface FollowOptions {
  /** A cursor: only what comes after it. Absent: from the start. */
  readonly after?: string | undefined;
  /** Ends the iteration when aborted; that is no failure. */
  readonly signal?: AbortSignal | undefined;
  /** Told before each further connection: what ended the last one, and how often in a row, from 1. */
  readonly onCut?: ((why: Fault, attempt: number) => void) | undefined;
}

export interface FollowedEvent {
  /** Where this event stands, to go on from later. Opaque. */
  readonly cursor: string;
  readonly event: RunEvent;
}

interface FollowTerms {
  /** Of the first connection. */
  readonly retry: Backoff;
  /** Of all further ones, since it last got anywhere. */
  readonly reconnect: Backoff;
  readonly silenceMs: number;
}

/** How far a follower has come. */
interface Place {
  cursor: string | undefined;
  /** Of the last event that was handed on; 0: none was. */
  seq: number;
  wasConnected: boolean;
}

/**
 * Each event once and in order, over as many connections as that takes. A connection that ends, however it does, is
 * followed by another one that begins after the last event seen.
 */
export async function* follow(
  connection: Connection,
  followed: Followed,
  { after, signal, onCut, retry, reconnect, silenceMs }: FollowOptions & FollowTerms,
): AsyncGenerator<FollowedEvent, void, undefined> {
  const place: Place = { cursor: after, seq: 0, wasConnected: false };
  let failures = 0;
  while (!isAborted(signal)) {
    const { seq } = place;
    const startedAtMs = connection.clock.now();
    let why: Fault;
    try {
      if ((yield* followOnce(connection, followed, place, { silenceMs, signal })) === 'over') return;
      why = connection.unreachable(undefined);
    } catch (thrown) {
      if (!(thrown instanceof Fault) && !isAborted(signal)) throw thrown;
      why = Fault.from(thrown);
    }
    if (isAborted(signal)) return;
    const wasAlive = place.seq > seq || connection.clock.now() - startedAtMs > reconnect.capMs;
    failures = wasAlive ? 1 : failures + 1;
    const backoff = place.wasConnected ? reconnect : retry;
    const waitMs = waitAfter(why, { attempt: failures, backoff, repeatable: true });
    if (waitMs === undefined) throw why;
    onCut?.(why, failures);
    await pause(connection.clock, waitMs, signal).catch(() => undefined);
  }
}

/** What one connection brings. `cut`: there may be more. */
async function* followOnce(
  connection: Connection,
  followed: Followed,
  place: Place,
  { silenceMs, signal }: Pick<FollowTerms, 'silenceMs'> & Pick<FollowOptions, 'signal'>,
): AsyncGenerator<FollowedEvent, 'over' | 'cut', undefined> {
  const { cursor } = place;
  const resumes = place.seq > 0 && cursor !== undefined;
  const { status, body } = await connection.open({
    method: 'GET',
    path: 'runId' in followed ? ['runs', followed.runId, 'events'] : ['threads', followed.threadId, 'events'],
    ...(!resumes && { query: { after: cursor } }),
    headers: { accept: 'text/event-stream', ...(resumes && { 'last-event-id': cursor }) },
    repeatable: true,
    signal,
  });
  place.wasConnected = true;
  // The run is done, and this position is beyond its last event.
  if (status === 204) return 'over';
  for await (const frame of framesOf(connection, body, silenceMs)) {
    const next = decodeFrame(frame);
    if (next === undefined || next.event.seq <= place.seq) continue;
    place.cursor = next.cursor;
    place.seq = next.event.seq;
    yield next;
    if ('runId' in followed && next.event.type === 'run.finished' && next.event.runId === followed.runId) return 'over';
  }
  return 'cut';
}

/** What breaks while frames are read is the connection: told apart from what its reader throws. */
async function* framesOf(
  connection: Connection,
  body: Response['body'],
  silenceMs: number,
): ReturnType<typeof readFrames> {
  if (body === null) return;
  try {
    yield* readFrames(body, { clock: connection.clock, silenceMs });
  } catch (thrown) {
    throw connection.unreachable(thrown);
  }
}

/** A frame without an id is not an event. */
function decodeFrame({ id, data }: EventSourceMessage): FollowedEvent | undefined {
  if (id === undefined) return undefined;
  try {
    return { cursor: id, event: JSON.parse(data) as RunEvent };
  } catch (cause) {
    throw new Fault('internal', `the event at ${id} is not JSON`, { cause });
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}
