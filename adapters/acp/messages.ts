// Messages as updates of a session. https://agentclientprotocol.com/protocol/v1/prompt-turn#3-agent-reports-output
import type * as acp from '@agentclientprotocol/sdk';
import * as z from 'zod';
import type { MessageId } from '../../schemas/id.ts';
import type { Message, Role, ToolCall } from '../../schemas/message.ts';
import type { Part } from '../../schemas/part.ts';
import { PlanEntry } from '../../schemas/run-event.ts';
import { encodePart } from './parts.ts';
import { encodeArgs } from './tool-calls.ts';

/** A message as views have it, recorded or not. */
export type StoredMessage = Omit<Message, 'seq'>;

export type Speaker = 'user_message_chunk' | 'agent_message_chunk' | 'agent_thought_chunk';

/** Who says what a message holds; undefined: it is not part of the conversation that people see. */
export const speakers = {
  user: 'user_message_chunk',
  assistant: 'agent_message_chunk',
  reasoning: 'agent_thought_chunk',
  system: undefined,
  developer: undefined,
  tool: undefined,
  activity: undefined,
} as const satisfies Record<Role, Speaker | undefined>;

export function textChunk(sessionUpdate: Speaker, messageId: MessageId, text: string): acp.SessionUpdate {
  return { sessionUpdate, content: { type: 'text', text }, messageId };
}

/** None for what says nothing: empty text, and what only another client can show. */
export function encodeChunks(
  sessionUpdate: Speaker,
  messageId: MessageId,
  parts: readonly Part[],
): acp.SessionUpdate[] {
  return parts.flatMap((part): acp.SessionUpdate[] => {
    const content = part.type === 'text' && part.text === '' ? undefined : encodePart(part);
    return content === undefined ? [] : [{ sessionUpdate, content, messageId }];
  });
}

/** What a message tells by itself; a tool's message belongs to its call. `resultOf`: how a call of it stands. */
export function encodeMessage(
  message: StoredMessage,
  resultOf: (call: ToolCall) => Pick<acp.ToolCall, 'status' | 'content' | 'rawOutput'>,
): acp.SessionUpdate[] {
  const { id, role, parts, toolCalls = [], activity } = message;
  const speaker = speakers[role];
  if (speaker !== undefined) {
    const calls = toolCalls.map((call) => ({ ...encodeCall(call), ...resultOf(call) }));
    return [...encodeChunks(speaker, id, parts), ...calls];
  }
  switch (activity?.shows) {
    case 'artifact':
      return encodeChunks('agent_message_chunk', id, parts);
    case 'plan':
      return encodePlan(parts);
    case 'activity':
    case undefined:
      return [];
  }
}

function encodeCall({ id: toolCallId, name, args }: ToolCall): acp.SessionUpdate & { sessionUpdate: 'tool_call' } {
  return { sessionUpdate: 'tool_call', toolCallId, title: name, name, kind: 'other', rawInput: encodeArgs(args) };
}

function encodePlan([part]: readonly Part[]): acp.SessionUpdate[] {
  const entries = z.array(PlanEntry).safeParse(part?.type === 'data' ? part.json : undefined);
  return entries.success ? [{ sessionUpdate: 'plan', entries: entries.data }] : [];
}
