import { randomUUID } from 'node:crypto';
import { CopilotKitCore, ProxiedCopilotRuntimeAgent } from '@copilotkit/core';
import { until } from './until.ts';

export type Transport = NonNullable<ConstructorParameters<typeof CopilotKitCore>[0]['runtimeTransport']>;

export interface PageOptions {
  /** Of the gateway. */
  readonly url: string;
  readonly transport?: Transport;
  readonly headers?: Record<string, string>;
  readonly threadId?: string;
  readonly agentId?: string;
}

/** A page with one conversation, on CopilotKit's own client core: what its React components do, without them. */
export class Page {
  readonly core: CopilotKitCore;
  /** What an application's `onError` would be told. */
  readonly errors: string[] = [];
  readonly #agentId: string;
  readonly #threadId: string;

  constructor({ url, transport = 'auto', headers = {}, threadId = randomUUID(), agentId = 'demo' }: PageOptions) {
    this.#agentId = agentId;
    this.#threadId = threadId;
    this.core = new CopilotKitCore({ runtimeUrl: `${url}/copilotkit`, runtimeTransport: transport, headers });
    this.core.subscribe({
      onError: ({ code, error }) => {
        this.errors.push(`${code}: ${error.message}`);
      },
    });
  }

  static async open(options: PageOptions): Promise<Page> {
    const page = new Page(options);
    await page.settled();
    return page;
  }

  /** Resolves when its runtime has answered, or has not. */
  async settled(): Promise<void> {
    await until('the runtime', () => ['connected', 'error'].includes(this.core.runtimeConnectionStatus));
  }

  get agent(): ProxiedCopilotRuntimeAgent {
    const agent = this.core.getAgent(this.#agentId);
    if (!(agent instanceof ProxiedCopilotRuntimeAgent)) throw new Error(`there is no agent ${this.#agentId}`);
    agent.threadId = this.#threadId;
    return agent;
  }

  /** The text of the conversation, a line a message: `user: hello`. */
  get transcript(): string[] {
    return this.agent.messages
      .filter(({ role, content }) => role === 'user' || role === 'tool' || (role === 'assistant' && content))
      .map(({ role, content }) => `${role}: ${String(content)}`);
  }

  async say(content: string): Promise<void> {
    this.agent.addMessage({ id: randomUUID(), role: 'user', content });
    await this.core.runAgent({ agent: this.agent });
  }

  async approve(): Promise<void> {
    const { agent, core } = this;
    const resume = agent.pendingInterrupts.map(({ id }) => ({
      interruptId: id,
      status: 'resolved' as const,
      payload: { approved: true },
    }));
    await core.runAgent({ agent, resume });
  }

  async connect(): Promise<void> {
    await this.core.connectAgent({ agent: this.agent });
  }

  stop(): void {
    this.core.stopAgent({ agent: this.agent });
  }
}
