import { setImmediate as nextTick } from 'node:timers/promises';
import { type CreateElicitationResponse, RequestError, type RequestPermissionResponse } from '@agentclientprotocol/sdk';
import type * as acp from '@agentclientprotocol/sdk';
import { type Deferred, deferred } from '../../src/deferred.ts';
import { Ide } from './acp-client.ts';
import type { AcpWire, Doors } from './doors.ts';
import { until } from './until.ts';
import type { Ending, Question, Reply, Shown, Turn, Visit, Visitor } from './visitor.ts';

export type AcpTransport = 'acpLines' | 'acpWebSocket' | 'acpHttp';

const home = { cwd: '/home/ann', mcpServers: [] };

/** Somebody with an IDE that is made with `@agentclientprotocol/sdk`. */
export class AcpVisitor implements Visitor {
  readonly conversation: string;
  readonly #connect: () => AcpWire;
  #line: Line;

  private constructor(connect: () => AcpWire, line: Line, conversation: string) {
    this.#connect = connect;
    this.#line = line;
    this.conversation = conversation;
  }

  static async open(
    doors: Doors,
    { as, agentId = 'demo', conversation }: Visit,
    transport: AcpTransport,
  ): Promise<AcpVisitor> {
    const connect = (): AcpWire => doors[transport](as, agentId);
    const line = await Line.open(connect());
    if (conversation !== undefined) await line.load(conversation);
    return new AcpVisitor(connect, line, conversation ?? (await line.ide.open(home)).sessionId);
  }

  say(text: string): Turn {
    const turn = new SessionTurn(this.#line, this.conversation);
    turn.prompt(text);
    return turn;
  }

  cut(): Promise<void> {
    this.#line.cut();
    return Promise.resolve();
  }

  async comeBack(): Promise<Shown> {
    await this.#line[Symbol.asyncDispose]();
    this.#line = await Line.open(this.#connect());
    const turn = new SessionTurn(this.#line, this.conversation);
    await this.#line.load(this.conversation);
    return turn;
  }

  async read(conversation = this.conversation): Promise<readonly string[]> {
    await using line = await Line.open(this.#connect());
    const refused = await line.load(conversation).catch((thrown: unknown) => thrown);
    if (refused instanceof RequestError && refused.code === -32002) return [];
    if (refused !== undefined) throw refused;
    return linesOf(line.ide.of(conversation));
  }

  async talkNonsense(): Promise<string> {
    const nonsense = { sessionId: this.conversation, prompt: 'none' } as never;
    const refused: unknown = await this.#line.ide
      .request('session/prompt', nonsense)
      .catch((thrown: unknown) => thrown);
    return String((refused as RequestError).code);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#line[Symbol.asyncDispose]();
  }
}

interface Open extends Question {
  readonly reply: Deferred<Reply>;
}

/** A connection, with what its person is asked on it. */
class Line implements AsyncDisposable {
  readonly ide: Ide;
  readonly open: Open[] = [];
  readonly cut: () => void;
  #asked = 0;

  private constructor({ stream, cut }: AcpWire) {
    this.cut = cut;
    this.ide = new Ide(stream, {
      onPermission: async ({ toolCall, options }, signal) =>
        permissionOf(await this.#ask(toolCall.title ?? '', signal), options),
      onElicitation: async ({ message }, signal) => elicitationOf(await this.#ask(message, signal)),
    });
  }

  static async open(wire: AcpWire): Promise<Line> {
    const line = new Line(wire);
    await line.ide.request('initialize', {
      protocolVersion: 1,
      clientCapabilities: { elicitation: { form: {} } },
      clientInfo: { name: 'visitor', version: '1' },
    });
    return line;
  }

  async load(sessionId: string): Promise<void> {
    await this.ide.request('session/load', { sessionId, ...home });
    await nextTick();
  }

  async #ask(text: string, signal: AbortSignal): Promise<Reply> {
    const question = { id: `question ${(this.#asked += 1)}`, text, reply: deferred<Reply>() };
    this.open.push(question);
    signal.addEventListener('abort', () => {
      question.reply.reject(signal.reason);
    });
    try {
      return await question.reply.promise;
    } finally {
      this.open.splice(this.open.indexOf(question), 1);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { reply } of this.open) reply.reject(new Error('the line is closed'));
    await this.ide[Symbol.asyncDispose]();
  }
}

class SessionTurn implements Turn {
  readonly #line: Line;
  readonly #sessionId: string;
  readonly #ended = deferred<Ending>();
  /** How many updates came before it. */
  readonly #from: number;

  constructor(line: Line, sessionId: string) {
    this.#line = line;
    this.#sessionId = sessionId;
    this.#from = line.ide.of(sessionId).length;
  }

  get ended(): Promise<Ending> {
    return this.#ended.promise;
  }

  get text(): string {
    return this.#said('agent_message_chunk');
  }

  get thought(): string {
    return this.#said('agent_thought_chunk');
  }

  get results(): readonly string[] {
    return this.#updates.flatMap((update) =>
      update.sessionUpdate === 'tool_call_update' && update.status === 'completed'
        ? [(update.content ?? []).map(textOfContent).join('')]
        : [],
    );
  }

  #said(kind: acp.SessionUpdate['sessionUpdate']): string {
    return this.#updates.map((update) => (update.sessionUpdate === kind ? chunkOf(update) : '')).join('');
  }

  /** A session that is loaded tells all turns: this one begins at the last that a user said. */
  get #updates(): acp.SessionUpdate[] {
    const updates = this.#line.ide.of(this.#sessionId).slice(this.#from);
    return updates.slice(updates.findLastIndex(({ sessionUpdate }) => sessionUpdate === 'user_message_chunk') + 1);
  }

  prompt(text: string): void {
    this.#line.ide.prompt(this.#sessionId, text).then(
      (stopReason) => {
        this.#ended.resolve({ is: stopReason === 'cancelled' ? 'cancelled' : 'completed' });
      },
      (thrown: unknown) => {
        // Whoever is cut off is told nothing.
        if (!(thrown instanceof RequestError)) return;
        const { code } = thrown.data as { readonly code: string };
        this.#ended.resolve({ is: 'failed', code, told: JSON.stringify(thrown) + thrown.message });
      },
    );
  }

  async asks(count: number): Promise<readonly Question[]> {
    const { open } = this.#line;
    await until(`${count} questions`, () => open.length >= count);
    return [...open];
  }

  answer(...replies: readonly (readonly [Question, Reply])[]): Promise<void> {
    for (const [question, reply] of replies) this.#find(question).reply.resolve(reply);
    return Promise.resolve();
  }

  async answerWrongly(
    question: Question,
    value: object,
  ): Promise<{ readonly why: string; readonly question: Question }> {
    this.#find(question).reply.resolve({ value });
    const again = await until('the question again', () => this.#line.open.find(({ id }) => id !== question.id));
    return { why: again.text, question: again };
  }

  #find(question: Question): Open {
    const found = this.#line.open.find(({ id }) => id === question.id);
    if (found === undefined) throw new Error(`nobody asks ${question.text}`);
    return found;
  }

  cancel(): Promise<void> {
    return this.#line.ide.cancel(this.#sessionId);
  }
}

function permissionOf(reply: Reply, options: readonly acp.PermissionOption[]): RequestPermissionResponse {
  if (reply === 'dismiss') return { outcome: { outcome: 'cancelled' } };
  const kind = reply === 'approve' ? 'allow_once' : 'reject_once';
  const option = options.find((one) => one.kind === kind);
  return { outcome: { outcome: 'selected', optionId: option?.optionId ?? '' } };
}

function elicitationOf(reply: Reply): CreateElicitationResponse {
  if (typeof reply === 'string') return { action: reply === 'dismiss' ? 'cancel' : 'decline' };
  return { action: 'accept', content: reply.value as Record<string, acp.ElicitationContentValue> };
}

function chunkOf(update: acp.SessionUpdate): string {
  const { content } = update as acp.ContentChunk;
  return content.type === 'text' ? content.text : '';
}

function textOfContent(one: acp.ToolCallContent): string {
  return one.type === 'content' && one.content.type === 'text' ? one.content.text : '';
}

/** Chunks of one message are a line. */
function linesOf(updates: readonly acp.SessionUpdate[]): string[] {
  const messages = new Map<string, string>();
  for (const update of updates) {
    const { sessionUpdate: kind } = update;
    if (kind !== 'user_message_chunk' && kind !== 'agent_message_chunk') continue;
    const id = String(update.messageId);
    const who = kind === 'user_message_chunk' ? 'user' : 'agent';
    messages.set(id, (messages.get(id) ?? `${who}: `) + chunkOf(update));
  }
  return [...messages.values()];
}
