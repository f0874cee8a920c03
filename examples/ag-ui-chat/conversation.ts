// One conversation with an agent: what this page shows of it, and what can be done with it.
import {
  type AgentSubscriber,
  buildResumeArray,
  type Interrupt,
  type Message,
  randomUUID,
  type ResumeEntry,
  type State,
} from '@ag-ui/client';
import { ResumableHttpAgent } from 'anyport/ag-ui';
import { offeredTools, runPageTool } from './page-tools.ts';
import type { Question, Reply } from './question-view.ts';

export type Status =
  | { readonly is: 'connecting' | 'working' | 'ready' | 'stopped' }
  | { readonly is: 'asking'; readonly count: number }
  | { readonly is: 'failed'; readonly why: string };

export class Conversation {
  readonly #agent: ResumableHttpAgent;
  readonly #onChange: () => void;
  /** The other tabs on this thread: a tab that looks on is only told of one run, so each says when it begins another. */
  readonly #tabs: BroadcastChannel;
  /** By question. Kept, so that answers which could not be sent can be sent again. */
  readonly #chosen = new Map<string, Reply>();
  #status: Status = { is: 'ready' };
  #isBusy = false;
  #hasMissed = false;

  constructor({ url, threadId, onChange }: { url: string; threadId: string; onChange: () => void }) {
    this.#agent = new ResumableHttpAgent({
      url,
      threadId,
      fetch: (to: string, init: RequestInit) => this.#fetch(to, init),
    });
    this.#agent.subscribe({ onMessagesChanged: onChange, onStateChanged: onChange });
    this.#onChange = onChange;
    this.#tabs = new BroadcastChannel(threadId);
    this.#tabs.addEventListener('message', () => void this.look());
  }

  get messages(): readonly Message[] {
    return this.#agent.messages;
  }

  get state(): State {
    return this.#agent.state;
  }

  get status(): Status {
    return this.#status;
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** What the agent waits for, until the run that was given the answers has ended well. */
  get questions(): readonly Question[] {
    return this.#agent.pendingInterrupts.map((interrupt) => ({
      key: interrupt.id,
      interrupt,
      chosen: this.#chosen.get(interrupt.id),
    }));
  }

  async say(text: string): Promise<void> {
    this.#agent.addMessage({ id: randomUUID(), role: 'user', content: text });
    await this.#occupied(() => this.#run());
  }

  /** Chooses the answer to a question. AG-UI takes the answers to all open questions at once, so the last one sends them. */
  async choose({ id }: Interrupt, reply: Reply): Promise<void> {
    this.#chosen.set(id, reply);
    const open = this.#agent.pendingInterrupts;
    if (open.some((interrupt) => !this.#chosen.has(interrupt.id))) {
      this.#onChange();
      return;
    }
    const resume = buildResumeArray(open, Object.fromEntries(this.#chosen));
    await this.#occupied(() => this.#run(resume));
  }

  /** Ends what the agent does, for whoever looks on. Leaving the page would not. */
  async stop(): Promise<void> {
    try {
      await this.#agent.cancel();
    } catch (thrown) {
      this.#show(failure(thrown));
      return;
    }
    // What waits for answers is followed by nobody.
    if (!this.#isBusy) await this.look();
  }

  /** Shows the conversation as it is, and what runs on it to its end. */
  async look(): Promise<void> {
    if (this.#isBusy) {
      this.#hasMissed = true;
      return;
    }
    await this.#occupied(async () => {
      await this.#follow((subscriber) => this.#agent.connectAgent({}, subscriber));
    });
  }

  /** One thing at a time: an agent of the client follows one run. */
  async #occupied(work: () => Promise<void>): Promise<void> {
    this.#isBusy = true;
    await work();
    this.#isBusy = false;
    this.#onChange();
    if (!this.#hasMissed) return;
    this.#hasMissed = false;
    await this.look();
  }

  /** Runs the agent, and goes on for as long as it calls tools of this page. */
  async #run(resume?: ResumeEntry[]): Promise<void> {
    const parameters = resume === undefined ? { tools: offeredTools } : { tools: offeredTools, resume };
    const calls = await this.#follow((subscriber) =>
      this.#agent.runAgent(parameters, {
        ...subscriber,
        onRunStartedEvent: () => {
          // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
          this.#tabs.postMessage('a run began');
        },
      }),
    );
    if (calls.length === 0) return;
    for (const toolCallId of calls) {
      const call = this.messages
        .flatMap((message) => (message.role === 'assistant' ? (message.toolCalls ?? []) : []))
        .find(({ id }) => id === toolCallId);
      const { name = '', arguments: args = '' } = call?.function ?? {};
      this.#agent.addMessage({ id: randomUUID(), role: 'tool', toolCallId, ...runPageTool(name, args) });
    }
    await this.#run();
  }

  /** Follows a run to its end. Returns the calls that it left to this page. */
  async #follow(begin: (subscriber: AgentSubscriber) => Promise<unknown>): Promise<readonly string[]> {
    let calls: readonly string[] = [];
    let end: Status = { is: 'ready' };
    this.#show({ is: 'connecting' });
    try {
      await begin({
        onRunFinishedEvent: (finished) => {
          if (finished.outcome === 'success') calls = finished.pendingToolCallIds;
          if (finished.outcome === 'interrupt') end = { is: 'asking', count: finished.interrupts.length };
          if (finished.outcome === 'cancelled') end = { is: 'stopped' };
        },
        onRunErrorEvent: ({ event }) => {
          end = { is: 'failed', why: event.message };
        },
      });
    } catch (thrown) {
      end = failure(thrown);
    }
    this.#show(end);
    return calls;
  }

  /** The client's requests. It repeats those that a broken stream needs by itself, for as long as it is worth while. */
  async #fetch(url: string, init: RequestInit): Promise<Response> {
    try {
      const response = await fetch(url, init);
      if (this.#isBusy) this.#show({ is: 'working' });
      return response;
    } catch (thrown) {
      if (this.#isBusy) this.#show({ is: 'connecting' });
      throw thrown;
    }
  }

  #show(status: Status): void {
    this.#status = status;
    this.#onChange();
  }
}

function failure(thrown: unknown): Status {
  return { is: 'failed', why: thrown instanceof Error ? thrown.message : String(thrown) };
}
