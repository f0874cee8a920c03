import { type Message as WireMessage, Role } from '@a2a-js/sdk';
import type { JsonObject } from '../../schemas/json.ts';
import type { Message, MessageInput } from '../../schemas/message.ts';
import { encodePart } from './parts.ts';

/** Under which a message keeps what A2A says of it and the gateway has no word for. */
export const a2aKey = 'a2a';

export interface TaskName {
  readonly taskId: string;
  readonly contextId: string;
}

/** A message of the thread as the task's history tells it; undefined for what is no part of the exchange. */
export function encodeMessage(
  message: Pick<Message, 'id' | 'clientId' | 'role' | 'parts' | 'metadata'>,
  { taskId, contextId }: TaskName,
): WireMessage | undefined {
  const { role, parts } = message;
  if (role !== 'user' && role !== 'assistant') return undefined;
  const { [a2aKey]: ours, ...metadata } = message.metadata ?? {};
  const kept = (ours ?? {}) as { extensions?: string[]; referenceTaskIds?: string[] };
  return {
    messageId: message.clientId ?? message.id,
    contextId,
    taskId,
    role: role === 'user' ? Role.ROLE_USER : Role.ROLE_AGENT,
    parts: parts.map(encodePart),
    metadata: Object.keys(metadata).length > 0 ? metadata : undefined,
    extensions: kept.extensions ?? [],
    referenceTaskIds: kept.referenceTaskIds ?? [],
  };
}

/** What waits to be taken is of the history as well. */
export function encodeInput(message: MessageInput, id: string, name: TaskName): WireMessage | undefined {
  return encodeMessage({ ...message, id, clientId: message.id }, name);
}

export function agentMessage(
  messageId: string,
  { taskId, contextId }: TaskName,
  parts: WireMessage['parts'],
  metadata?: JsonObject,
): WireMessage {
  return {
    messageId,
    contextId,
    taskId,
    role: Role.ROLE_AGENT,
    parts,
    metadata,
    extensions: [],
    referenceTaskIds: [],
  };
}
