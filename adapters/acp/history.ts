// A thread's messages as `session/load` replays them: under the ids, and as the updates, that were told live.
// https://agentclientprotocol.com/protocol/v1/session-setup#loading-sessions
import type * as acp from '@agentclientprotocol/sdk';
import type { ItemId, RunId } from '../../schemas/id.ts';
import type { ToolCall } from '../../schemas/message.ts';
import { encodeMessage, type StoredMessage } from './messages.ts';
import { encodeResult } from './tool-calls.ts';

/** Of a thread's tool calls, which may still be answered. */
export interface OpenCalls {
  /** The run that is not over. */
  readonly runId?: RunId | undefined;
  /** Left to a client by the last run: its outcome's `pendingToolCalls`. */
  readonly pending?: readonly ItemId[] | undefined;
}

/** Oldest first; what later runs are not told is shown as well. A call that nothing will answer any more has failed. */
export function encodeHistory(messages: readonly StoredMessage[], open: OpenCalls = {}): acp.SessionUpdate[] {
  const answers = new Map(messages.map((message) => [message.toolCallId, message]));
  return messages.flatMap((message) =>
    encodeMessage(message, (call) => encodeStanding(call, message.runId, answers.get(call.id), open)),
  );
}

function encodeStanding(
  { id }: ToolCall,
  runId: RunId | undefined,
  answer: StoredMessage | undefined,
  open: OpenCalls,
): Pick<acp.ToolCall, 'status' | 'content' | 'rawOutput'> {
  if (answer !== undefined) return encodeResult(answer.parts, answer.error);
  if (open.pending?.includes(id) === true) return { status: 'pending' };
  if (runId !== undefined && runId === open.runId) return { status: 'in_progress' };
  return encodeResult([], notAnswered);
}

export const notAnswered = 'It was not answered.';
