import type { ItemId } from '../../../schemas/id.ts';
import type { Part } from '../../../schemas/part.ts';
import type { RunEventBody } from '../../../schemas/run-event.ts';
import type { RunContext } from '../agent.ts';

const words = /\s*\S+\s*/g;

/** An assistant message, word by word. */
export function* say(context: RunContext, key: string, text: string): Generator<RunEventBody, ItemId> {
  const id = context.id(key);
  yield { type: 'text.started', id, role: 'assistant' };
  for (const delta of piecesOf(text, words)) yield { type: 'text.delta', id, delta };
  yield { type: 'text.ended', id };
  return id;
}

export function* think(context: RunContext, key: string, text: string): Generator<RunEventBody> {
  const id = context.id(key);
  yield { type: 'reasoning.started', id };
  for (const delta of piecesOf(text, words)) yield { type: 'reasoning.delta', id, delta };
  yield { type: 'reasoning.ended', id };
}

export interface Call extends Pick<RunEventBody & { type: 'tool.started' }, 'kind' | 'locations'> {
  readonly id: ItemId;
  readonly name: string;
  /** JSON text. */
  readonly args: string;
  readonly runBy: 'agent' | 'client';
  readonly title?: string;
  readonly parentMessageId?: ItemId;
}

/** A tool call up to its result, its arguments in small pieces. */
export function* callTool({ args, ...call }: Call): Generator<RunEventBody> {
  yield { type: 'tool.started', ...call };
  for (const delta of piecesOf(args, /.{1,12}/gs)) yield { type: 'tool.args', id: call.id, delta };
  yield { type: 'tool.called', id: call.id, args };
}

/** What a call came to, by the key of its id. */
export function resultOf(
  context: RunContext,
  key: string,
  status: 'ok' | 'denied' | 'cancelled',
  parts: Part[],
): RunEventBody {
  const messageId = context.id(`${key}-result`);
  return { type: 'tool.result', id: context.id(key), messageId, status, parts, origin: 'agent' };
}

export function textParts(text: string): Part[] {
  return [{ type: 'text', text }];
}

function piecesOf(text: string, pattern: RegExp): readonly string[] {
  return text.match(pattern) ?? [];
}
