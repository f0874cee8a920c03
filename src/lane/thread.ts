import type { JsonObject } from '../../schemas/json.ts';
import type { Thread } from '../../schemas/thread.ts';
import { Fault } from '../fault.ts';
import type { Command, Outcomes } from './command.ts';
import { patchedFields, waitingOn } from './lane.ts';
import { addAlias } from './reconcile.ts';
import type { Turn } from './turn.ts';

/** Makes the thread. One that is there already and was made of the same is found. */
export function create(turn: Turn, command: Command<'create'>, isNew: boolean): Outcomes['create'] {
  const { thread, messages, blobs } = command;
  if (!isNew) {
    const { createdAtMs: _, ...known } = turn.get('thread', '');
    if (JSON.stringify(sorted(known)) === JSON.stringify(sorted(thread))) return { was: 'repeated' };
    throw new Fault('request-conflict', `there is a thread of the name ${thread.id} already`, { path: 'id' });
  }
  const { lane } = turn;
  turn.put('thread', '', { ...thread, createdAtMs: lane.lastMs });
  for (const { id, data } of blobs) turn.put('blob', id, { data });
  for (const message of messages) {
    lane.messages += 1;
    turn.put('message', message.id, { ...message, seq: lane.messages, parentId: lane.headId });
    if (message.clientId !== undefined) addAlias(turn, message.clientId, message.id);
    lane.headId = message.id;
  }
  return { was: 'created' };
}

/** Changes what is said of the thread; followers are told of what an agent could have changed too. */
export function patch(turn: Turn, { patch: wanted }: Command<'patch'>): Outcomes['patch'] {
  const thread = turn.get('thread', '');
  const { title, workspace, settings: change, metadata } = wanted;
  const mode = change?.mode === undefined ? thread.settings.mode : (change.mode ?? undefined);
  const settings = { mode, options: merge(thread.settings.options, change?.options) };
  const patched: Thread = {
    ...thread,
    title: title === undefined ? thread.title : (title ?? undefined),
    workspace: workspace ?? thread.workspace,
    settings,
    metadata: merge(thread.metadata, metadata),
  };
  const isNew = JSON.stringify(patched) !== JSON.stringify(thread);
  if (isNew) turn.put('thread', '', patched);
  const { open, head } = turn.lane;
  const named = patchedFields.filter((field) => wanted[field] !== undefined);
  // What an open run has changed becomes the thread's when it ends: what is as it was may have to stay so.
  const isSaid = open === undefined || named.every((field) => open.patched?.[field] === head);
  if (named.length === 0 || (!isNew && isSaid)) return {};
  const seq = turn.event({
    type: 'thread.changed',
    title: title === undefined ? undefined : (title ?? ''),
    workspace,
    settings: change === undefined ? undefined : settings,
  });
  if (open !== undefined) {
    turn.setOpen({ patched: { ...open.patched, ...Object.fromEntries(named.map((field) => [field, seq])) } });
  }
  return {};
}

/** Removes the thread and all that belongs to it. @throws Fault `run-conflict` */
export function remove(turn: Turn, { force }: Command<'remove'>): Outcomes['remove'] {
  const { lane } = turn;
  if (!force && (lane.open !== undefined || waitingOn(lane) > 0)) {
    throw new Fault('run-conflict', `the thread is busy: cancel what is on it first, or force its removal`);
  }
  turn.drop();
  return {};
}

/** RFC 7396 on objects of one level of ours; below, as the RFC says. https://www.rfc-editor.org/rfc/rfc7396 */
function merge(target: JsonObject, change: JsonObject | undefined): JsonObject {
  const merged = new Map(Object.entries(target));
  for (const [key, value] of Object.entries(change ?? {})) {
    if (value === null) merged.delete(key);
    else merged.set(key, isObject(value) ? merge(asObject(merged.get(key)), value) : value);
  }
  return Object.fromEntries(merged);
}

function asObject(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The same members in one order; absent ones and undefined ones alike. */
function sorted(value: object): [string, unknown][] {
  return Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}
