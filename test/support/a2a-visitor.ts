import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Message, Role, type StreamResponse, type Task, TaskState } from '@a2a-js/sdk';
import type { Client } from '@a2a-js/sdk/client';
import { deferred } from '../../src/deferred.ts';
import { type Binding, connect, dataOf, Followed, message, textOfParts } from './a2a-server.ts';
import { type Doors, tokenOf } from './doors.ts';
import { until } from './until.ts';
import type { Ending, Question, Reply, Shown, Turn, Visit, Visitor } from './visitor.ts';

/** Somebody with the client of `@a2a-js/sdk`, whose conversation is a context and each turn of it a task. */
export class A2aVisitor implements Visitor {
  readonly conversation: string;
  readonly #client: Client;
  #connection = new AbortController();

  private constructor(client: Client, conversation: string) {
    this.#client = client;
    this.conversation = conversation;
  }

  static async open(
    { url }: Doors,
    { as, agentId = 'demo', conversation = randomUUID() }: Visit,
    binding: Binding,
  ): Promise<A2aVisitor> {
    return new A2aVisitor(await connect(url, binding, tokenOf(as), agentId), conversation);
  }

  say(text: string): Turn {
    const turn = this.#turn();
    turn.send(message(text, { contextId: this.conversation }));
    return turn;
  }

  #turn(): TaskTurn {
    return new TaskTurn(this.#client, this.#connection.signal);
  }

  cut(): Promise<void> {
    this.#connection.abort();
    this.#connection = new AbortController();
    return Promise.resolve();
  }

  async comeBack(): Promise<Shown> {
    const [latest] = await this.#tasks(this.conversation);
    if (latest === undefined) throw new Error('there is nothing to come back to');
    const turn = this.#turn();
    turn.watch(latest.id);
    return turn;
  }

  async read(conversation = this.conversation): Promise<readonly string[]> {
    const tasks = await this.#tasks(conversation);
    return tasks.toReversed().flatMap(linesOf);
  }

  /** Newest first. */
  async #tasks(contextId: string): Promise<readonly Task[]> {
    const { tasks } = await this.#client.listTasks({
      tenant: '',
      contextId,
      status: TaskState.TASK_STATE_UNSPECIFIED,
      pageToken: '',
      statusTimestampAfter: undefined,
      includeArtifacts: true,
    });
    return tasks;
  }

  async talkNonsense(): Promise<string> {
    const request = message('');
    if (request.message !== undefined) request.message.parts = [];
    const refused: unknown = await this.#client.sendMessage(request).catch((thrown: unknown) => thrown);
    return (refused as Error).name;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cut();
  }
}

class TaskTurn implements Turn {
  readonly #client: Client;
  readonly #signal: AbortSignal;
  readonly #ended = deferred<Ending>();
  #followed = new Followed();
  #thought = '';
  readonly #results: string[] = [];
  #isOnlooker = false;
  #watching: Promise<void> = Promise.resolve();

  constructor(client: Client, signal: AbortSignal) {
    this.#client = client;
    this.#signal = signal;
  }

  get ended(): Promise<Ending> {
    return this.#ended.promise;
  }

  get text(): string {
    return this.#followed.task?.artifacts.map(({ parts }) => textOfParts(parts)).join('') ?? '';
  }

  get thought(): string {
    return this.#thought;
  }

  get results(): readonly string[] {
    return this.#results;
  }

  send(request: ReturnType<typeof message>): void {
    void this.#follow(this.#client.sendMessageStream(request, { signal: this.#signal })).catch(() => undefined);
  }

  /** Shows a task until nothing of it is to come. */
  watch(id: string): void {
    this.#isOnlooker = true;
    this.#watching = this.#watch(id).catch(() => undefined);
  }

  async #watch(id: string): Promise<void> {
    while (this.#isOnlooker && !this.#signal.aborted) {
      const task = await this.#client.getTask({ tenant: '', id }, { signal: this.#signal });
      this.#followed = new Followed();
      this.#apply({ payload: { $case: 'task', value: task } });
      if (this.#settle()) return;
      if (stateOf(this.#followed) === TaskState.TASK_STATE_INPUT_REQUIRED) await delay(2);
      // It may have ended since, of which the next look tells.
      else
        await this.#follow(this.#client.resubscribeTask({ tenant: '', id }, { signal: this.#signal })).catch(() => 0);
    }
  }

  async #follow(stream: AsyncIterable<StreamResponse>): Promise<void> {
    for await (const one of stream) this.#apply(one);
    this.#settle();
  }

  #apply(one: StreamResponse): void {
    const { payload } = one;
    if (payload?.$case === 'task') this.#followed = new Followed();
    this.#followed.apply(one);
    const { message: said } = (payload?.$case === 'statusUpdate' ? payload.value.status : undefined) ?? {};
    if (said !== undefined && stateOf(this.#followed) === TaskState.TASK_STATE_WORKING) this.#work(said);
  }

  /** What is said of the work: of a tool in data and its result in text, of thoughts in text. */
  #work({ parts }: Message): void {
    const [data] = dataOf(parts);
    if (data === undefined) this.#thought += textOfParts(parts);
    else if (data['type'] === 'tool' && data['status'] !== 'called') this.#results.push(textOfParts(parts));
  }

  #settle(): boolean {
    const ending = endingOf(this.#followed);
    if (ending !== undefined) this.#ended.resolve(ending);
    return ending !== undefined;
  }

  async asks(count: number): Promise<readonly Question[]> {
    return await until(`${count} questions`, () => {
      const questions = questionsOf(this.#followed);
      return questions.length >= count ? questions : undefined;
    });
  }

  async answer(...replies: readonly (readonly [Question, Reply])[]): Promise<void> {
    // From here on the answers' streams tell.
    this.#isOnlooker = false;
    await this.#watching;
    for (const [{ id: ticketId }, reply] of replies) {
      const data = { ticketId, ...dataFor(reply) };
      await this.#follow(this.#client.sendMessageStream(message('', { taskId: this.#id, data })));
    }
  }

  async answerWrongly(
    question: Question,
    value: object,
  ): Promise<{ readonly why: string; readonly question: Question }> {
    const refused: unknown = await this.answer([question, { value }]).catch((thrown: unknown) => thrown);
    const [open] = questionsOf(this.#followed);
    if (open === undefined) throw new Error('nothing is asked any more');
    return { why: (refused as Error).message, question: open };
  }

  async cancel(): Promise<void> {
    await this.#client.cancelTask({ tenant: '', id: this.#id, metadata: undefined });
  }

  get #id(): string {
    return this.#followed.task?.id ?? '';
  }
}

function stateOf({ task }: Followed): TaskState {
  return task?.status?.state ?? TaskState.TASK_STATE_UNSPECIFIED;
}

function endingOf(followed: Followed): Ending | undefined {
  switch (stateOf(followed)) {
    case TaskState.TASK_STATE_COMPLETED:
      return { is: 'completed' };
    case TaskState.TASK_STATE_CANCELED:
      return { is: 'cancelled' };
    case TaskState.TASK_STATE_FAILED: {
      const [fault] = dataOf(followed.task?.status?.message?.parts ?? []);
      return { is: 'failed', code: String(fault?.['code']), told: JSON.stringify(followed.task) };
    }
    default:
      return undefined;
  }
}

function questionsOf(followed: Followed): Question[] {
  if (stateOf(followed) !== TaskState.TASK_STATE_INPUT_REQUIRED) return [];
  const asked = dataOf(followed.task?.status?.message?.parts ?? []);
  return asked.map(({ ticketId, text }) => ({ id: String(ticketId), text: String(text) }));
}

function dataFor(reply: Reply): object {
  if (reply === 'dismiss') return { dismissed: true };
  return typeof reply === 'string' ? { approved: reply === 'approve' } : reply;
}

/** Questions and answers are in the history too; they have no text of their own there, or are the agent's. */
function linesOf({ history, artifacts }: Task): string[] {
  const said = history.filter(({ role }) => role === Role.ROLE_USER).map(({ parts }) => textOfParts(parts));
  return [
    ...said.filter((text) => text !== '').map((text) => `user: ${text}`),
    ...artifacts.map(({ parts }) => `agent: ${textOfParts(parts)}`),
  ];
}
