import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type AgentSubscriber, HttpAgent, type Interrupt, type Message } from '@ag-ui/client';
import { deferred } from '../../src/deferred.ts';
import { type Doors, headersOf } from './doors.ts';
import { until } from './until.ts';
import type { Ending, Question, Reply, Shown, Turn, Visit, Visitor } from './visitor.ts';

/** Somebody with `@ag-ui/client`, each turn in a tab of its own. */
export class AgUiVisitor implements Visitor {
  readonly conversation: string;
  readonly #url: string;
  readonly #agentId: string;
  readonly #headers: Record<string, string>;
  #tabs: Tab[] = [];
  /** The one that is looked at. */
  #tab: Tab | undefined;

  private constructor({ url }: Doors, { as, agentId = 'demo', conversation = randomUUID() }: Visit) {
    this.conversation = conversation;
    this.#url = `${url}/ag-ui`;
    this.#agentId = agentId;
    this.#headers = headersOf(as);
  }

  static open(doors: Doors, visit: Visit): Promise<AgUiVisitor> {
    return Promise.resolve(new AgUiVisitor(doors, visit));
  }

  say(text: string): Turn {
    const shown = this.#tab?.agent.messages ?? [];
    const tab = this.#open(this.conversation, [...shown, { id: randomUUID(), role: 'user', content: text }]);
    this.#tab = tab;
    tab.run();
    return tab;
  }

  cut(): Promise<void> {
    for (const { agent } of this.#tabs) agent.abortRun();
    this.#tabs = [];
    return Promise.resolve();
  }

  comeBack(): Promise<Shown> {
    const tab = this.#open(this.conversation);
    this.#tab = tab;
    tab.watch();
    return Promise.resolve(tab);
  }

  async read(conversation = this.conversation): Promise<readonly string[]> {
    const tab = this.#open(conversation);
    const failure = await tab.look();
    if (failure !== undefined && !codeOf(failure).startsWith('404')) throw failure;
    return tab.agent.messages.flatMap(lineOf);
  }

  async talkNonsense(): Promise<string> {
    const { agent } = this.#open(this.conversation);
    agent.fetch = (to, init) => fetch(to, { ...init, body: JSON.stringify({ threadId: 't', messages: 'none' }) });
    return codeOf(await failureOf(agent));
  }

  #open(threadId: string, initialMessages: readonly Message[] = []): Tab {
    const headers = this.#headers;
    const agent = new HttpAgent({
      url: `${this.#url}/${this.#agentId}`,
      threadId,
      headers,
      initialMessages: [...initialMessages],
    });
    const tab = new Tab(agent, `${this.#url}/threads/${threadId}`);
    this.#tabs.push(tab);
    return tab;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const tab of this.#tabs) tab.close();
    await this.cut();
  }
}

class Tab implements Turn {
  readonly agent: HttpAgent;
  readonly #threadUrl: string;
  readonly #ended = deferred<Ending>();
  readonly #post: HttpAgent['fetch'];
  #isOnlooker = false;
  #watching: Promise<void> = Promise.resolve();

  constructor(agent: HttpAgent, threadUrl: string) {
    this.agent = agent;
    this.#threadUrl = threadUrl;
    this.#post = agent.fetch;
  }

  get ended(): Promise<Ending> {
    return this.#ended.promise;
  }

  get text(): string {
    return this.#said('assistant').join('');
  }

  get thought(): string {
    return this.#said('reasoning').join('');
  }

  get results(): readonly string[] {
    return this.#said('tool');
  }

  /** What was said since the last that a user said. */
  #said(role: Message['role']): string[] {
    const { messages } = this.agent;
    const turn = messages.slice(messages.findLastIndex((message) => message.role === 'user') + 1);
    return turn.flatMap((message) => (message.role === role && message.content ? [String(message.content)] : []));
  }

  run(): void {
    void this.#run({});
  }

  /** Shows the thread until nothing on it is to come. */
  watch(): void {
    this.#isOnlooker = true;
    this.#watching = this.#watch();
  }

  async #watch(): Promise<void> {
    while (this.#isOnlooker) {
      await this.look();
      if (this.agent.pendingInterrupts.length === 0) return;
      // Longer than `asks` takes to look.
      await delay(5);
    }
  }

  close(): void {
    this.#isOnlooker = false;
  }

  /** What the thread shows to somebody who comes to it, until it ends or waits. */
  async look(): Promise<Error | undefined> {
    const { agent } = this;
    agent.fetch = (_, { headers, signal }) =>
      fetch(`${this.#threadUrl}/stream?protocolVersion=1.0`, {
        headers: { ...(headers as Record<string, string>), accept: 'text/event-stream' },
        ...(signal && { signal }),
      });
    agent.pendingInterrupts = [];
    const failure = await failureOf(agent);
    agent.fetch = this.#post;
    return failure;
  }

  async #run(parameters: Parameters<HttpAgent['runAgent']>[0]): Promise<void> {
    let ending: Ending | undefined;
    const subscriber: AgentSubscriber = {
      onRunFinishedEvent({ event: { outcome } }) {
        if (outcome === undefined || typeof outcome === 'string' || outcome.type === 'interrupt') return;
        ending = { is: outcome.type === 'cancelled' ? 'cancelled' : 'completed' };
      },
      onRunErrorEvent({ event }) {
        ending = { is: 'failed', code: event.code ?? '', told: JSON.stringify(event) };
      },
    };
    await this.agent.runAgent(parameters, subscriber).catch(() => undefined);
    if (ending !== undefined) this.#ended.resolve(ending);
  }

  async asks(count: number): Promise<readonly Question[]> {
    const { agent } = this;
    await until(`${count} interrupts`, () => agent.pendingInterrupts.length >= count && !agent.isRunning);
    return agent.pendingInterrupts.map(questionOf);
  }

  async answer(...replies: readonly (readonly [Question, Reply])[]): Promise<void> {
    this.#isOnlooker = false;
    await this.#watching;
    const resume = replies.map(([{ id: interruptId }, reply]) =>
      reply === 'dismiss'
        ? ({ interruptId, status: 'cancelled' } as const)
        : ({ interruptId, status: 'resolved', payload: payloadOf(reply) } as const),
    );
    await this.#run({ resume });
  }

  async answerWrongly(
    question: Question,
    value: object,
  ): Promise<{ readonly why: string; readonly question: Question }> {
    await this.answer([question, { value }]);
    const [asked] = this.agent.pendingInterrupts;
    if (asked === undefined) throw new Error('nothing is asked any more');
    const { problem = '' } = (asked.metadata?.['anyport'] ?? {}) as { problem?: string };
    return { why: problem, question: questionOf(asked) };
  }

  /** AG-UI has no word for it: its frontends call the gateway. */
  async cancel(): Promise<void> {
    const { status } = await fetch(`${this.#threadUrl}/cancel`, { method: 'POST', headers: this.agent.headers });
    if (status !== 200) throw new Error(`cancel was answered with ${status}`);
  }
}

function questionOf({ id, message = '' }: Interrupt): Question {
  return { id, text: message };
}

function payloadOf(reply: Exclude<Reply, 'dismiss'>): object {
  return typeof reply === 'string' ? { approved: reply === 'approve' } : reply.value;
}

function lineOf({ role, content }: Message): string[] {
  if (role === 'user') return [`user: ${String(content)}`];
  return role === 'assistant' && content ? [`agent: ${content}`] : [];
}

/** What the client would print and throw, unless its subscriber takes it. */
async function failureOf(agent: HttpAgent): Promise<Error | undefined> {
  const taken: object = { stopPropagation: true };
  let failure: Error | undefined;
  await agent.runAgent(
    {},
    {
      onRunFailed({ error }) {
        failure = error;
        return taken;
      },
    },
  );
  return failure;
}

/** The HTTP status, and the problem's own code. */
function codeOf(failure: unknown): string {
  const { status, payload } = failure as { readonly status?: number; readonly payload?: { readonly code?: string } };
  return `${status} ${payload?.code}`;
}
