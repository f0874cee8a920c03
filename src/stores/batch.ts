import type { Scope } from '../../schemas/id.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import { Fault } from '../fault.ts';
import { claimOf, type Lane } from '../lane/lane.ts';
import type { Found, RecordKind, Records, Write } from '../lane/records.ts';
import type { AppendCall, Call, UpdateCall, Verdict } from './call.ts';
import type { Change, Engine, LaneChange, RecordChange } from './engine.ts';
import { chunksOf, type EventChunk } from './event-chunk.ts';
import { filedIn } from './filed.ts';
import { blankIndex, indexOf, isFoundAlike } from './lane-index.ts';
import { parseObject } from './record-text.ts';
import type { Appended, CachedThread, ThreadImage } from './thread-cache.ts';

/** A batch that has grown this large is committed before more is decided. */
const maxBatchChars = 1024 * 1024;

export interface BatchOptions {
  readonly clockMs: number;
  /** Given each lane that will be shown to others. */
  readonly protect: (lane: Lane) => void;
}

/**
 * Calls of one thread that are decided in order, each on top of what the earlier ones write, and committed together.
 * It lives from the first decision to the end of its commit.
 */
export class Batch implements Found {
  readonly thread: CachedThread;
  /** What is to be told once the changes are durable; at once where there are none. */
  readonly calls: Call[] = [];
  readonly changes: Change[] = [];
  /** What the thread will be once this is committed. */
  image: ThreadImage;
  chars = 0;
  /** Set once the thread was dropped: what was recent before is another thread's. */
  #isAnew = false;
  readonly #engine: Engine;
  readonly #options: BatchOptions;
  #pending: PendingChange;
  /** Records this batch has written, by kind and id: what later calls of it find. */
  #overlay: Map<string, string | undefined> | undefined;

  constructor(thread: CachedThread, image: ThreadImage, engine: Engine, options: BatchOptions) {
    this.thread = thread;
    this.image = image;
    this.#engine = engine;
    this.#options = options;
    this.#pending = new PendingChange();
  }

  /** Decides as many of the thread's calls as fit into one commit. */
  decideCalls(): void {
    const { calls } = this.thread;
    const { length } = calls;
    if (length > 1) this.#overlay = new Map();
    let next = 0;
    while (next < length && this.chars < maxBatchChars) {
      const call = calls[next++] as Call;
      call.verdict = this.#verdictOn(call);
      this.calls.push(call);
    }
    this.thread.calls = next === calls.length ? [] : calls.slice(next);
    this.#closeChange();
  }

  find<Kind extends RecordKind>(kind: Kind, id: string): Records[Kind] | undefined {
    const { stored } = this.image;
    if (stored === undefined) return undefined;
    const recent = this.#findWritten(kind, id) ?? (this.#isAnew ? undefined : this.thread.recent.find(kind, id));
    const text = recent === undefined ? this.#engine.readRecord(stored, kind, id) : recent.text;
    return text === undefined ? undefined : (parseObject(text, { thread: stored.key, kind, id }) as Records[Kind]);
  }

  /** What an earlier call of this batch has made of a record. */
  #findWritten(kind: string, id: string): { readonly text: string | undefined } | undefined {
    const name = `${kind}\t${id}`;
    return this.#overlay?.has(name) === true ? { text: this.#overlay.get(name) } : undefined;
  }

  #verdictOn(call: Call): Verdict {
    try {
      return { is: 'outcome', value: call.is === 'update' ? this.#update(call) : this.#append(call) };
    } catch (fault) {
      return { is: 'refused', fault };
    }
  }

  #update(call: UpdateCall): unknown {
    const before = this.#laneNow();
    const step = call.decide(before, this, this.#nowMs());
    if (step.lane === before && step.writes.length === 0) return step.outcome;
    if (step.writes.some((write) => write.op === 'drop')) this.#drop(step.writes);
    else this.#write(before, step.lane, step.writes);
    return step.outcome;
  }

  /** All that can go wrong with a step goes wrong before any of it counts. */
  #write(before: Lane | undefined, lane: Lane, writes: readonly Write[]): void {
    const { image, thread } = this;
    const records: RecordChange[] = [];
    const events: RunEvent[] = [];
    for (const write of writes) {
      if (write.op === 'put') records.push(putOf(write, thread.key.scope));
      else if (write.op === 'remove') {
        records.push({ kind: write.kind, id: write.id, text: undefined, filed: undefined });
      } else if (write.op === 'event') events.push(write.event);
    }
    assertNumbered(image.head, events, lane);
    if (lane.scope !== thread.key.scope || lane.threadId !== thread.key.threadId) {
      throw new Fault('internal', 'a step returned the lane of another thread');
    }
    const index = lane === before ? image.index : indexOf(lane);
    const laneChange =
      lane === before ? undefined : { text: textOf(lane), index, moves: !isFoundAlike(image.index, index) };
    const chunks = chunksOf(events);
    if (laneChange !== undefined) this.#options.protect(lane);
    this.#add(records, chunks, laneChange);
    const last = events.at(-1);
    this.image = {
      ...this.image,
      lane,
      laneChars: laneChange?.text.length ?? image.laneChars,
      index,
      head: last?.seq ?? image.head,
      lastMs: last?.atMs ?? image.lastMs,
    };
  }

  #drop(writes: readonly Write[]): void {
    const { stored } = this.image;
    if (writes.length > 1) throw new Fault('internal', 'a step that drops its thread writes nothing else');
    if (stored === undefined) return;
    this.#closeChange();
    this.#overlay?.clear();
    this.#isAnew = true;
    this.changes.push({ is: 'drop', thread: stored });
    this.image = absent;
  }

  #append(call: AppendCall): { first: number; last: number } {
    const { claim, ordinal, entries } = call;
    const { image } = this;
    assertHeld(image.lane, claim);
    const appended: Appended =
      image.appended?.token === claim.token ? image.appended : { ...unused, token: claim.token };
    if (ordinal === appended.ordinal) return { first: appended.first, last: appended.last };
    if (ordinal !== appended.ordinal + 1) {
      throw new Fault('internal', `append ${ordinal} of a claim follows its append ${appended.ordinal}`);
    }
    const { runId, attempt, token, thread } = claim;
    const first = image.head + 1;
    const envelope = { atMs: this.#nowMs(), threadId: thread.threadId, runId, attempt, token };
    const events = entries.map((entry, at): RunEvent => ({ seq: first + at, ...envelope, ...entry }));
    const last = image.head + events.length;
    this.#add([], chunksOf(events), undefined);
    const lastMs = events.length === 0 ? image.lastMs : envelope.atMs;
    this.image = { ...image, head: last, lastMs, appended: { token, ordinal, first, last } };
    return { first, last };
  }

  /** The lane as decided so far. Appends have moved its head on without writing it. */
  #laneNow(): Lane | undefined {
    const { lane, head } = this.image;
    if (lane === undefined || lane.head === head) return lane;
    const moved = { ...lane, head };
    this.#options.protect(moved);
    this.image = { ...this.image, lane: moved };
    return moved;
  }

  #nowMs(): number {
    const { lane, lastMs } = this.image;
    return Math.max(this.#options.clockMs, lane?.lastMs ?? 0, lastMs);
  }

  #add(records: readonly RecordChange[], chunks: readonly EventChunk[], lane: LaneChange | undefined): void {
    let { stored } = this.image;
    if (stored === undefined) {
      stored = this.#engine.newThread(this.thread.key);
      this.image = { ...this.image, stored };
      this.#pending.created = true;
    }
    this.#pending.lane = mergeLanes(this.#pending.lane, lane);
    for (const record of records) {
      this.#pending.records.push(record);
      this.#overlay?.set(`${record.kind}\t${record.id}`, record.text);
      this.chars += record.text?.length ?? 0;
    }
    for (const chunk of chunks) {
      this.#pending.chunks.push(chunk);
      this.chars += chunk.text.length;
    }
    this.chars += lane?.text.length ?? 0;
  }

  #closeChange(): void {
    const { stored } = this.image;
    const { created, lane, records, chunks } = this.#pending;
    if (stored === undefined || (lane === undefined && records.length === 0 && chunks.length === 0)) return;
    this.changes.push({ is: 'turns', thread: stored, created, lane, records, chunks });
    this.#pending = new PendingChange();
  }
}

/** A change as it grows. */
class PendingChange {
  created = false;
  lane: LaneChange | undefined = undefined;
  readonly records: RecordChange[] = [];
  readonly chunks: EventChunk[] = [];
}

export const absent: ThreadImage = {
  stored: undefined,
  lane: undefined,
  laneChars: 0,
  index: blankIndex,
  head: 0,
  lastMs: 0,
  appended: undefined,
};

const unused = { ordinal: 0, first: 0, last: 0 };

function mergeLanes(earlier: LaneChange | undefined, later: LaneChange | undefined): LaneChange | undefined {
  if (earlier === undefined || later === undefined) return later ?? earlier;
  return { ...later, moves: earlier.moves || later.moves };
}

function assertNumbered(head: number, events: readonly RunEvent[], lane: Lane): void {
  let last = head;
  for (const event of events) {
    last += 1;
    if (event.seq !== last)
      throw new Fault('internal', `a step numbered an event ${event.seq} where ${last} comes next`);
  }
  if (lane.head !== last)
    throw new Fault('internal', `a step left its lane's head at ${lane.head} where it is ${last}`);
}

function assertHeld(lane: Lane | undefined, claim: AppendCall['claim']): void {
  const holder = lane === undefined ? undefined : claimOf(lane);
  if (lane?.open?.runId !== claim.runId)
    throw new Fault('claim-lost', 'the run is no longer the open one of its thread');
  if (holder === undefined) throw new Fault('claim-lost', 'the run is no longer claimed');
  if (holder.token !== claim.token) throw new Fault('claim-lost', 'the run was taken over by another claim');
}

function putOf({ kind, id, value }: Extract<Write, { op: 'put' }>, scope: Scope): RecordChange {
  return { kind, id, text: textOf(value), filed: filedIn(scope, kind, value) };
}

function textOf(value: object): string {
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) throw new Fault('internal', 'a step wrote a value that is no JSON');
  return text;
}
