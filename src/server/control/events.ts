import * as z from 'zod';
import type { Run } from '../../../schemas/run.ts';
import type { RunEvent } from '../../../schemas/run-event.ts';
import { Fault } from '../../fault.ts';
import { assertLog, Cursor, CursorParameter, encodeCursor, type Position } from './cursor.ts';
import { type Call, type Endpoint, endpoint, nothing, reply } from './endpoint.ts';
import { writeEvents } from './event-stream.ts';
import { present, runPath, threadPath, wholeNumber } from './parameters.ts';
import { showEvent, ShownEvent } from './shown.ts';

const tag = 'Events';

const EventPage = z.object({
  items: z.array(ShownEvent).describe('In the order in which they happened.'),
  cursor: Cursor.describe('Where the next page begins.'),
});

const query = z.strictObject({
  after: CursorParameter.optional().describe('Only what comes after this cursor; absent: from the start.'),
  limit: wholeNumber(1, 1000).default(250).describe('How many at most, where it is no stream; 250 if absent.'),
});

const headers = z.strictObject({
  'Last-Event-ID': CursorParameter.optional().describe(
    'The id of the last frame that was seen, for a stream; wins over `after`.',
  ),
});

const answer = { what: 'A page of events, or all of them as they happen.', body: EventPage, stream: ShownEvent };
const howToStream =
  'With `Accept: text/event-stream` it goes on live: each frame is `id: {cursor}`, `event: {type}`, `data: {event}`.';

type EventsCall = Call<unknown, z.infer<typeof query>, z.infer<typeof headers>>;

export const eventEndpoints: readonly Endpoint[] = [
  endpoint({
    method: 'get',
    path: '/v1/threads/{threadId}/events',
    operationId: 'followThread',
    tag,
    summary: 'Tells what happened on a thread, and what happens.',
    description: `${howToStream} When the gateway stops, the stream ends; go on with the last id.`,
    params: threadPath,
    query,
    headers,
    answers: { 200: answer },
    faults: ['not-found', 'cursor-expired'],
    async handle(call) {
      const {
        gateway,
        caller,
        params: { threadId },
        query: { limit },
      } = call;
      const from = await positionIn(call, threadId, async () => 0);
      if (wantsStream(call)) {
        await gateway.events(caller, threadId, from.seq, 1);
        return { write: () => writeEvents(call, { threadId, from, pick: () => true, isLast: () => false }) };
      }
      const events = await gateway.events(caller, threadId, from.seq, limit);
      const cursor = encodeCursor({ ...from, seq: events.at(-1)?.seq ?? from.seq });
      return reply(200, { items: events.map(showEvent), cursor });
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/runs/{runId}/events',
    operationId: 'followRun',
    tag,
    summary: 'Tells what happened in a run, and what happens.',
    description: `${howToStream} The stream ends after \`run.finished\`; to whoever has seen that, nothing is streamed.`,
    params: runPath,
    query,
    headers,
    answers: { 200: answer, 204: { what: 'All was seen already; with `Accept: text/event-stream`.' } },
    faults: ['not-found', 'cursor-expired'],
    async handle(call) {
      const {
        gateway,
        caller,
        params: { runId },
      } = call;
      const { run } = present(await gateway.runs.find(caller, runId), 'run', runId);
      const { threadId } = run;
      const from = await positionIn(call, threadId, () => startOf(call, run));
      const pick = (event: RunEvent): boolean => event.runId === runId;
      if (!wantsStream(call)) return reply(200, await pageOfRun(call, run, from));
      if (isOver(run, from.seq)) return nothing;
      await gateway.events(caller, threadId, from.seq, 1);
      const isLast = (event: RunEvent): boolean => event.type === 'run.finished';
      return { write: () => writeEvents(call, { threadId, from, pick, isLast }) };
    },
  }),
];

/** A browser's `EventSource` asks for nothing else; whoever takes anything gets a page. */
function wantsStream({ request }: Call): boolean {
  const asked = request.headers.accept?.split(',').map((one) => one.split(';', 1)[0]?.trim().toLowerCase()) ?? [];
  return request.method === 'GET' && asked.includes('text/event-stream');
}

/** @throws Fault `not-found`, and `cursor-expired` for a position that the thread's log does not have */
async function positionIn(call: EventsCall, threadId: string, start: () => Promise<number>): Promise<Position> {
  const { gateway, caller } = call;
  const { logId, head } = present(await gateway.threads.find(caller, threadId), 'thread', threadId);
  const given = (wantsStream(call) ? call.headers['Last-Event-ID'] : undefined) ?? call.query.after;
  if (given === undefined) return { logId, seq: await start() };
  assertLog(given, logId);
  if (given.seq > head) throw new Fault('cursor-expired', 'the cursor is beyond the end of the log');
  return given;
}

/** What comes before does not concern the run. */
async function startOf({ gateway, caller }: Call, { threadId, firstSeq, activations }: Run): Promise<number> {
  if (firstSeq !== undefined) return firstSeq - 1;
  const [first] = activations;
  const activation = first === undefined ? undefined : await gateway.findActivation(caller, threadId, first);
  return activation?.afterSeq ?? 0;
}

function isOver({ status, lastSeq }: Run, seq: number): boolean {
  return status === 'done' && (lastSeq === undefined || seq >= lastSeq);
}

/** How much of the log one page may look through: others' events stand between those of a run that waited. */
const maxLooks = 4000;
const looksAtOnce = 250;

async function pageOfRun(call: EventsCall, run: Run, from: Position) {
  const {
    gateway,
    caller,
    query: { limit },
  } = call;
  const items: RunEvent[] = [];
  const size = Math.max(limit, looksAtOnce);
  let { seq } = from;
  for (let looks = 0; looks < maxLooks && items.length < limit && !isOver(run, seq);) {
    const events = await gateway.events(caller, run.threadId, seq, size);
    for (const event of events) {
      if (items.length === limit) break;
      if (event.runId === run.id) items.push(event);
      seq = event.seq;
    }
    if (events.length < size) break;
    looks += events.length;
  }
  return { items: items.map(showEvent), cursor: encodeCursor({ ...from, seq }) };
}
