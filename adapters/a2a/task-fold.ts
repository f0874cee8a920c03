// A task is a fold of its run's events: the same fold gives its snapshot at a position and the updates from there, so
// that a stream may begin, and begin again, anywhere. https://a2a-protocol.org/v1.0.1/specification/#41-core-objects
import {
  type Artifact,
  type Message,
  type Part as WirePart,
  Role,
  type StreamResponse,
  type Task,
  TaskState,
} from '@a2a-js/sdk';
import type { ItemId } from '../../schemas/id.ts';
import type { Json, JsonObject } from '../../schemas/json.ts';
import type { Part } from '../../schemas/part.ts';
import type { Outcome } from '../../schemas/run.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { Decision, Ticket } from '../../schemas/ticket.ts';
import { agentMessage, encodeMessage, type TaskName } from './messages.ts';
import { dataPart, encodePart, textPart } from './parts.ts';
import { encodeQuestions, isSignInAlone } from './questions.ts';

/** What of an agent's work is told as status messages, beside its artifacts. */
export type ShownWork = 'reasoning' | 'tools' | 'plans' | 'steps';

/** What has come of one artifact. */
interface Draft {
  name: string;
  description: string;
  parts: WirePart[];
  /** Of its parts, the last one is text that grows. */
  growing: boolean;
}

type Told = NonNullable<StreamResponse['payload']>;

interface Status {
  state: TaskState;
  message: Message | undefined;
  atMs: number;
}

const terminal: ReadonlySet<TaskState> = new Set([
  TaskState.TASK_STATE_COMPLETED,
  TaskState.TASK_STATE_FAILED,
  TaskState.TASK_STATE_CANCELED,
  TaskState.TASK_STATE_REJECTED,
]);

export function isTerminal(state: TaskState): boolean {
  return terminal.has(state);
}

/** Whether a stream and a blocking call end here. At a sign-in they do not: it happens elsewhere, and needs no message. */
export function endsStream(state: TaskState): boolean {
  return isTerminal(state) || state === TaskState.TASK_STATE_INPUT_REQUIRED;
}

/** Whether a blocking call ends here. */
export function isSettled(state: TaskState): boolean {
  return endsStream(state) || state === TaskState.TASK_STATE_AUTH_REQUIRED;
}

function isAsking(state: TaskState): boolean {
  return state === TaskState.TASK_STATE_INPUT_REQUIRED || state === TaskState.TASK_STATE_AUTH_REQUIRED;
}

export class TaskFold {
  readonly #name: TaskName;
  readonly #shown: ReadonlySet<ShownWork>;
  readonly #artifacts = new Map<ItemId, Draft>();
  readonly #history: Message[] = [];
  readonly #tickets = new Map<string, Ticket>();
  readonly #reasoning = new Map<ItemId, string>();
  readonly #tools = new Map<ItemId, string>();
  readonly #usage = new Map<string, { provider: string; model: string; tokens: Record<string, number> }>();
  #status: Status;

  constructor(name: TaskName, shown: ReadonlySet<ShownWork>, createdAtMs: number) {
    this.#name = name;
    this.#shown = shown;
    this.#status = { state: TaskState.TASK_STATE_SUBMITTED, message: undefined, atMs: createdAtMs };
  }

  get state(): TaskState {
    return this.#status.state;
  }

  get statusAtMs(): number {
    return this.#status.atMs;
  }

  /** The task as it is after what was folded; not to be changed. */
  snapshot(): Task {
    return {
      id: this.#name.taskId,
      contextId: this.#name.contextId,
      status: this.#encodeStatus(),
      artifacts: [...this.#artifacts].filter(([, { parts }]) => parts.length > 0).map(encodeDraft),
      history: [...this.#history],
      metadata: this.#metadata(),
    };
  }

  /** What a follower is told of an event, in order. Events of other runs are none of its business. */
  fold(event: RunEvent): Told[] {
    if (event.runId !== this.#name.taskId) return [];
    switch (event.type) {
      case 'message.added': {
        const message = encodeMessage(event.message, this.#name);
        if (message !== undefined) this.#history.push(message);
        return [];
      }
      case 'run.started':
      case 'run.resumed':
        return this.#set(TaskState.TASK_STATE_WORKING, event);
      case 'run.retrying':
        return this.#work(event, [textPart(event.fault?.message ?? 'The work goes on in another process.')]);
      case 'run.waiting':
        return this.#wait(event);
      case 'run.finished':
        return this.#finish(event, event.outcome);
      case 'ticket.opened':
        this.#tickets.set(event.ticket.id, event.ticket);
        return [];
      case 'ticket.closed':
        return this.#close(event);
      case 'attempt.discarded':
        return event.itemIds.flatMap((id) => this.#discard(id));
      case 'text.started':
        this.#artifacts.set(event.id, { name: event.name ?? '', description: '', parts: [], growing: false });
        return [];
      case 'text.delta':
        return this.#add(event.id, [{ type: 'text', text: event.delta }], false);
      case 'text.ended':
        return this.#artifacts.has(event.id) ? this.#add(event.id, [{ type: 'text', text: '' }], true) : [];
      case 'part.added':
        return this.#add(event.messageId, [event.part], false);
      case 'artifact':
        return this.#fill(event);
      case 'usage':
        this.#count(event);
        return [];
      case 'notice':
        return this.#work(event, [textPart(event.text)]);
      case 'reasoning.delta':
        this.#reasoning.set(event.id, (this.#reasoning.get(event.id) ?? '') + event.delta);
        return [];
      case 'reasoning.ended':
        return this.#workIf('reasoning', event, () => [textPart(this.#reasoning.get(event.id) ?? '')]);
      case 'tool.started':
        this.#tools.set(event.id, event.name);
        return [];
      case 'tool.called':
        return this.#workIf('tools', event, () => [this.#tool(event.id, 'called', { args: event.args })]);
      case 'tool.result':
        return this.#workIf('tools', event, () => [
          this.#tool(event.id, event.status, event.error === undefined ? {} : { error: event.error }),
          ...event.parts.map(encodePart),
        ]);
      case 'plan':
        return this.#workIf('plans', event, () => [
          dataPart({ type: 'plan', id: event.planId, entries: event.entries }),
        ]);
      case 'step.started':
        return this.#workIf('steps', event, () => [textPart(event.name)]);
      case 'subagent.started':
        return this.#workIf('steps', event, () => [textPart(event.description ?? event.name)]);
      // Another event tells it.
      case 'reasoning.started':
      case 'tool.args':
      case 'run.queued':
      case 'run.stopping':
      case 'input.taken':
      case 'step.finished':
      case 'subagent.finished':
      case 'subagent.failed':
      // A task has no word for it.
      case 'tool.updated':
      case 'tool.output':
      case 'state.snapshot':
      case 'state.delta':
      case 'activity.snapshot':
      case 'activity.delta':
      case 'thread.changed':
      case 'thread.branched':
      case 'compaction':
      case 'custom':
      case 'raw':
      case 'input.staged':
      case 'input.edited':
      case 'input.retracted':
      // For its provider alone.
      case 'encrypted':
        return [];
    }
  }

  #tool(id: ItemId, status: string, more: JsonObject): WirePart {
    return dataPart({ type: 'tool', id, name: this.#tools.get(id) ?? '', status, ...more });
  }

  #workIf(what: ShownWork, event: RunEvent, parts: () => WirePart[]): Told[] {
    return this.#shown.has(what) ? this.#work(event, parts()) : [];
  }

  /** A word from somebody who works. Who waits, or has ended, says nothing more. */
  #work(event: RunEvent, parts: WirePart[]): Told[] {
    if (this.state !== TaskState.TASK_STATE_WORKING) return [];
    return this.#set(this.state, event, parts);
  }

  #set(state: TaskState, event: RunEvent, parts?: WirePart[]): Told[] {
    const id = `${this.#name.taskId}:${event.seq}`;
    const said = parts === undefined ? undefined : agentMessage(id, this.#name, parts);
    this.#status = { state, message: said, atMs: event.atMs };
    const value = {
      taskId: this.#name.taskId,
      contextId: this.#name.contextId,
      status: this.#encodeStatus(),
      metadata: isTerminal(state) ? this.#metadata() : undefined,
    };
    return [{ $case: 'statusUpdate', value }];
  }

  #encodeStatus(): NonNullable<Task['status']> {
    const { state, message, atMs } = this.#status;
    return { state, message, timestamp: new Date(atMs).toISOString() };
  }

  #wait(event: RunEvent): Told[] {
    const tickets = [...this.#tickets.values()];
    const state = isSignInAlone(tickets) ? TaskState.TASK_STATE_AUTH_REQUIRED : TaskState.TASK_STATE_INPUT_REQUIRED;
    return this.#set(state, event, encodeQuestions(tickets));
  }

  /** What was asked stays in the conversation once something came of it, and so does the answer, unless it is a secret. */
  #close(event: RunEvent & { type: 'ticket.closed' }): Told[] {
    const { ticketId, decision } = event;
    this.#tickets.delete(ticketId);
    const { state, message } = this.#status;
    if (message !== undefined && isAsking(state)) {
      this.#history.push(message);
      this.#status = { ...this.#status, message: undefined };
    }
    const answer = decision === undefined ? undefined : encodeAnswer(ticketId, decision);
    if (answer !== undefined) {
      const said = agentMessage(`${this.#name.taskId}:${event.seq}`, this.#name, [dataPart(answer)]);
      this.#history.push({ ...said, role: Role.ROLE_USER });
    }
    return [];
  }

  #finish(event: RunEvent, outcome: Outcome): Told[] {
    const result = outcome.type === 'completed' ? outcome.result : undefined;
    const told: Told[] = [];
    if (result !== undefined) {
      const id = `${this.#name.taskId}:result`;
      this.#artifacts.set(id, { name: 'result', description: '', parts: [], growing: false });
      told.push(...this.#add(id, [{ type: 'data', json: result }], true));
    }
    const { state, parts } = endOf(outcome);
    return [...told, ...this.#set(state, event, parts)];
  }

  /** What a later attempt says again replaces what this one said. */
  #discard(id: ItemId): Told[] {
    const draft = this.#artifacts.get(id);
    this.#artifacts.delete(id);
    this.#reasoning.delete(id);
    if (draft === undefined || draft.parts.length === 0) return [];
    const emptied = { ...draft, parts: [textPart('')] };
    return [this.#artifactUpdate(encodeDraft([id, emptied]), { append: false, lastChunk: false })];
  }

  #fill({ id, name, description, parts, append, last }: RunEvent & { type: 'artifact' }): Told[] {
    const known = append ? this.#artifacts.get(id) : undefined;
    const draft = known ?? { name: '', description: '', parts: [], growing: false };
    if (name !== undefined) draft.name = name;
    if (description !== undefined) draft.description = description;
    this.#artifacts.set(id, draft);
    return this.#add(id, parts, last);
  }

  #add(id: ItemId, parts: readonly Part[], lastChunk: boolean): Told[] {
    const draft = this.#artifacts.get(id);
    if (draft === undefined) return [];
    const append = draft.parts.length > 0;
    const chunk = parts.length > 0 ? parts.map(encodePart) : [textPart('')];
    for (const part of chunk) grow(draft, part);
    return [this.#artifactUpdate(encodeDraft([id, { ...draft, parts: chunk }]), { append, lastChunk })];
  }

  #artifactUpdate(artifact: Artifact, how: { readonly append: boolean; readonly lastChunk: boolean }): Told {
    const { taskId, contextId } = this.#name;
    return { $case: 'artifactUpdate', value: { taskId, contextId, artifact, ...how, metadata: undefined } };
  }

  #count({ provider, model, tokens }: RunEvent & { type: 'usage' }): void {
    const key = JSON.stringify([provider, model]);
    const sum = this.#usage.get(key) ?? { provider, model, tokens: {} };
    for (const [kind, count] of Object.entries(tokens)) {
      if (count !== undefined) sum.tokens[kind] = (sum.tokens[kind] ?? 0) + count;
    }
    this.#usage.set(key, sum);
  }

  #metadata(): { usage: unknown } | undefined {
    return this.#usage.size === 0 ? undefined : { usage: [...this.#usage.values()] };
  }
}

/** Text that follows text is one part of the snapshot: a client that joins late gets no thousand parts. */
function grow(draft: Draft, part: WirePart): void {
  const last = draft.parts.at(-1);
  const isPlain = part.content?.$case === 'text' && part.metadata === undefined && part.mediaType === '';
  if (draft.growing && isPlain && last?.content?.$case === 'text' && part.content?.$case === 'text') {
    draft.parts[draft.parts.length - 1] = textPart(last.content.value + part.content.value);
  } else {
    draft.parts.push(part);
  }
  draft.growing = isPlain;
}

function encodeDraft([artifactId, { name, description, parts }]: [ItemId, Draft]): Artifact {
  return { artifactId, name, description, parts: [...parts], metadata: undefined, extensions: [] };
}

function encodeAnswer(ticketId: string, decision: Decision): JsonObject | undefined {
  if (decision.how !== 'answered') return undefined;
  const { type, ...rest } = decision.answer;
  return { ticketId, answer: type, ...(rest as Record<string, Json>) };
}

/** How a task ends by the outcome of its run. */
export function endOf(outcome: Outcome): { readonly state: TaskState; readonly parts: WirePart[] | undefined } {
  switch (outcome.type) {
    case 'completed':
      switch (outcome.stop) {
        case 'end_turn':
          return { state: TaskState.TASK_STATE_COMPLETED, parts: undefined };
        case 'refusal':
          return { state: TaskState.TASK_STATE_REJECTED, parts: undefined };
        case 'max_tokens':
        case 'max_turns':
        case 'timeout':
          return { state: TaskState.TASK_STATE_FAILED, parts: [textPart(`The agent stopped early: ${outcome.stop}.`)] };
      }
    case 'cancelled':
      return { state: TaskState.TASK_STATE_CANCELED, parts: undefined };
    case 'failed': {
      const { code, message, retryable } = outcome.fault;
      const parts = [textPart(message), dataPart({ type: 'fault', code, retryable })];
      return { state: TaskState.TASK_STATE_FAILED, parts };
    }
  }
}
