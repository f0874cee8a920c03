import type { ThreadKey } from '../../schemas/id.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import { Fault } from '../fault.ts';

/** What a thread keeps is named by kind and id: a record's own, `lane` with '', or `event` with its first number. */
export interface TextName {
  readonly thread: ThreadKey;
  readonly kind: string;
  readonly id: string;
}

/** What a stored text says. @throws Fault `record-unreadable` unless it is a JSON object */
export function parseObject(text: string, name: TextName): object {
  const value = parse(text, name);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unreadable(name, 'it is no object');
  return value;
}

/** The events of one stored chunk. @throws Fault `record-unreadable` unless it is a JSON array */
export function parseEvents(text: string, name: TextName): RunEvent[] {
  const value = parse(text, name);
  if (!Array.isArray(value)) throw unreadable(name, 'it is no list');
  return value as RunEvent[];
}

function parse(text: string, name: TextName): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unreadable(name, 'it is no JSON', cause);
  }
}

export function unreadable({ thread, kind, id }: TextName, why: string, cause?: unknown): Fault {
  const what = `${kind} ${JSON.stringify(id)} of thread ${JSON.stringify(thread.threadId)}`;
  return new Fault(
    'record-unreadable',
    `the stored ${what} in scope ${JSON.stringify(thread.scope)} cannot be read: ${why}`,
    {
      cause,
    },
  );
}
