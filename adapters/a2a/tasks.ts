// Tasks as they stand: runs of this door's caller, and folds of their logs.
import type { Message, StreamResponse, Task, TaskState } from '@a2a-js/sdk';
import { TaskNotFoundError } from '@a2a-js/sdk/errors';
import type { RunReport, ThreadStatus } from '../../schemas/control.ts';
import type { RunId, ThreadId } from '../../schemas/id.ts';
import type { Message as ThreadMessage } from '../../schemas/message.ts';
import type { Run } from '../../schemas/run.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import { Fault } from '../../src/fault.ts';
import type { Caller, Gateway } from '../../src/gateway.ts';
import { encodeInput, encodeMessage } from './messages.ts';
import { encodePart } from './parts.ts';
import { allFrames, type Position } from '../../src/log-position.ts';
import { endOf, endsStream, isSettled, isTerminal, type ShownWork, TaskFold } from './task-fold.ts';

/** A task whose run was found for a caller. */
export interface FoundTask {
  readonly report: RunReport;
  readonly thread: ThreadStatus;
}

/** What a follower is told, and from where it would go on. */
export interface Told {
  readonly payload: NonNullable<StreamResponse['payload']>;
  /** Undefined: it is told this once, and is in no log. */
  readonly position: Position | undefined;
  /** Nothing more is there yet. */
  readonly isLast: boolean;
}

export interface TasksOptions {
  readonly gateway: Gateway;
  readonly agentId: string;
  readonly shown: ReadonlySet<ShownWork>;
}

const pageSize = 250;

/** What an accepted message brings about in the same commit: a stream's first word includes it. */
const opening: ReadonlySet<RunEvent['type']> = new Set([
  'run.queued',
  'run.started',
  'message.added',
  'ticket.closed',
  'run.resumed',
  'input.staged',
  'thread.branched',
]);

export class Tasks {
  readonly #options: TasksOptions;

  constructor(options: TasksOptions) {
    this.#options = options;
  }

  /** @throws the SDK's TaskNotFound: it is not there, or another caller's, or another agent's */
  async get(caller: Caller, id: RunId): Promise<FoundTask> {
    const { gateway } = this.#options;
    const report = id === '' ? undefined : await gateway.runs.find(caller, id);
    if (report === undefined || !this.#isShown(caller, report.run)) throw notFound(id);
    const thread = await gateway.threads.find(caller, report.run.threadId);
    if (thread === undefined) throw notFound(id);
    return { report, thread };
  }

  #isShown({ actor }: Caller, run: Run): boolean {
    return run.actor === actor && run.agentId === this.#options.agentId;
  }

  /** The task as it is now. */
  async snapshot(caller: Caller, id: RunId): Promise<Task> {
    return this.#snapshotOf(caller, await this.get(caller, id));
  }

  async #snapshotOf(caller: Caller, found: FoundTask): Promise<Task> {
    const fold = await this.#foldTo(caller, found, found.thread.head);
    return fold === undefined ? recalled(found) : this.#withWaiting(caller, found, fold.snapshot());
  }

  /** The state that a task is in, and since when. */
  async statusOf(caller: Caller, id: RunId): Promise<{ readonly state: TaskState; readonly atMs: number }> {
    const found = await this.get(caller, id);
    const { state, statusAtMs: atMs } = (await this.#foldTo(caller, found, found.thread.head)) ?? this.#empty(found);
    return { state, atMs };
  }

  /**
   * The task as it is once it needs its caller, or when `signal` aborts. `afterSeq`: what was before is known; a
   * question that was open then may have been answered since. Undefined: everything is known.
   */
  async settled(caller: Caller, id: RunId, afterSeq: number | undefined, signal: AbortSignal): Promise<Task> {
    const found = await this.get(caller, id);
    if (found.report.run.status === 'done') return this.#snapshotOf(caller, found);
    const { fold, at } = await this.#opened(caller, found, afterSeq ?? found.thread.head);
    if (!isSettled(fold.state)) await this.#foldOn(caller, found, fold, at, signal);
    return this.#withWaiting(caller, found, fold.snapshot());
  }

  async #foldOn(caller: Caller, { report }: FoundTask, fold: TaskFold, at: number, signal: AbortSignal): Promise<void> {
    for await (const page of this.#options.gateway.follow(caller, report.run.threadId, at, signal)) {
      for (const event of page) {
        fold.fold(event);
        if (isSettled(fold.state)) return;
      }
    }
  }

  /** The task as it was taken up, and what becomes of it, until it needs its caller. */
  async *answer(caller: Caller, id: RunId, afterSeq: number, signal: AbortSignal): AsyncGenerator<Told> {
    const found = await this.get(caller, id);
    const { fold, at } = await this.#opened(caller, found, afterSeq);
    yield* this.#tell(caller, found, { fold, at }, signal);
  }

  /** The task as it is, and what becomes of it. */
  async *join(caller: Caller, found: FoundTask, signal: AbortSignal): AsyncGenerator<Told> {
    const { head } = found.thread;
    const fold = await this.#foldTo(caller, found, head);
    if (fold !== undefined) {
      yield* this.#tell(caller, found, { fold, at: head }, signal);
      return;
    }
    const { logId } = found.thread;
    yield {
      payload: { $case: 'task', value: recalled(found) },
      position: { logId, seq: head, frames: allFrames },
      isLast: true,
    };
  }

  /** What becomes of the task after a position, exactly. Undefined: the position is not, or not any more, in its log. */
  async resume(
    caller: Caller,
    found: FoundTask,
    from: Position,
    signal: AbortSignal,
  ): Promise<AsyncGenerator<Told> | undefined> {
    const { logId, head } = found.thread;
    if (from.logId !== logId || from.seq > head) return undefined;
    const fold = await this.#foldTo(caller, found, from.seq - 1);
    return fold === undefined ? undefined : this.#follow(caller, found, { fold, at: from.seq - 1, from }, signal);
  }

  async *#tell(
    caller: Caller,
    found: FoundTask,
    { fold, at }: { readonly fold: TaskFold; readonly at: number },
    signal: AbortSignal,
  ): AsyncGenerator<Told> {
    const { logId } = found.thread;
    const value = await this.#withWaiting(caller, found, fold.snapshot());
    yield { payload: { $case: 'task', value }, position: { logId, seq: at, frames: allFrames }, isLast: true };
    if (endsStream(fold.state)) return;
    yield* this.#follow(caller, found, { fold, at, from: undefined }, signal);
  }

  async *#follow(
    caller: Caller,
    found: FoundTask,
    start: { readonly fold: TaskFold; readonly at: number; readonly from: Position | undefined },
    signal: AbortSignal,
  ): AsyncGenerator<Told> {
    const { fold, at, from } = start;
    const { logId } = found.thread;
    for await (const page of this.#options.gateway.follow(caller, found.report.run.threadId, at, signal)) {
      const news: Told[] = [];
      let ends = false;
      for (const event of page) {
        const { seq } = event;
        const fresh = fold
          .fold(event)
          .map((payload, index) => ({ payload, position: { logId, seq, frames: index + 1 }, isLast: false }))
          .filter(({ position: { frames } }) => from?.seq !== seq || frames > from.frames);
        news.push(...fresh);
        // Who was told before that the task waits, and comes again, waits for what follows.
        ends = fresh.length > 0 && endsStream(fold.state);
        if (ends) break;
      }
      for (const [index, one] of news.entries()) yield { ...one, isLast: index === news.length - 1 };
      if (ends) return;
    }
  }

  /** The fold up to what an accepted message brought about at once. */
  async #opened(caller: Caller, found: FoundTask, afterSeq: number): Promise<{ fold: TaskFold; at: number }> {
    const fold = (await this.#foldTo(caller, found, afterSeq)) ?? this.#empty(found);
    const { threadId } = found.report.run;
    let at = afterSeq;
    for (const event of await this.#options.gateway.events(caller, threadId, afterSeq, pageSize)) {
      if (!opening.has(event.type)) break;
      fold.fold(event);
      at = event.seq;
    }
    return { fold, at };
  }

  /** The fold of a task up to an event, that one not included; of nothing where the log begins later. */
  async foldBefore(caller: Caller, id: RunId, seq: number): Promise<TaskFold> {
    const found = await this.get(caller, id);
    return (await this.#foldTo(caller, found, seq - 1)) ?? this.#empty(found);
  }

  /** Undefined when there is no log of it, or not any more. */
  async #foldTo(caller: Caller, found: FoundTask, seq: number): Promise<TaskFold | undefined> {
    const fold = this.#empty(found);
    const { threadId, firstSeq, lastSeq, status } = found.report.run;
    // What was cancelled in its queue has left no events of its own.
    if (firstSeq === undefined) return status === 'done' ? undefined : fold;
    const upTo = Math.min(seq, lastSeq ?? seq);
    try {
      await foldBetween(this.#options.gateway, caller, { threadId, fold, after: firstSeq - 1, before: upTo + 1 });
    } catch (thrown) {
      if (Fault.from(thrown).code === 'cursor-expired') return undefined;
      throw thrown;
    }
    return fold;
  }

  #empty({ report, thread }: FoundTask): TaskFold {
    const { id: taskId, createdAtMs } = report.run;
    return new TaskFold({ taskId, contextId: thread.thread.contextId }, this.#options.shown, createdAtMs);
  }

  /** With the messages that no turn has taken yet. */
  async #withWaiting(caller: Caller, { report, thread }: FoundTask, task: Task): Promise<Task> {
    const { run } = report;
    if (task.status !== undefined && isTerminal(task.status.state)) return task;
    const entries = await this.#options.gateway.queue.list(caller, run.threadId);
    const name = { taskId: run.id, contextId: thread.thread.contextId };
    const waiting = entries
      .filter(({ activation: { state } }) => 'runId' in state && state.runId === run.id)
      .flatMap(({ activation, messages }) =>
        messages.flatMap((message, index) => encodeInput(message, activation.messageIds[index] ?? '', name) ?? []),
      );
    return { ...task, history: [...task.history, ...waiting] };
  }
}

interface Stretch {
  readonly threadId: ThreadId;
  readonly fold: TaskFold;
  readonly after: number;
  readonly before: number;
}

/** Folds the events between two numbers of a thread's log, neither included. */
export async function foldBetween(
  gateway: Gateway,
  caller: Caller,
  { threadId, fold, after, before }: Stretch,
): Promise<void> {
  for (let at = after; at < before - 1;) {
    const page = await gateway.events(caller, threadId, at, Math.min(pageSize, before - 1 - at));
    for (const event of page) fold.fold(event);
    at = page.at(-1)?.seq ?? before;
  }
}

function notFound(id: string): Error {
  return new TaskNotFoundError({ message: `no task has the id ${JSON.stringify(id)}`, metadata: { taskId: id } });
}

/** A task whose events are gone, out of what its run left: its messages and how it ended. */
function recalled({ report, thread }: FoundTask): Task {
  const { run, messages } = report;
  const name = { taskId: run.id, contextId: thread.thread.contextId };
  const end = run.outcome === undefined ? undefined : endOf(run.outcome);
  const timestamp = new Date(run.endedAtMs ?? run.createdAtMs).toISOString();
  return {
    id: run.id,
    contextId: name.contextId,
    status: end === undefined ? undefined : { state: end.state, message: undefined, timestamp },
    artifacts: messages.filter((message) => message.role === 'assistant').flatMap(artifactOf),
    history: messages
      .filter((message) => message.role === 'user')
      .flatMap((message): Message[] => {
        const encoded = encodeMessage(message, name);
        return encoded === undefined ? [] : [encoded];
      }),
    metadata: undefined,
  };
}

function artifactOf({ id, parts }: ThreadMessage): Task['artifacts'] {
  if (parts.length === 0) return [];
  const encoded = parts.map(encodePart);
  return [{ artifactId: id, name: '', description: '', parts: encoded, metadata: undefined, extensions: [] }];
}
