import type { Change } from './engine.ts';
import type { EventChunk } from './event-chunk.ts';
import type { LaneIndex } from './lane-index.ts';
import { toSafeKey } from './safe-key.ts';

/**
 * Takes changes one by one. In the text that goes to the writer, and into its redo log, each is a line of fields parted by
 * tabs; the last is JSON where there is some. No field contains a control character: JSON escapes them, and of safe keys
 * only the escape itself is one.
 *
 *     created   thread scope name, before the thread's first lane
 *     lane      thread moves wakeAtMs readyAtMs readyActor held JSON
 *     put       thread kind id JSON
 *     remove    thread kind id
 *     events    thread first last firstAtMs lastAtMs JSON
 *     drop      thread
 */
export interface ChangeSink {
  created(thread: number, scope: string, name: string): void;
  /** `moves`: what is ready or due changes with it. The actor in `index` is a safe key, as all names here are. */
  lane(thread: number, text: string, index: LaneIndex, moves: boolean): void;
  put(thread: number, kind: string, id: string, text: string): void;
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
    for (const { kind, id: record, text } of change.records) {
      const name = `${id}\t${kind}\t${toSafeKey(record)}`;
      lines += text === undefined ? `remove\t${name}\n` : `put\t${name}\t${text}\n`;
    }
    for (const { first, last, firstAtMs, lastAtMs, text } of change.chunks) {
      lines += `events\t${id}\t${first}\t${last}\t${firstAtMs}\t${lastAtMs}\t${text}\n`;
    }
  }
  return lines;
}

function encodeLane(
  id: number,
  lane: { readonly text: string; readonly index: LaneIndex; readonly moves: boolean },
): string {
  const { wakeAtMs, ready, held } = lane.index;
  const actor = ready === undefined ? '' : toSafeKey(ready.actor);
  const found = `${lane.moves ? 1 : 0}\t${wakeAtMs ?? ''}\t${ready?.atMs ?? ''}\t${actor}\t${held ? 1 : 0}`;
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
      const index = { wakeAtMs: wakeAtMs === '' ? undefined : Number(wakeAtMs), ready, held: held === '1' };
      sink.lane(thread, fields.last(), index, moves);
      return;
    }
    case 'put':
      sink.put(fields.number(), fields.next(), fields.next(), fields.last());
      return;
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
