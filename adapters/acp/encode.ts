// A thread's log as updates of its session: a deterministic fold, with one row for every canonical event.
// https://agentclientprotocol.com/protocol/v1/prompt-turn#3-agent-reports-output
// https://agentclientprotocol.com/protocol/v1/tool-calls https://agentclientprotocol.com/rfds/session-notices
import type * as acp from '@agentclientprotocol/sdk';
import type { AgentCommand } from '../../schemas/agent-card.ts';
import type { ItemId, MessageId } from '../../schemas/id.ts';
import type { Message } from '../../schemas/message.ts';
import type { Part } from '../../schemas/part.ts';
import type { EventType, RunEvent } from '../../schemas/run-event.ts';
import type { ThreadSettings } from '../../schemas/thread.ts';
import { type EncoderOptions, type RunFold, ThreadFold, update } from './fold.ts';
import { notAnswered } from './history.ts';
import { encodeChunks, encodeMessage, type Speaker, speakers } from './messages.ts';
import { encodeToolContents } from './parts.ts';
import { encodeArgs, encodeResult } from './tool-calls.ts';

type EventOf<Type extends EventType> = Extract<RunEvent, { type: Type }>;
type Row<Type extends EventType> = ((run: RunFold, event: EventOf<Type>) => acp.SessionUpdate[]) | Dropped;

interface Dropped {
  readonly dropped: string;
}

const none: readonly acp.SessionUpdate[] = [];

/** Encodes the log of a thread for one client. Fed with the same events it tells the same. */
export class UpdateEncoder {
  readonly #thread: ThreadFold;

  constructor(options: EncoderOptions) {
    this.#thread = new ThreadFold(options);
  }

  /** The updates of one event, in order. Media that it holds must be inline. */
  encode(event: RunEvent): readonly acp.SessionUpdate[] {
    const row = encoded[event.type];
    if (typeof row !== 'function') return none;
    const updates = row(this.#thread.runOf(event), event as never);
    if (event.type === 'run.finished') this.#thread.forget(event);
    return updates;
  }

  /**
   * Follows what a run told before its client was told the thread as it is, by `encodeHistory`: from its start, so that
   * the rest of the run goes on from there.
   */
  recall(event: RunEvent): void {
    this.encode(event);
    this.#thread.takeHistory();
  }

  /** What is open of what it recalled and `encodeHistory` does not show. */
  standing(): readonly acp.SessionUpdate[] {
    return this.#thread.standing();
  }

  /** What an item is called: by its id, unless a later attempt told it again. */
  nameOf(id: string): string {
    return this.#thread.nameOf(id);
  }
}

const discarded = 'This does not count: the agent began again.';

const encoded = {
  'message.added': (run, { message, activation }) => {
    if (activation !== undefined && run.thread.options.isOwn(activation)) return [];
    if (message.role === 'tool') return encodeToolMessage(run, message);
    return encodeMessage(message, ({ id }) => {
      run.callOf(id);
      return { status: 'pending' };
    });
  },
  'run.queued': { dropped: 'the prompt is answered at the end of its turn' },
  'run.started': { dropped: 'the prompt is answered at the end of its turn' },
  'run.waiting': { dropped: 'its questions are requests of their own' },
  'run.resumed': { dropped: 'what comes next shows it' },
  'run.retrying': (run, { nextAttempt, fault }) => {
    const why = fault === undefined ? 'It goes on in another process.' : fault.message;
    return encodeNotice(run, 'warning', `The agent is asked again (attempt ${nextAttempt})`, why);
  },
  'attempt.discarded': (run, { itemIds }) => {
    const gone = new Set(itemIds);
    const updates: acp.SessionUpdate[] = [
      ...run.endCalls((id) => gone.has(id), discarded),
      ...run.endWork('failed'),
      ...run.reopen(gone),
    ];
    if (run.planId !== undefined && gone.has(run.planId)) updates.push({ sessionUpdate: 'plan', entries: [] });
    run.discard(gone);
    if (gone.size === 0) return updates;
    return [...updates, ...encodeNotice(run, 'warning', 'The agent began again', 'What it said last does not count.')];
  },
  'run.stopping': { dropped: 'the answer to the prompt says that it was stopped' },
  'run.finished': (run, { outcome }) => {
    const left = outcome.type === 'completed' ? outcome.pendingToolCalls : [];
    const reason = outcome.type === 'cancelled' ? 'It was cancelled.' : notAnswered;
    return [
      ...run.endCalls((id) => !left.includes(id), reason),
      ...run.endWork(outcome.type === 'completed' ? 'completed' : 'failed'),
    ];
  },
  'ticket.opened': (run, { ticket }) => {
    const call = run.thread.options.ownCallOf?.(ticket);
    if (call === undefined) return [];
    run.questions.set(ticket.id, call);
    return [{ sessionUpdate: 'tool_call', ...call }];
  },
  'ticket.closed': (run, { ticketId, how }) => {
    const wasShown = run.questions.delete(ticketId);
    return wasShown ? [update(ticketId, { status: how === 'answered' ? 'completed' : 'failed' })] : [];
  },
  'text.started': (run, { id, role }) => {
    if (role !== 'assistant') run.speakers.set(id, speakers[role]);
    return [];
  },
  'text.delta': (run, { id, delta }) => {
    const speaker = speakerOf(run, id);
    return speaker === undefined ? [] : run.say(speaker, id, delta);
  },
  'text.ended': { dropped: 'a message ends where the next one begins' },
  'part.added': (run, { messageId, part }) => {
    const speaker = speakerOf(run, messageId);
    return speaker === undefined ? [] : encodeChunks(speaker, run.nameOf(messageId), [part]);
  },
  'reasoning.started': { dropped: 'a thought begins with its first words' },
  'reasoning.delta': (run, { id, delta }) => run.say('agent_thought_chunk', id, delta),
  'reasoning.ended': { dropped: 'a thought ends where something else begins' },
  encrypted: { dropped: 'for its provider alone' },
  'tool.started': (run, { id, name, title = name, kind = 'other', locations, runBy }) => {
    run.callOf(id).isLeft = runBy === 'client';
    const toolCallId = run.nameOf(id);
    const where = locations === undefined ? {} : { locations: locations.map(encodeLocation) };
    return [{ sessionUpdate: 'tool_call', toolCallId, title, name, kind, status: 'pending', ...where }];
  },
  'tool.args': { dropped: 'arguments are told whole, when they are complete' },
  'tool.called': (run, { id, args }) => {
    const status = run.callOf(id).isLeft ? {} : { status: 'in_progress' as const };
    return [update(run.nameOf(id), { rawInput: encodeArgs(args), ...status })];
  },
  'tool.updated': (run, { id, status, title, locations, content }) => {
    const call = run.callOf(id);
    if (content !== undefined) call.content = encodeToolContents(content);
    const changed = {
      ...(status === undefined ? {} : { status }),
      ...(title === undefined ? {} : { title }),
      ...(locations === undefined ? {} : { locations: locations.map(encodeLocation) }),
      ...(content === undefined ? {} : { content: [...call.content] }),
    };
    return Object.keys(changed).length === 0 ? [] : [update(run.nameOf(id), changed)];
  },
  'tool.output': (run, { id, delta }) => [run.output(id, delta)],
  'tool.result': (run, { id, messageId, status, parts, error = status === 'ok' ? undefined : status }) => {
    return [answer(run, { id, messageId, parts, error })];
  },
  'state.snapshot': { dropped: 'ACP shares no state' },
  'state.delta': { dropped: 'ACP shares no state' },
  plan: (run, { planId, entries }) => {
    run.planId = planId;
    return [{ sessionUpdate: 'plan', entries }];
  },
  'activity.snapshot': { dropped: 'ACP has no activities of any kind' },
  'activity.delta': { dropped: 'ACP has no activities of any kind' },
  artifact: (run, { id, parts, append }) => {
    if (!append && run.artifacts.has(id)) run.thread.renew(id);
    run.artifacts.add(id);
    return encodeChunks('agent_message_chunk', run.nameOf(id), parts);
  },
  'step.started': (run, { name, seq }) => {
    const toolCallId = `${run.id}/step/${seq}`;
    run.steps.set(name, toolCallId);
    return [{ sessionUpdate: 'tool_call', toolCallId, title: name, kind: 'think', status: 'in_progress' }];
  },
  'step.finished': (run, { name }) => {
    const step = run.steps.get(name);
    run.steps.delete(name);
    return step === undefined ? [] : [update(step, { status: 'completed' })];
  },
  'subagent.started': (run, { id, name, description, seq }) => {
    const suspended = run.subagents.get(id);
    if (suspended !== undefined) return [update(suspended, { status: 'in_progress' })];
    const toolCallId = `${run.id}/subagent/${seq}`;
    run.subagents.set(id, toolCallId);
    const title = description ?? name;
    return [{ sessionUpdate: 'tool_call', toolCallId, title, name, kind: 'think', status: 'in_progress' }];
  },
  'subagent.finished': (run, { id, result, suspended }) => {
    const subagent = run.subagents.get(id);
    if (subagent === undefined) return [];
    if (suspended !== undefined) return [update(subagent, { status: 'pending' })];
    run.subagents.delete(id);
    return [update(subagent, { status: 'completed', ...(result === undefined ? {} : { rawOutput: result }) })];
  },
  'subagent.failed': (run, { id, fault }) => {
    const subagent = run.subagents.get(id);
    run.subagents.delete(id);
    return subagent === undefined ? [] : [update(subagent, encodeResult([], fault.message))];
  },
  usage: (run, { window, cost }) => {
    const spent = cost === undefined ? undefined : run.thread.spend(cost);
    if (window === undefined) return [];
    const [used, size] = [tokens(window.used), tokens(window.size)];
    return [{ sessionUpdate: 'usage_update', used, size, ...(spent === undefined ? {} : { cost: spent }) }];
  },
  'thread.changed': (run, { title, settings, commands, atMs }) => {
    const updates: acp.SessionUpdate[] = [];
    if (title !== undefined) {
      const updatedAt = new Date(atMs).toISOString();
      updates.push({ sessionUpdate: 'session_info_update', title: title === '' ? null : title, updatedAt });
    }
    if (settings !== undefined) updates.push(...(run.thread.options.settings ?? encodeMode)(settings));
    if (commands !== undefined) {
      updates.push({ sessionUpdate: 'available_commands_update', availableCommands: commands.map(encodeCommand) });
    }
    return updates;
  },
  'thread.branched': { dropped: 'a session is one line of messages; what it showed stays' },
  notice: (run, { level, text }) => {
    const [title = '', ...rest] = text.trim().split('\n');
    return encodeNotice(run, level, title, rest.join('\n').trim());
  },
  compaction: (run, { summary, seq }) => {
    if (!run.thread.options.compaction) return [];
    const said = summary === undefined ? {} : { summary: [{ type: 'text' as const, text: summary }] };
    const compactionId = `${run.id}/compaction/${seq}`;
    return [{ sessionUpdate: 'compaction_update', compactionId, status: 'completed', ...said }];
  },
  custom: { dropped: 'ACP has no updates of any kind' },
  raw: { dropped: 'the event of another protocol' },
  'input.staged': { dropped: 'told when a run takes it' },
  'input.taken': { dropped: 'its messages are told' },
  'input.edited': { dropped: 'told when a run takes it' },
  'input.retracted': { dropped: 'its prompt is answered' },
} as const satisfies { readonly [Type in EventType]: Row<Type> };

function speakerOf(run: RunFold, id: ItemId): Speaker | undefined {
  return run.speakers.has(id) ? run.speakers.get(id) : 'agent_message_chunk';
}

/** A result is recorded as an event and as a message; what a client brings along is a message alone. */
function encodeToolMessage(run: RunFold, { id, toolCallId, parts, error }: Message): acp.SessionUpdate[] {
  if (toolCallId === undefined || run.results.has(id)) return [];
  return [answer(run, { id: toolCallId, messageId: id, parts, error })];
}

interface Result {
  readonly id: ItemId;
  readonly messageId: MessageId;
  readonly parts: readonly Part[];
  readonly error: string | undefined;
}

function answer(run: RunFold, { id, messageId, parts, error }: Result): acp.SessionUpdate {
  run.results.set(messageId, id);
  const call = run.callOf(id);
  call.isOpen = false;
  return update(run.nameOf(id), encodeResult(parts, error, call.content));
}

function encodeNotice(run: RunFold, severity: string, title: string, description: string): acp.SessionUpdate[] {
  if (!run.thread.options.notices || title === '') return [];
  return [{ sessionUpdate: 'notice', severity, title, ...(description === '' ? {} : { description }) }];
}

function encodeLocation({ path, line }: { path: string; line?: number | undefined }): acp.ToolCallLocation {
  return line === undefined ? { path } : { path, line: Math.max(0, line) };
}

function tokens(count: number): number {
  return Math.max(0, Math.round(count));
}

function encodeMode({ mode }: ThreadSettings): acp.SessionUpdate[] {
  return mode === undefined ? [] : [{ sessionUpdate: 'current_mode_update', currentModeId: mode }];
}

function encodeCommand({ name, description, hint }: AgentCommand): acp.AvailableCommand {
  return { name, description, ...(hint === undefined ? {} : { input: { hint } }) };
}
