import type { Change } from './engine.ts';
import type { EventChunk } from './event-chunk.ts';
import type { LaneIndex } from './lane-index.ts';
import { toSafeKey } from './safe-key.ts';

/**
 * Changes as lines of fields parted by tabs; the last field is JSON text where there is one. No field contains a control
 * character: JSON escapes them, safe keys have none of these two.
 *
 *     created   thread scope name
 *     lane      thread moves wakeAtMs readyAtMs readyActor held JSON
 *     put       thread kind id JSON
 *     remove    thread kind id
 *     events    thread first last firstAtMs lastAtMs JSON
 *     drop      thread
 */
export interface RedoSink {
  created(thread: number, scope: string, name: string): void;
  /** `moves`: what is ready or due changes with it. The actor in `index` is a safe key, as all names here are. */
  lane(thread: number, text: string, index: LaneIndex, moves: boolean): void;
  put(thread: number, kind: string, id: string, text: string): void;
  remove(thread: number, kind: string, id: string): void;
  events(thread: number, chunk: EventChunk): void;
  drop(thread: number): void;
}

export function encodeRedo(changes: readonly Change[]): string {
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
export function decodeRedo(lines: string, sink: RedoSink): void {
  let at = 0;
  while (at < lines.length) {
    const end = lines.indexOf('\n', at);
    if (end === -1) throw new Error('a line of the redo log has no end');
    decodeLine(lines.slice(at, end).split('\t'), sink);
    at = end + 1;
  }
}

function decodeLine(fields: readonly string[], sink: RedoSink): void {
  const [what = '', id = '', a = '', b = '', c = '', d = '', e = '', text = ''] = fields;
  const thread = Number(id);
  switch (what) {
    case 'created':
      sink.created(thread, a, b);
      return;
    case 'lane': {
      const ready = c === '' ? undefined : { atMs: Number(c), actor: d };
      sink.lane(thread, text, { wakeAtMs: numberOf(b), ready, held: e === '1' }, a === '1');
      return;
    }
    case 'put':
      sink.put(thread, a, b, c);
      return;
    case 'remove':
      sink.remove(thread, a, b);
      return;
    case 'events':
      sink.events(thread, { first: Number(a), last: Number(b), firstAtMs: Number(c), lastAtMs: Number(d), text: e });
      return;
    case 'drop':
      sink.drop(thread);
      return;
    default:
      throw new Error(`the redo log has a line of an unknown kind: ${what}`);
  }
}

function numberOf(field: string): number | undefined {
  return field === '' ? undefined : Number(field);
}
