// The operations of A2A over the gateway, for one agent. Bindings and versions are others' business.
// https://a2a-protocol.org/v1.0.1/specification/#3-a2a-protocol-operations
import { randomUUID } from 'node:crypto';
import {
  type AgentCard,
  type CancelTaskRequest,
  type DeleteTaskPushNotificationConfigRequest,
  type GetTaskPushNotificationConfigRequest,
  type GetTaskRequest,
  type ListTaskPushNotificationConfigsRequest,
  type ListTaskPushNotificationConfigsResponse,
  type ListTasksRequest,
  type ListTasksResponse,
  type SendMessageRequest,
  type StreamResponse,
  type SubscribeToTaskRequest,
  type Task,
  type TaskPushNotificationConfig,
  TaskState,
} from '@a2a-js/sdk';
import {
  ExtendedAgentCardNotConfiguredError,
  TaskNotCancelableError,
  UnsupportedOperationError,
} from '@a2a-js/sdk/errors';
import type { A2ARequestHandler, ServerCallContext } from '@a2a-js/sdk/server';
import type { TicketAnswer, WhenBusy } from '../../schemas/activation.ts';
import type { AgentCard as Agent } from '../../schemas/agent-card.ts';
import type { RunReport } from '../../schemas/control.ts';
import type { RunId, ThreadId } from '../../schemas/id.ts';
import type { Part } from '../../schemas/part.ts';
import type { Clock } from '../../src/clock.ts';
import { Fault } from '../../src/fault.ts';
import type { Caller, Gateway, Receipt, Submission } from '../../src/gateway.ts';
import { decodeReply } from './answers.ts';
import { Call } from './call.ts';
import type { Contexts } from './contexts.ts';
import { decodeSend, historyViolations, messageOf, type Sent } from './decode.ts';
import { Violations } from './faults.ts';
import { agentMessage } from './messages.ts';
import { textPart } from './parts.ts';
import { inline, type PushConfigs } from './push-configs.ts';
import { decodePosition, encodePosition } from '../../src/log-position.ts';
import { listTasks } from './task-list.ts';
import type { Tasks, Told } from './tasks.ts';
import { chooseVersion, type Version } from './version.ts';

export interface HandlerOptions {
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly agent: Agent;
  readonly tasks: Tasks;
  readonly contexts: Contexts;
  readonly push: PushConfigs;
  readonly card: () => AgentCard;
  /** For callers who are known, as one who speaks this version can check it. */
  readonly extendedCard: (version: Version) => Promise<AgentCard>;
  /** What a message for a new task does where its thread runs. */
  readonly whenBusy: WhenBusy;
  /** The longest that SendMessage waits for its task. */
  readonly maxWaitMs: number;
  /** The longest that CancelTask waits for its task to end. */
  readonly cancelWaitMs: number;
}

/** What became of a message. */
type Placed =
  | { readonly is: 'accepted'; readonly receipt: Receipt }
  /** A follow-up that had been accepted before. */
  | { readonly is: 'repeated'; readonly runId: RunId }
  /** It answers none of the open questions for certain; nothing was written. */
  | { readonly is: 'unclear'; readonly runId: RunId; readonly why: string };

export class Handler implements A2ARequestHandler {
  readonly #options: HandlerOptions;

  constructor(options: HandlerOptions) {
    this.#options = options;
  }

  getAgentCard(): Promise<AgentCard> {
    return Promise.resolve(this.#options.card());
  }

  getAuthenticatedExtendedAgentCard(_params: object, context: ServerCallContext): Promise<AgentCard> {
    return noted(context, async ({ requestedVersion }) => {
      const card = await this.#options.extendedCard(chooseVersion(requestedVersion, ['1.0', '0.3']));
      // Where nobody is asked for a token nobody can be told more than others.
      if (card.capabilities?.extendedAgentCard === true) return card;
      throw new ExtendedAgentCardNotConfiguredError('callers are not told apart here: there is one card for all');
    });
  }

  sendMessage(params: SendMessageRequest, context: ServerCallContext): Promise<Task> {
    return noted(context, async (call) => {
      const sent = decodeSend(params, this.#options.agent);
      const placed = await this.#place(call, sent);
      return shortened(await this.#outcomeOf(call, sent, placed), sent.historyLength);
    });
  }

  async #outcomeOf(call: Call, sent: Sent, placed: Placed): Promise<Task> {
    const { tasks, maxWaitMs } = this.#options;
    const { caller } = call;
    if (placed.is === 'unclear') return this.#askAgain(caller, placed);
    const [runId, afterSeq] =
      placed.is === 'accepted' ? [placed.receipt.runId, placed.receipt.activation.afterSeq] : [placed.runId, undefined];
    if (sent.returnImmediately) return tasks.snapshot(caller, runId);
    using wait = this.#waitFor(call, maxWaitMs);
    return await tasks.settled(caller, runId, afterSeq, wait.signal);
  }

  async *sendMessageStream(
    params: SendMessageRequest,
    context: ServerCallContext,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    const call = Call.of(context);
    try {
      const sent = decodeSend(params, this.#options.agent);
      const placed = await this.#place(call, sent);
      yield* told(call, await this.#follow(call, placed), sent);
    } catch (thrown) {
      call.fault = thrown;
      throw thrown;
    }
  }

  async #follow({ caller, signal }: Call, placed: Placed): Promise<AsyncIterable<Told>> {
    const { tasks } = this.#options;
    switch (placed.is) {
      case 'accepted':
        return tasks.answer(caller, placed.receipt.runId, placed.receipt.activation.afterSeq, signal);
      case 'repeated':
        return tasks.join(caller, await tasks.get(caller, placed.runId), signal);
      case 'unclear': {
        const value = await this.#askAgain(caller, placed);
        return only({ payload: { $case: 'task', value }, position: undefined, isLast: true });
      }
    }
  }

  async *resubscribe(
    { id }: SubscribeToTaskRequest,
    context: ServerCallContext,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    const call = Call.of(context);
    try {
      const { tasks } = this.#options;
      const found = await tasks.get(call.caller, id);
      const { run } = found.report;
      const from = call.lastEventId === undefined ? undefined : decodePosition(call.lastEventId);
      const isMissed = from !== undefined && run.lastSeq !== undefined && from.seq < run.lastSeq;
      if (run.status === 'done' && !isMissed) {
        throw new UnsupportedOperationError(`the task ${id} has ended; GetTask tells how`);
      }
      const resumed = from === undefined ? undefined : await tasks.resume(call.caller, found, from, call.signal);
      yield* told(call, resumed ?? tasks.join(call.caller, found, call.signal), {});
    } catch (thrown) {
      call.fault = thrown;
      throw thrown;
    }
  }

  getTask({ id, historyLength }: GetTaskRequest, context: ServerCallContext): Promise<Task> {
    return noted(context, async ({ caller }) => {
      const violations = historyViolations(historyLength);
      if (violations.length > 0) throw new Violations(violations);
      return shortened(await this.#options.tasks.snapshot(caller, id), historyLength);
    });
  }

  listTasks(params: ListTasksRequest, context: ServerCallContext): Promise<ListTasksResponse> {
    return noted(context, async ({ caller }) => {
      const { gateway, agent, tasks } = this.#options;
      const listed = await listTasks({ gateway, tasks, agentId: agent.id, caller }, params);
      const shown = listed.tasks.map((task) => shortened(task, params.historyLength));
      const artifacts = params.includeArtifacts === true;
      return { ...listed, tasks: artifacts ? shown : shown.map((task) => ({ ...task, artifacts: [] })) };
    });
  }

  cancelTask({ id }: CancelTaskRequest, context: ServerCallContext): Promise<Task> {
    return noted(context, async (call) => {
      const { gateway, tasks, cancelWaitMs } = this.#options;
      const { caller } = call;
      const { report } = await tasks.get(caller, id);
      if (report.run.status === 'done') return this.#cancelled(caller, id);
      await gateway.runs.cancel(caller, id);
      using wait = this.#waitFor(call, cancelWaitMs);
      const { run } = await gateway.runs.wait(caller, id, 'done', wait.signal);
      return run.status === 'done' ? this.#cancelled(caller, id) : tasks.snapshot(caller, id);
    });
  }

  /** Cancelling what is cancelled is a no-op; what ended otherwise stays so. */
  async #cancelled(caller: Caller, id: RunId): Promise<Task> {
    const task = await this.#options.tasks.snapshot(caller, id);
    if (task.status?.state === TaskState.TASK_STATE_CANCELED) return task;
    throw new TaskNotCancelableError({ message: `the task ${id} has ended already`, metadata: { taskId: id } });
  }

  createTaskPushNotificationConfig(
    params: TaskPushNotificationConfig,
    context: ServerCallContext,
  ): Promise<TaskPushNotificationConfig> {
    return noted(context, (call) => this.#options.push.create(call, params));
  }
  getTaskPushNotificationConfig(
    params: GetTaskPushNotificationConfigRequest,
    context: ServerCallContext,
  ): Promise<TaskPushNotificationConfig> {
    return noted(context, (call) => this.#options.push.get(call, params));
  }
  listTaskPushNotificationConfigs(
    params: ListTaskPushNotificationConfigsRequest,
    context: ServerCallContext,
  ): Promise<ListTaskPushNotificationConfigsResponse> {
    return noted(context, (call) => this.#options.push.list(call, params));
  }
  deleteTaskPushNotificationConfig(
    params: DeleteTaskPushNotificationConfigRequest,
    context: ServerCallContext,
  ): Promise<void> {
    return noted(context, (call) => this.#options.push.remove(call, params));
  }

  async #place(call: Call, sent: Sent): Promise<Placed> {
    const { push } = this.#options;
    if (sent.push !== undefined) push.check(call, sent.push, inline);
    const placed = await (sent.taskId === undefined
      ? this.#begin(call, sent)
      : this.#followUp(call, sent, sent.taskId));
    if (sent.push !== undefined && placed.is === 'accepted') await push.follow(call, placed.receipt, sent.push);
    return placed;
  }

  async #begin(call: Call, sent: Sent): Promise<Placed> {
    const { gateway, contexts, whenBusy } = this.#options;
    const threadId = await contexts.threadFor(call.caller, sent.contextId, call.idempotencyKey);
    const submission = this.#submission(call, sent, { threadId, parts: sent.parts });
    const receipt = await gateway.submit(call.caller, { ...submission, whenBusy });
    this.#warn(call, receipt);
    return { is: 'accepted', receipt };
  }

  async #followUp(call: Call, sent: Sent, taskId: RunId): Promise<Placed> {
    const { gateway, tasks } = this.#options;
    const { caller, idempotencyKey } = call;
    const { report, thread } = await tasks.get(caller, taskId);
    const { contextId } = thread.thread;
    if (sent.contextId !== undefined && sent.contextId !== contextId) {
      throw new Violations([{ field: 'message.contextId', description: 'is not the context of the task' }]);
    }
    const { threadId, status } = report.run;
    const known =
      idempotencyKey === undefined
        ? undefined
        : await gateway.findActivation(caller, threadId, `a2a:${idempotencyKey}`);
    if (known !== undefined) return { is: 'repeated', runId: taskId };
    switch (status) {
      case 'done':
        throw ended(taskId);
      case 'created':
        return this.#steer(call, sent, { threadId, taskId });
      case 'running':
      case 'waiting':
        return (await this.#reply(call, sent, { report, threadId })) ?? this.#steer(call, sent, { threadId, taskId });
    }
  }

  /** A message to a task that asks something, or did. Undefined: it answers nothing, and nothing is asked. */
  async #reply(
    call: Call,
    sent: Sent,
    { report, threadId }: { readonly report: RunReport; readonly threadId: ThreadId },
  ): Promise<Placed | undefined> {
    const { tickets, run } = report;
    const reply = decodeReply(sent.parts, tickets);
    if (reply.is === 'unclear') {
      // A run that asks while it still works takes words as it takes them at any other time.
      return run.status === 'running' ? undefined : { is: 'unclear', runId: run.id, why: reply.why };
    }
    const { decisions, rest } = reply;
    const open = decisions.map(({ ticketId }) => tickets.find((one) => one.id === ticketId));
    if (open.every((ticket) => ticket === undefined)) {
      const repeated = await this.#repeatAnswers(call, run.id, decisions);
      if (repeated === undefined && tickets.length > 0) {
        const asked = decisions.map(({ ticketId }) => ticketId).join(' or ');
        throw new Fault('invalid-answer', `the task asked no ${asked}`, { path: 'message.parts' });
      }
      return repeated;
    }
    if (call.caller.origin === 'agent' && open.some((ticket) => ticket?.mayDecide === 'person')) {
      throw new Fault('forbidden', 'only a person may answer this, and callers of A2A count as agents here');
    }
    const submission = this.#submission(call, sent, { threadId, parts: rest });
    const receipt = await this.#submitTo(call, run.id, { ...submission, decisions: [...decisions] });
    const { warnings } = receipt.activation;
    this.#warn(call, receipt);
    if (warnings.length >= decisions.length) {
      throw new Fault('invalid-answer', warnings.join('; '), { path: 'message.parts' });
    }
    return { is: 'accepted', receipt };
  }

  /**
   * Answers to questions that are closed: the same ones again change nothing, others are refused. Undefined: nobody asked
   * such a question.
   */
  async #repeatAnswers(
    { caller }: Call,
    runId: RunId,
    decisions: readonly TicketAnswer[],
  ): Promise<Placed | undefined> {
    const { tickets } = this.#options.gateway;
    const asked = await Promise.all(decisions.map(({ ticketId }) => tickets.find(caller, ticketId)));
    if (asked.every((ticket) => ticket === undefined)) return undefined;
    for (const [index, { ticketId, answer, decisionId }] of decisions.entries()) {
      if (asked[index]?.runId !== runId) {
        throw new Fault('invalid-answer', `the task asked no ${ticketId}`, { path: 'message.parts' });
      }
      await tickets.decide(caller, ticketId, { answer, decisionId });
    }
    return { is: 'repeated', runId };
  }

  async #steer(call: Call, sent: Sent, { threadId, taskId }: { threadId: ThreadId; taskId: RunId }): Promise<Placed> {
    const submission = this.#submission(call, sent, { threadId, parts: sent.parts });
    return { is: 'accepted', receipt: await this.#submitTo(call, taskId, submission) };
  }

  /** A repetition is recognised before anything else is looked at, so what it is refused for is looked at afterwards. */
  async #submitTo({ caller }: Call, taskId: RunId, submission: Submission): Promise<Receipt> {
    const { gateway } = this.#options;
    const bound = { whenBusy: 'steer', bound: taskId, expectedRunId: taskId } as const;
    try {
      return await gateway.submit(caller, { ...submission, ...bound });
    } catch (thrown) {
      if (Fault.from(thrown).code !== 'run-conflict') throw thrown;
      const report = await gateway.runs.find(caller, taskId);
      throw report === undefined || report.run.status === 'done' ? ended(taskId) : thrown;
    }
  }

  #submission(
    call: Call,
    sent: Sent,
    { threadId, parts }: { readonly threadId: ThreadId; readonly parts: readonly Part[] },
  ): Submission {
    return {
      threadId,
      door: 'a2a',
      key: call.idempotencyKey ?? randomUUID(),
      agentId: this.#options.agent.id,
      origin: call.caller.origin,
      messages: parts.length > 0 ? [messageOf(sent, parts)] : [],
      messagesAre: 'new',
      decisions: [],
      toolResults: [],
      whenBusy: 'queue',
      tools: [],
      context: [],
      references: sent.references,
      acceptedModes: sent.acceptedModes,
      metadata: sent.metadata,
      trace: call.trace,
      endsAt: 'waiting',
      priority: 128,
    };
  }

  #warn({ log }: Call, { activation: { id, warnings } }: Receipt): void {
    if (warnings.length > 0) log.warn({ activation: id, warnings }, 'set aside in an A2A message');
  }

  /** The task as it is, with a word on how to answer. */
  async #askAgain(caller: Caller, { runId, why }: Placed & { is: 'unclear' }): Promise<Task> {
    const task = await this.#options.tasks.snapshot(caller, runId);
    const { status } = task;
    if (status === undefined) return task;
    const name = { taskId: task.id, contextId: task.contextId };
    const parts = [textPart(why), ...(status.message?.parts ?? [])];
    return { ...task, status: { ...status, message: agentMessage(randomUUID(), name, parts) } };
  }

  /** Ends with the call, and in any case after a while. */
  #waitFor(call: Call, waitMs: number): Disposable & { readonly signal: AbortSignal } {
    const { clock } = this.#options;
    const controller = new AbortController();
    const abort = (): void => {
      controller.abort();
    };
    const cancel = clock.at(clock.now() + waitMs, abort);
    call.signal.addEventListener('abort', abort);
    if (call.signal.aborted) abort();
    return {
      signal: controller.signal,
      [Symbol.dispose]() {
        cancel();
        call.signal.removeEventListener('abort', abort);
      },
    };
  }
}

function ended(taskId: RunId): Error {
  return new UnsupportedOperationError({ message: `the task ${taskId} has ended`, metadata: { taskId } });
}

/** Leaves what an operation fails with on its call. */
async function noted<Result>(context: ServerCallContext, run: (call: Call) => Promise<Result>): Promise<Result> {
  const call = Call.of(context);
  try {
    return await run(call);
  } catch (thrown) {
    call.fault = thrown;
    throw thrown;
  }
}

async function* told(
  call: Call,
  source: AsyncIterable<Told>,
  { historyLength }: { readonly historyLength?: number | undefined },
): AsyncGenerator<StreamResponse, void, undefined> {
  for await (const { payload, position, isLast } of source) {
    call.position = position === undefined ? '' : encodePosition(position);
    call.isCaughtUp = isLast;
    const isTask = payload.$case === 'task';
    yield { payload: isTask ? { $case: 'task', value: shortened(payload.value, historyLength) } : payload };
  }
}

async function* only(one: Told): AsyncGenerator<Told> {
  yield await Promise.resolve(one);
}

function shortened(task: Task, historyLength: number | undefined): Task {
  if (historyLength === undefined) return task;
  return { ...task, history: historyLength === 0 ? [] : task.history.slice(-historyLength) };
}
