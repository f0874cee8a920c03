import type * as acp from '@agentclientprotocol/sdk';
import { assertValid } from './acp-schema.ts';

export interface ShownCall {
  status: string;
  content: readonly acp.ToolCallContent[];
  rawInput: unknown;
}

/** What a client shows of the updates of a session. It takes none that ACP v1 does not allow where it comes. */
export class Screen {
  /** By messageId: who speaks, and the blocks; text that follows text is one. */
  readonly messages = new Map<string, { readonly said: string; readonly blocks: acp.ContentBlock[] }>();
  readonly calls = new Map<string, ShownCall>();
  plan: readonly acp.PlanEntry[] = [];

  constructor(updates: readonly acp.SessionUpdate[] = []) {
    for (const update of updates) this.take(update);
  }

  take(update: acp.SessionUpdate): void {
    assertValid('SessionNotification', { sessionId: 's', update });
    switch (update.sessionUpdate) {
      case 'user_message_chunk':
      case 'agent_message_chunk':
      case 'agent_thought_chunk':
        this.#say(update);
        return;
      case 'tool_call':
        if (this.calls.has(update.toolCallId)) throw new Error(`${update.toolCallId} begins twice`);
        this.calls.set(update.toolCallId, {
          status: update.status ?? 'pending',
          content: update.content ?? [],
          rawInput: update.rawInput,
        });
        return;
      case 'tool_call_update':
        this.#change(update);
        return;
      case 'plan':
        this.plan = update.entries;
        return;
      default:
        return;
    }
  }

  #say({ sessionUpdate: said, messageId, content }: acp.ContentChunk & { sessionUpdate: string }): void {
    if (messageId === undefined || messageId === null) throw new Error('a chunk belongs to no message');
    const message = this.messages.get(messageId) ?? { said, blocks: [] };
    if (message.said !== said) throw new Error(`${messageId} is said by two`);
    this.messages.set(messageId, message);
    const last = message.blocks.at(-1);
    if (content.type === 'text' && last?.type === 'text') last.text += content.text;
    else message.blocks.push({ ...content });
  }

  #change({ toolCallId, status, content, rawInput }: acp.ToolCallUpdate): void {
    const call = this.calls.get(toolCallId);
    if (call === undefined) throw new Error(`${toolCallId} has not begun`);
    const isOver = call.status === 'completed' || call.status === 'failed';
    // A result that was discarded is taken back, with all that the call showed.
    const isTakenBack = status === 'in_progress' && content?.length === 0;
    if (isOver && !isTakenBack) throw new Error(`${toolCallId} is over`);
    call.status = status ?? call.status;
    call.content = content ?? call.content;
    call.rawInput = rawInput ?? call.rawInput;
  }
}
