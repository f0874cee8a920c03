import { hash } from 'node:crypto';
import type { ZodSafeParseResult } from 'zod';
import { ActivationRequest } from '../../schemas/activation.ts';
import type { Principal } from '../../schemas/id.ts';
import type { MessageInput } from '../../schemas/message.ts';
import type { Part } from '../../schemas/part.ts';
import { Fault } from '../fault.ts';
import type { Submission } from '../gateway.ts';
import { isTooDeep, maxJsonDepth } from '../json-body.ts';

/** Inline data above this many characters becomes a content-addressed blob of its thread. */
const maxInlineChars = 65_536;
/** Of any member: what doors take of data, and the levels of messages and parts above it. */
const maxLevels = maxJsonDepth + 16;

export interface Prepared {
  readonly request: ActivationRequest;
  readonly digest: string;
  readonly bytes: number;
  readonly blobs: readonly { readonly id: string; readonly data: string }[];
}

/**
 * A submission as the rules take it: checked, digested, its large data set apart. Its digest is of its JSON text, so the
 * same members in another order are another body; its trace context and its connection are no part of it,
 * because a client that repeats a request gives each try one of its own.
 * @throws Fault `invalid-request`
 */
export function prepare(principal: Principal, submission: Submission): Prepared {
  if (submission.messages.length === 0 && submission.decisions.length === 0 && submission.toolResults.length === 0) {
    throw new Fault('invalid-request', 'a request must carry a message, an answer or a tool result', {
      path: 'messages',
    });
  }
  const { threadId, key } = ActivationRequest.shape;
  assertName('threadId', threadId.safeParse(submission.threadId));
  assertName('key', key.safeParse(submission.key));
  for (const [path, value] of Object.entries(submission)) assertShallow(path, value);
  const whole: ActivationRequest = { ...submission, scope: principal.scope, actor: principal.actor };
  const text = JSON.stringify({ ...whole, trace: undefined, attachmentId: undefined });
  const digest = hash('sha256', text, 'base64url');
  const blobs = new Map<string, string>();
  const messages =
    text.length > maxInlineChars ? whole.messages.map((message) => setApart(message, blobs)) : whole.messages;
  return {
    request: { ...whole, messages },
    digest,
    bytes: text.length,
    blobs: [...blobs].map(([id, data]) => ({ id, data })),
  };
}

function assertName(path: string, { error }: ZodSafeParseResult<string>): void {
  if (error === undefined) return;
  throw new Fault('invalid-request', `${path}: ${error.issues[0]?.message}`, { path });
}

/** Before it is walked through: what is too deep ends the stack of whoever does that. */
function assertShallow(path: string, value: unknown): void {
  if (!isTooDeep(value, maxLevels)) return;
  throw new Fault('invalid-request', `${path} is nested more than ${maxLevels} levels deep`, { path });
}

function setApart(message: MessageInput, blobs: Map<string, string>): MessageInput {
  if (!message.parts.some(isLarge)) return message;
  const parts = message.parts.map((part): Part => {
    if (!isLarge(part)) return part;
    const { data } = part.source;
    const blob = hash('sha256', data);
    blobs.set(blob, data);
    return { ...part, source: { at: 'blob', blob }, size: Math.floor((data.length * 3) / 4) };
  });
  return { ...message, parts };
}

function isLarge(part: Part): part is Part & { type: 'media'; source: { at: 'inline' } } {
  return part.type === 'media' && part.source.at === 'inline' && part.source.data.length > maxInlineChars;
}
