import type { MessageId, RunId, ThreadKey } from '../../schemas/id.ts';
import type { Message } from '../../schemas/message.ts';
import type { Run } from '../../schemas/run.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import { decodeView, emptyView, encodeView, foldEvent, markBoundary, type RunView } from '../events/view.ts';
import { Fault } from '../fault.ts';
import type { Store } from './store.ts';

const pageSize = 250;
/** Whoever had to fold this many events leaves a checkpoint, so that the next one need not. */
const checkpointEvery = 500;

/**
 * A run's log folded up to `seq`, from its last checkpoint where that helps. `boundarySeq` marks what is final, for who
 * is to go on with the run; it reads no checkpoint beyond it.
 * @throws Fault `cursor-expired` when the events are evicted
 */
export async function loadView(
  store: Store,
  thread: ThreadKey,
  run: Pick<Run, 'id'> & { readonly firstSeq: number },
  to: { readonly seq: number; readonly boundarySeq?: number },
): Promise<RunView> {
  const { boundarySeq } = to;
  const checkpoint = await store.findRecord(thread, 'checkpoint', run.id);
  const usable = checkpoint !== undefined && checkpoint.seq <= Math.min(to.seq, boundarySeq ?? to.seq);
  const view = usable ? decodeView(checkpoint.view) : emptyView(run.id);
  let at = usable ? checkpoint.seq : run.firstSeq - 1;
  let marked = boundarySeq === undefined;
  while (at < to.seq) {
    const page = await store.readEvents(thread, at, Math.min(pageSize, to.seq - at));
    if (page[0]?.seq !== at + 1) throw tooOld();
    for (const event of page) {
      if (!marked && boundarySeq !== undefined && event.seq > boundarySeq) {
        markBoundary(view);
        marked = true;
      }
      foldEvent(view, event);
      at = event.seq;
    }
  }
  if (!marked) markBoundary(view);
  const folded = view.seq - (usable ? checkpoint.seq : run.firstSeq);
  // Reads go on where writes are refused: a checkpoint only saves work.
  if (folded >= checkpointEvery && store.health().is === 'open') {
    await saveCheckpoint(store, thread, view).catch(() => undefined);
  }
  return view;
}

async function saveCheckpoint(store: Store, thread: ThreadKey, view: RunView): Promise<void> {
  const value = { seq: view.seq, view: encodeView(view) };
  await store.update(thread, (lane, found) => {
    if (lane === undefined) throw new Fault('not-found', 'no such thread');
    const known = found.find('checkpoint', view.runId);
    if (known !== undefined && known.seq >= value.seq) return { lane, writes: [], outcome: undefined };
    return { lane, writes: [{ op: 'put', kind: 'checkpoint', id: view.runId, value }], outcome: undefined };
  });
}

/** A page of a log. @throws Fault `not-found`, `cursor-expired`: beyond its head, or evicted */
export async function readLog(
  store: Store,
  thread: ThreadKey,
  after: number,
  limit: number,
): Promise<readonly RunEvent[]> {
  const lane = await store.findLane(thread);
  if (lane === undefined) throw new Fault('not-found', `no thread has the id ${thread.threadId}`);
  if (after > lane.head) throw new Fault('cursor-expired', 'the position is beyond the end of the log');
  const events = await store.readEvents(thread, after, limit);
  if (after < lane.head && events[0]?.seq !== after + 1) throw tooOld();
  return events;
}

/**
 * The run that was open at an event, or the last one before; undefined when none had begun. Looks back over what was
 * queued meanwhile.
 */
export async function findRunAt(store: Store, thread: ThreadKey, seq: number): Promise<RunId | undefined> {
  for (let last = seq; last > 0; last -= pageSize) {
    const after = Math.max(0, last - pageSize);
    const events = await store.readEvents(thread, after, last - after);
    const found = events.findLast(({ runId, attempt }) => runId !== undefined && attempt !== 0);
    if (found !== undefined) return found.runId;
    if (events[0]?.seq !== after + 1) throw tooOld();
  }
  return undefined;
}

function tooOld(): Fault {
  return new Fault('cursor-expired', 'the log does not go back that far');
}

/** The messages from the root to `headId`, oldest first. */
export async function readPath(store: Store, thread: ThreadKey, headId: MessageId | undefined): Promise<Message[]> {
  const path: Message[] = [];
  for (let id = headId; id !== undefined;) {
    const message = await store.findRecord(thread, 'message', id);
    if (message === undefined) throw new Fault('record-unreadable', `message ${id} is missing from the thread`);
    path.push(message);
    id = message.parentId;
  }
  return path.reverse();
}
