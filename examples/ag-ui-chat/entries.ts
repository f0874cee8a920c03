// What a conversation shows, in order. A tool's result and its progress belong to its call, wherever they are in the list.
import { type ActivityMessage, contentToText, type Message, type ToolCall } from '@ag-ui/client';

export interface PlanEntry {
  readonly content: string;
  readonly status: 'pending' | 'in_progress' | 'completed';
}

/** `key` is the same for as long as the entry is there. */
export type Entry = { readonly key: string } & (
  | { readonly is: 'text'; readonly from: 'you' | 'agent'; readonly text: string }
  | { readonly is: 'reasoning'; readonly text: string }
  | CallEntry
  | { readonly is: 'plan'; readonly entries: readonly PlanEntry[] }
  | { readonly is: 'artifact'; readonly name: string; readonly text: string; readonly isComplete: boolean }
  | { readonly is: 'activity'; readonly type: string; readonly content: string }
);

export interface CallEntry {
  readonly is: 'call';
  readonly name: string;
  readonly args: string;
  readonly progress: string;
  /** Undefined while there is none. */
  readonly result: { readonly text: string; readonly isError: boolean } | undefined;
}

export function entriesOf(messages: readonly Message[]): Entry[] {
  const entries: Entry[] = [];
  for (const message of messages) {
    switch (message.role) {
      case 'user':
        entries.push({ key: message.id, is: 'text', from: 'you', text: contentToText(message.content) });
        break;
      case 'assistant': {
        const text = message.content ?? '';
        if (text !== '') entries.push({ key: message.id, is: 'text', from: 'agent', text });
        for (const call of message.toolCalls ?? []) entries.push(callEntry(call, messages));
        break;
      }
      case 'reasoning':
        // One that the agent took back is empty.
        if (message.content !== '') entries.push({ key: message.id, is: 'reasoning', text: message.content });
        break;
      case 'activity':
        entries.push(...activityEntries(message));
        break;
      case 'tool':
      case 'system':
      case 'developer':
        break;
    }
  }
  return entries;
}

function callEntry(call: ToolCall, messages: readonly Message[]): Entry {
  const result = messages.find((message) => message.role === 'tool' && message.toolCallId === call.id);
  const progress = messages.find(
    (message) => message.role === 'activity' && isProgress(message) && message.content['toolCallId'] === call.id,
  );
  return {
    key: call.id,
    is: 'call',
    name: call.function.name,
    args: call.function.arguments,
    progress: progress?.role === 'activity' ? String(progress.content['status'] ?? '') : '',
    result:
      result?.role === 'tool'
        ? { text: result.error ?? contentToText(result.content), isError: result.error !== undefined }
        : undefined,
  };
}

function isProgress({ activityType }: ActivityMessage): boolean {
  return activityType === 'anyport:tool';
}

/** None for what the agent took back, which is empty. */
function activityEntries(message: ActivityMessage): Entry[] {
  const { id: key, activityType, content } = message;
  switch (activityType) {
    case 'anyport:tool':
      return [];
    case 'anyport:plan': {
      const entries = content['entries'] as PlanEntry[];
      return entries.length === 0 ? [] : [{ key, is: 'plan', entries }];
    }
    case 'anyport:artifact': {
      const { name, parts, isComplete } = content as Artifact;
      const text = parts.map((part) => part.text ?? `[${part.type}]`).join('');
      return parts.length === 0 ? [] : [{ key, is: 'artifact', name: name ?? 'Artifact', text, isComplete }];
    }
    default:
      return [{ key, is: 'activity', type: activityType, content: JSON.stringify(content, null, 2) }];
  }
}

interface Artifact {
  readonly name?: string;
  readonly parts: readonly { readonly type: string; readonly text?: string }[];
  readonly isComplete: boolean;
}
