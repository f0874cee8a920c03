// What AG-UI has no event for is shown as an activity: structured progress that stays with the client.
// https://docs.ag-ui.com/spec/1.0/events/activity
import { EventType, type JsonPatchOperation } from '@ag-ui/core';
import type { ItemId } from '../../schemas/id.ts';
import type { JsonPatch } from '../../schemas/json.ts';
import type { Fold, ShownActivity } from './fold.ts';
import { extras, type Tagged } from './items.ts';
import { artifactType } from './messages.ts';

interface Activity extends ShownActivity {
  readonly id: string;
}

export function toolActivity(toolCallId: ItemId): Activity {
  const id = `${toolCallId}:progress`;
  return { item: toolCallId, id, activityType: 'anyport:tool', empty: { toolCallId, output: [] } };
}

export function artifactActivity(id: ItemId): Activity {
  return { item: id, id, activityType: artifactType, empty: { parts: [], isComplete: false } };
}

export function pushActivity(
  fold: Fold,
  event: Tagged,
  activity: Activity,
  content: ShownActivity['empty'],
  replace?: boolean,
): void {
  const { id, activityType } = activity;
  fold.activities.set(id, activity);
  const subagentRunId = fold.ownerOf(id, event.subagentId);
  fold.holdActivity(id, activityType, content, replace);
  const shown = { messageId: id, activityType, content, replace };
  fold.push({ type: EventType.ACTIVITY_SNAPSHOT, ...shown, subagentRunId, ...extras(event) });
}

/** Changes an activity. One that this stream has not shown may be with the client from an earlier one, and then stays. */
export function patchActivity(fold: Fold, event: Tagged, activity: Activity, patch: JsonPatchOperation[]): void {
  const { id: messageId, item, activityType, empty } = activity;
  if (!fold.activities.has(messageId)) pushActivity(fold, event, activity, empty, fold.discarded.has(item));
  fold.changeActivity(messageId, patch);
  fold.push({ type: EventType.ACTIVITY_DELTA, messageId, activityType, patch });
}

/** The given members, as a patch that sets them. */
export function setting(members: Readonly<Record<string, unknown>>): JsonPatchOperation[] {
  return Object.entries(members).flatMap(([key, value]) =>
    value === undefined ? [] : [{ op: 'add', path: `/${key}`, value }],
  );
}

/** A message snapshot without activities leaves them with the client, so each is emptied by itself. */
export function discardActivities(fold: Fold, items: ReadonlySet<ItemId>): void {
  for (const [messageId, { item, activityType, empty }] of fold.activities) {
    if (!items.has(item)) continue;
    fold.activities.delete(messageId);
    fold.holdActivity(messageId, activityType, empty, true);
    fold.push({ type: EventType.ACTIVITY_SNAPSHOT, messageId, activityType, content: empty });
  }
}

const pointer = /^(?:\/(?:[^/~]|~[01])*)*$/;

/** What AG-UI takes for a JSON Patch; a client fails the run at anything else. */
export function isWirePatch(patch: JsonPatch): patch is JsonPatch & JsonPatchOperation[] {
  return patch.every(({ op, path, from, value }) => {
    if (!pointer.test(path)) return false;
    switch (op) {
      case 'add':
      case 'replace':
      case 'test':
        return value !== undefined;
      case 'move':
      case 'copy':
        return from !== undefined && pointer.test(from);
      case 'remove':
        return true;
    }
  });
}
