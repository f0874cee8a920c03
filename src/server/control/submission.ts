import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { RunInput, RunSubmission } from '../../../schemas/control.ts';
import type { ThreadId } from '../../../schemas/id.ts';
import type { MessageInput } from '../../../schemas/message.ts';
import { Fault } from '../../fault.ts';
import type { Caller, Gateway, Submission } from '../../gateway.ts';
import type { Ids } from '../../ids.ts';
import { traceOf } from '../../trace-context.ts';

type Words = Pick<RunSubmission, 'text' | 'messages'>;

const sayOnce = {
  path: ['text'],
  error: 'is short for one user message; text and messages exclude each other',
};

function saysOnce({ text, messages }: Words): boolean {
  return text === undefined || messages === undefined;
}

function saysSomething({ text, messages = [] }: Words): boolean {
  return text !== undefined || messages.length > 0;
}

/** A submission that carries something. */
export const SoundSubmission = RunSubmission.refine(saysOnce, sayOnce).refine(
  ({ decisions = [], toolResults = [], ...words }) =>
    saysSomething(words) || decisions.length > 0 || toolResults.length > 0,
  { path: ['messages'], error: 'a request must carry text, messages, decisions or toolResults' },
);

/** Input that carries something. */
export const SoundInput = RunInput.refine(saysOnce, sayOnce).refine(saysSomething, {
  path: ['messages'],
  error: 'input must carry text or messages',
});

interface Submitter {
  readonly gateway: Gateway;
  readonly ids: Ids;
  readonly caller: Caller;
  readonly request: IncomingMessage;
}

/** How a request is named: by its caller, so that a repetition is recognised, or by us. */
export function keyFor(ids: Ids, given: string | undefined): string {
  return given ?? ids.next('req');
}

/** @throws Fault `agent-not-found` where none is served */
export function decodeSubmission(
  { gateway, ids, caller, request }: Submitter,
  said: RunSubmission,
  givenKey: string | undefined,
): Submission {
  const { threadId, agentId = firstAgent(gateway), text, messages, ...options } = said;
  return {
    threadId: threadId ?? (givenKey === undefined ? ids.next('thr') : derivedThread(caller, givenKey)),
    agentId,
    key: keyFor(ids, givenKey),
    messages: wordsOf({ text, messages }),
    decisions: options.decisions ?? [],
    toolResults: options.toolResults ?? [],
    whenBusy: options.whenBusy ?? 'queue',
    expectedRunId: options.expectedRunId,
    base: options.base,
    state: options.state,
    tools: options.tools ?? [],
    context: options.context ?? [],
    forwardedProps: options.forwardedProps,
    metadata: options.metadata ?? {},
    priority: options.priority ?? 128,
    ...fixed(caller, request),
  };
}

/** Input for one run, refused when that is neither the open one nor still to begin. */
export function decodeInput(
  { ids, caller, request }: Submitter,
  run: { readonly id: string; readonly threadId: ThreadId; readonly agentId: string },
  { metadata = {}, ...words }: RunInput,
  givenKey: string | undefined,
): Submission {
  return {
    threadId: run.threadId,
    agentId: run.agentId,
    key: keyFor(ids, givenKey),
    messages: wordsOf(words),
    decisions: [],
    toolResults: [],
    whenBusy: 'steer',
    bound: run.id,
    expectedRunId: run.id,
    tools: [],
    context: [],
    metadata,
    priority: 128,
    ...fixed(caller, request),
  };
}

/** What no caller of this door says. */
function fixed({ door, origin }: Caller, request: IncomingMessage) {
  return {
    door,
    origin,
    messagesAre: 'new',
    references: [],
    acceptedModes: [],
    trace: traceOf(request),
    endsAt: 'done',
  } satisfies Partial<Submission>;
}

function wordsOf({ text, messages = [] }: Words): MessageInput[] {
  return text === undefined ? messages : [{ role: 'user', parts: [{ type: 'text', text }] }];
}

function firstAgent(gateway: Gateway): string {
  const [first] = gateway.agents();
  if (first === undefined) throw new Fault('agent-not-found', 'no agent is served');
  return first.id;
}

/** The same for each repetition of a request that names no thread, and for nobody else's. */
function derivedThread({ scope, actor }: Caller, key: string): ThreadId {
  const text = JSON.stringify([scope, actor, key]);
  return `thr_${createHash('sha256').update(text).digest('hex')}`;
}
