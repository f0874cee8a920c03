// RunAgentInput: what a client asks. Unknown members, roles and parts are set aside with a warning; a known member that
// is malformed refuses the request, before its stream opens. https://docs.ag-ui.com/spec/1.0/basic/run-input
// https://docs.ag-ui.com/spec/1.0/basic/processing
import type { ClientTool, WhenBusy } from '../../schemas/activation.ts';
import type { ThreadId } from '../../schemas/id.ts';
import type { Json } from '../../schemas/json.ts';
import type { MessageInput } from '../../schemas/message.ts';
import { type Part, textOf } from '../../schemas/part.ts';
import type { Submission } from '../../src/gateway.ts';
import { decodeMessage } from './decode-message.ts';
import { Field, isObject } from './field.ts';
import { linkedBlob } from './media-links.ts';
import { chooseProfile, type Profile } from './profile.ts';

/** An answer to an interrupt. What it decides depends on the ticket that the interrupt stands for. */
export interface ResumeEntry {
  readonly interruptId: string;
  readonly status: 'resolved' | 'cancelled';
  readonly payload?: Json | undefined;
}

/** What the client holds: told apart from what the thread holds, it says what the client must be told. */
export interface ClientCopy {
  /** The length of each message's text, by the client's name of the message. */
  readonly messages: ReadonlyMap<string, number>;
  /** Which of them are reasoning. */
  readonly reasoning: ReadonlySet<string>;
  /** The tool calls that it sends results of. */
  readonly answeredCalls: ReadonlySet<string>;
  readonly state: Json;
}

export interface Decoded {
  /** Without decisions: they are made from `resume`. */
  readonly submission: Submission;
  readonly resume: readonly ResumeEntry[];
  /** LangGraph's way to resume from before interrupts had ids. */
  readonly legacyResume: Json | undefined;
  readonly parentRunId: string | undefined;
  readonly profile: Profile;
  readonly copy: ClientCopy;
  /** What was set aside, for the developer's log. */
  readonly warnings: readonly string[];
}

const inputMembers = new Set([
  'threadId',
  'runId',
  'protocolVersion',
  'parentRunId',
  'state',
  'messages',
  'tools',
  'context',
  'forwardedProps',
  'resume',
]);
const toolMembers = new Set(['name', 'description', 'parameters', 'metadata']);
const contextMembers = new Set(['description', 'value']);
const resumeMembers = new Set(['interruptId', 'status', 'payload', 'metadata']);

/** @throws Fault `invalid-request` with the path of what is malformed; `unsupported` for an unknown major version */
export function decodeInput(body: unknown, to: { readonly agentId: string; readonly whenBusy: WhenBusy }): Decoded {
  const warnings: string[] = [];
  const input = new Field(body, warnings);
  input.warnOfOthers(inputMembers);
  const profile = chooseProfile(input.at('protocolVersion'));
  const parentRunId = input.at('parentRunId').optional((field) => field.string());
  const threadId = input.at('threadId').addressableId();
  const messages = decodeMessages(input.at('messages')).map((message) => withOwnMedia(message, threadId));
  const state = decodeState(input.at('state'));
  const tools = input.at('tools').optional(decodeTools) ?? [];
  const forwardedProps = input.at('forwardedProps').optional((field) => field.json());
  const submission: Submission = {
    ...to,
    threadId,
    door: 'ag-ui',
    key: input.at('runId').addressableId(),
    origin: 'user',
    messages,
    messagesAre: 'whole',
    decisions: [],
    toolResults: buriedResults(messages, tools),
    state,
    tools,
    context: input.at('context').optional(decodeContext) ?? [],
    forwardedProps,
    references: [],
    acceptedModes: [],
    metadata: parentRunId === undefined ? {} : { parentRunId },
    endsAt: 'waiting',
    priority: 128,
  };
  const legacyResume = legacyResumeOf(forwardedProps);
  const resume = input.at('resume').optional(decodeResume) ?? decodeLegacyEntries(legacyResume);
  const copy = copyOf(messages, state);
  return { submission, resume, legacyResume, parentRunId, profile, copy, warnings };
}

/** `{}` and none are no opinion: a client that was never told a state sends them. */
function decodeState(field: Field): Json | undefined {
  const state = field.optional((given) => given.json());
  return isObject(state) && Object.keys(state).length === 0 ? undefined : state;
}

/** The client's list without what cannot be a message of a thread; of two with one id the first counts. */
function decodeMessages(field: Field): MessageInput[] {
  const known = new Set<string>();
  const messages: MessageInput[] = [];
  for (const each of field.list()) {
    const message = decodeMessage(each);
    if (message === undefined) continue;
    if (message.id !== undefined && known.has(message.id)) {
      each.warn('repeats the id of an earlier message; left out');
      continue;
    }
    if (message.id !== undefined) known.add(message.id);
    messages.push(message);
  }
  return messages;
}

/** A link of ours comes back as what it links to. */
function withOwnMedia(message: MessageInput, threadId: ThreadId): MessageInput {
  const parts = message.parts.map((part): Part => {
    if (part.type !== 'media' || part.source.at !== 'url') return part;
    const blob = linkedBlob(part.source.url, threadId);
    return blob === undefined ? part : { ...part, source: { at: 'blob', blob } };
  });
  return { ...message, parts };
}

/**
 * Results of the client's own tools that it put behind their calls, ahead of messages that its last turn wrote after the
 * calls. The thread has those messages, so what stands before them would pass for known.
 */
function buriedResults(messages: readonly MessageInput[], tools: readonly ClientTool[]): Submission['toolResults'] {
  const last = messages.findLastIndex((message) => message.role === 'assistant');
  const start = messages.findLastIndex((message, index) => message.role === 'user' && index < last);
  const turn = messages.slice(start + 1, Math.max(0, last));
  const offered = new Set(tools.map((tool) => tool.name));
  const calls = turn.flatMap((message) => message.toolCalls ?? []).filter((call) => offered.has(call.name));
  const answerable = new Set(calls.map((call) => call.id));
  return turn.flatMap(({ id: messageId, toolCallId, parts, error, metadata }) =>
    toolCallId !== undefined && answerable.has(toolCallId) ? [{ toolCallId, messageId, parts, error, metadata }] : [],
  );
}

function decodeTools(field: Field): ClientTool[] {
  return field.list().map((tool) => {
    tool.warnOfOthers(toolMembers);
    const parameters = tool.at('parameters').optional((schema) => schema.json());
    const metadata = tool.at('metadata').optional((data) => data.jsonObject());
    return {
      name: tool.at('name').string(),
      description: tool.at('description').string(),
      parameters,
      metadata,
    };
  });
}

function decodeContext(field: Field): Submission['context'] {
  return field.list().map((entry) => {
    entry.warnOfOthers(contextMembers);
    return { description: entry.at('description').string(), value: entry.at('value').string() };
  });
}

function decodeResume(field: Field): ResumeEntry[] {
  const named = new Set<string>();
  return field.list().flatMap((entry) => {
    entry.warnOfOthers(resumeMembers);
    const interruptId = entry.at('interruptId').string();
    const status = entry.at('status').oneOf(['resolved', 'cancelled']);
    const payload = entry.at('payload').optional((value) => value.json());
    entry.at('metadata').optional((data) => data.object());
    if (named.has(interruptId)) {
      entry.warn('answers an interrupt a second time; left out');
      return [];
    }
    named.add(interruptId);
    return [{ interruptId, status, payload }];
  });
}

function legacyResumeOf(forwardedProps: Json | undefined): Json | undefined {
  if (!isObject(forwardedProps)) return undefined;
  const command = forwardedProps['command'];
  return isObject(command) ? command['resume'] : undefined;
}

/** Today's entries in yesterday's place. What is forwarded is the application's own, so nothing in it is refused. */
function decodeLegacyEntries(resume: Json | undefined): ResumeEntry[] {
  if (!Array.isArray(resume)) return [];
  return resume.flatMap((entry) => {
    if (!isObject(entry)) return [];
    const { interruptId, status, payload } = entry;
    if (typeof interruptId !== 'string' || (status !== 'resolved' && status !== 'cancelled')) return [];
    return [{ interruptId, status, payload }];
  });
}

function copyOf(messages: readonly MessageInput[], state: Json | undefined): ClientCopy {
  const lengths = new Map<string, number>();
  const reasoning = new Set<string>();
  const answeredCalls = new Set<string>();
  for (const { id, role, parts, toolCallId } of messages) {
    if (id !== undefined) lengths.set(id, textOf(parts).length);
    if (id !== undefined && role === 'reasoning') reasoning.add(id);
    if (toolCallId !== undefined) answeredCalls.add(toolCallId);
  }
  return { messages: lengths, reasoning, answeredCalls, state: state ?? {} };
}
