import type { Change, LaneChange, RecordChange } from './engine.ts';
import type { EventChunk } from './event-chunk.ts';
import type { Filed } from './filed.ts';
import type { LaneIndex } from './lane-index.ts';
import { toSafeKey } from './safe-key.ts';

/**
 * Takes changes one by one. In the text that goes to the writer, and into its redo log, each is a line of fields parted by
 * tabs; the last is JSON where there is some. No field contains a control character: JSON escapes them, and of safe keys
 * only the escape itself is one.
 *
 *     created   thread scope name, before the thread's first lane
 *     lane      thread moves wakeAtMs readyAtMs readyActor held waiting JSON
 *     put       thread kind id JSON
 *     file      thread kind id scope key label JSON, puts a record that is listed
 *     remove    thread kind id
 *     events    thread first last firstAtMs lastAtMs JSON
 *     drop      thread
 */
export interface ChangeSink {
  created(thread: number, scope: string, name: string): void;
  /** `moves`: what is ready or due changes with it. The actor in `index` is a safe key, as all names here are. */
  lane(thread: number, text: string, index: LaneIndex, moves: boolean): void;
  /** `filed`: safe keys, too. */
  put(thread: number, kind: string, id: string, text: string, filed: Filed | undefined): void;
  remove(thread: number, kind: string, id: string): void;
  events(thread: number, chunk: EventChunk): void;
  drop(thread: number): void;
}

export function encodeChanges(changes: readonly Change[]): string {
  let lines = '';
  for (const change of changes) {
    const { id, key } = change.thread;
    if (change.is === 'drop') {
      lines += `drop\t${id}\n`;
      continue;
    }
    if (change.created) lines += `created\t${id}\t${toSafeKey(key.scope)}\t${toSafeKey(key.threadId)}\n`;
    if (change.lane !== undefined) lines += encodeLane(id, change.lane);
    for (const record of change.records) lines += encodeRecord(id, record);
    for (const { first, last, firstAtMs, lastAtMs, text } of change.chunks) {
      lines += `events\t${id}\t${first}\t${last}\t${firstAtMs}\t${lastAtMs}\t${text}\n`;
    }
  }
  return lines;
}

function encodeRecord(thread: number, { kind, id, text, filed }: RecordChange): string {
  const name = `${thread}\t${kind}\t${toSafeKey(id)}`;
  if (text === undefined) return `remove\t${name}\n`;
  if (filed === undefined) return `put\t${name}\t${text}\n`;
  const { scope, key, label } = filed;
  return `file\t${name}\t${toSafeKey(scope)}\t${toSafeKey(key)}\t${toSafeKey(label)}\t${text}\n`;
}

function encodeLane(id: number, lane: LaneChange): string {
  const { wakeAtMs, ready, held, waiting } = lane.index;
  const actor = ready === undefined ? '' : toSafeKey(ready.actor);
  const found = `${lane.moves ? 1 : 0}\t${wakeAtMs ?? ''}\t${ready?.atMs ?? ''}\t${actor}\t${held ? 1 : 0}\t${waiting}`;
  return `lane\t${id}\t${found}\t${lane.text}\n`;
}

/** @throws Error where a line is not of this form */
export function decodeChanges(lines: string, sink: ChangeSink): void {
  const fields = new Fields(lines);
  while (!fields.isAtEnd) decodeLine(fields, sink);
}

function decodeLine(fields: Fields, sink: ChangeSink): void {
  const what = fields.next();
  switch (what) {
    case 'created':
      sink.created(fields.number(), fields.next(), fields.last());
      return;
    case 'lane': {
      const thread = fields.number();
      const moves = fields.next() === '1';
      const [wakeAtMs, readyAtMs, actor, held] = [fields.next(), fields.next(), fields.next(), fields.next()];
      const ready = readyAtMs === '' ? undefined : { atMs: Number(readyAtMs), actor };
      const index = {
        wakeAtMs: wakeAtMs === '' ? undefined : Number(wakeAtMs),
        ready,
        held: held === '1',
        waiting: fields.number(),
      };
      sink.lane(thread, fields.last(), index, moves);
      return;
    }
    case 'put':
      sink.put(fields.number(), fields.next(), fields.next(), fields.last(), undefined);
      return;
    case 'file': {
      const [thread, kind, id] = [fields.number(), fields.next(), fields.next()];
      const filed = { scope: fields.next(), key: fields.next(), label: fields.next() };
      sink.put(thread, kind, id, fields.last(), filed);
      return;
    }
    case 'remove':
      sink.remove(fields.number(), fields.next(), fields.last());
      return;
    case 'events': {
      const thread = fields.number();
      const [first, last, firstAtMs] = [fields.number(), fields.number(), fields.number()];
      sink.events(thread, { first, last, firstAtMs, lastAtMs: fields.number(), text: fields.last() });
      return;
    }
    case 'drop':
      sink.drop(Number(fields.last()));
      return;
    default:
      throw new Error(`a line of changes is of an unknown kind: ${what}`);
  }
}

/** Walks over fields; no line is copied to be split. */
class Fields {
  readonly #lines: string;
  #at = 0;

  constructor(lines: string) {
    this.#lines = lines;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#lines.length;
  }

  next(): string {
    return this.#upTo('\t');
  }

  number(): number {
    return Number(this.#upTo('\t'));
  }

  last(): string {
    return this.#upTo('\n');
  }

  #upTo(end: '\t' | '\n'): string {
    const start = this.#at;
    const at = this.#lines.indexOf(end, start);
    if (at === -1) throw new Error('a line of changes has no end');
    this.#at = at + 1;
    return this.#lines.slice(start, at);
  }
}
