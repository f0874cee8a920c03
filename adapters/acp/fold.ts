import type * as acp from '@agentclientprotocol/sdk';
import type { ItemId, MessageId, RunId, TicketId } from '../../schemas/id.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { ThreadSettings } from '../../schemas/thread.ts';
import type { Ticket } from '../../schemas/ticket.ts';
import { type Speaker, textChunk } from './messages.ts';
import { toolText } from './parts.ts';

export interface EncoderOptions {
  /** Whether the client itself sent this request: it shows its messages already. */
  readonly isOwn: (activationId: string) => boolean;
  /** What the client advertised as `session.notices` and `session.compaction`. */
  readonly notices: boolean;
  readonly compaction: boolean;
  /** The tool call that a question is shown as which is about no call; undefined: it is shown otherwise. */
  readonly ownCallOf?: (ticket: Ticket) => acp.ToolCall | undefined;
  /** What a change of a thread's settings is to this agent's modes and options. Left out: its mode, as it is named. */
  readonly settings?: (settings: ThreadSettings) => readonly acp.SessionUpdate[];
}

type ToolCallUpdate = acp.SessionUpdate & { readonly sessionUpdate: 'tool_call_update' };

export interface Call {
  isOpen: boolean;
  /** Left to a client: nobody is at it here. */
  isLeft: boolean;
  /** What it shows. */
  content: readonly acp.ToolCallContent[];
  /** The end of its output so far. */
  output: string;
}

/** Each output is told again with all that came before it, so that is bounded. */
const maxOutputChars = 8192;

/** What was told of a thread, as far as it decides what is told next. */
export class ThreadFold {
  readonly options: EncoderOptions;
  readonly #runs = new Map<RunId | undefined, RunFold>();
  /** How often an item began anew. v1 cannot retract: what was said stays, and what is said again is another item. */
  readonly #generations = new Map<ItemId, number>();
  readonly #costs = new Map<string, number>();

  constructor(options: EncoderOptions) {
    this.options = options;
  }

  runOf({ runId }: RunEvent): RunFold {
    let run = this.#runs.get(runId);
    if (run === undefined) this.#runs.set(runId, (run = new RunFold(this, runId ?? '')));
    return run;
  }

  /** A run that has ended tells nothing more; a later one has its own. */
  forget({ runId }: RunEvent): void {
    this.#runs.delete(runId);
  }

  /** What an item is called on the wire. */
  nameOf(id: ItemId): string {
    const generation = this.#generations.get(id);
    return generation === undefined ? id : `${id}~${generation}`;
  }

  renew(id: ItemId): void {
    this.#generations.set(id, (this.#generations.get(id) ?? 1) + 1);
  }

  /** As `encodeHistory` names things; it shows no steps and no subagents. */
  takeHistory(): void {
    this.#generations.clear();
    for (const run of this.#runs.values()) {
      run.steps.clear();
      run.subagents.clear();
    }
  }

  /** What is open that `encodeHistory` does not show. */
  standing(): acp.SessionUpdate[] {
    const questions = [...this.#runs.values()].flatMap((run) => [...run.questions.values()]);
    return questions.map((call) => ({ sessionUpdate: 'tool_call', ...call }));
  }

  /** All that was spent in this currency, as far as it was told. */
  spend({ amount, currency }: acp.Cost): acp.Cost {
    const sum = (this.#costs.get(currency) ?? 0) + amount;
    this.#costs.set(currency, sum);
    return { amount: sum, currency };
  }
}

export class RunFold {
  readonly thread: ThreadFold;
  readonly id: RunId;
  /** Whose words the texts are; undefined: nobody's that people see. What is not in it is the agent's. */
  readonly speakers = new Map<ItemId, Speaker | undefined>();
  readonly calls = new Map<ItemId, Call>();
  /** By the message that carries it, the call that a result is of. */
  readonly results = new Map<MessageId, ItemId>();
  readonly artifacts = new Set<ItemId>();
  /** Steps by name and subagents by id that are open, and the tool call that each is shown as. */
  readonly steps = new Map<string, string>();
  readonly subagents = new Map<string, string>();
  /** Those that are open and are shown as a tool call of their own. */
  readonly questions = new Map<TicketId, acp.ToolCall>();
  planId: ItemId | undefined;
  readonly #halves = new Map<ItemId, string>();

  constructor(thread: ThreadFold, id: RunId) {
    this.thread = thread;
    this.id = id;
  }

  nameOf(id: ItemId): string {
    return this.thread.nameOf(id);
  }

  callOf(id: ItemId): Call {
    let call = this.calls.get(id);
    if (call === undefined) {
      call = { isOpen: true, isLeft: false, content: [], output: '' };
      this.calls.set(id, call);
    }
    return call;
  }

  /** Half of a character is kept until the other half comes: strict readers of JSON refuse it. */
  say(speaker: Speaker, id: ItemId, delta: string): acp.SessionUpdate[] {
    const held = this.#halves.get(id);
    let text = held === undefined ? delta : held + delta;
    if (held !== undefined) this.#halves.delete(id);
    if (isFirstHalf(text.charCodeAt(text.length - 1))) {
      this.#halves.set(id, text.slice(-1));
      text = text.slice(0, -1);
    }
    return text === '' ? [] : [textChunk(speaker, this.nameOf(id), text)];
  }

  output(id: ItemId, delta: string): ToolCallUpdate {
    const call = this.callOf(id);
    call.output = lastOf(call.output + delta);
    call.content = [toolText(call.output)];
    return update(this.nameOf(id), { content: [...call.content] });
  }

  /** Ends those that are meant of the calls that are open. */
  endCalls(isMeant: (id: ItemId) => boolean, reason: string): ToolCallUpdate[] {
    const meant = [...this.calls].filter(([id, call]) => call.isOpen && isMeant(id));
    return meant.map(([id, call]) => {
      call.isOpen = false;
      return update(this.nameOf(id), { status: 'failed', content: [...call.content, toolText(reason)] });
    });
  }

  /** Ends the steps and subagents that are open. */
  endWork(status: 'completed' | 'failed'): ToolCallUpdate[] {
    const open = [...this.steps.values(), ...this.subagents.values()];
    this.steps.clear();
    this.subagents.clear();
    return open.map((toolCallId) => update(toolCallId, { status }));
  }

  /** A call whose result no longer counts goes on; output that its new attempt tells again is taken away. */
  reopen(gone: ReadonlySet<ItemId>): ToolCallUpdate[] {
    const reopened: ToolCallUpdate[] = [];
    for (const [messageId, id] of this.results) {
      if (!gone.has(messageId)) continue;
      this.results.delete(messageId);
      if (gone.has(id)) continue;
      this.callOf(id).isOpen = true;
      reopened.push(this.#clear(id));
    }
    for (const [id, call] of this.calls) if (call.isOpen && call.output !== '') reopened.push(this.#clear(id));
    return reopened;
  }

  #clear(id: ItemId): ToolCallUpdate {
    Object.assign(this.callOf(id), { content: [], output: '' });
    return update(this.nameOf(id), { status: 'in_progress', content: [] });
  }

  /** Forgets what does not count any more. */
  discard(gone: ReadonlySet<ItemId>): void {
    for (const id of gone) {
      this.thread.renew(id);
      this.calls.delete(id);
      this.artifacts.delete(id);
      this.speakers.delete(id);
      this.#halves.delete(id);
    }
  }
}

export function update(toolCallId: string, what: Omit<acp.ToolCallUpdate, 'toolCallId'>): ToolCallUpdate {
  return { sessionUpdate: 'tool_call_update', toolCallId, ...what };
}

function isFirstHalf(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function lastOf(text: string): string {
  if (text.length <= maxOutputChars) return text;
  const from = text.length - maxOutputChars;
  return `…${text.slice(isFirstHalf(text.charCodeAt(from - 1)) ? from + 1 : from)}`;
}
