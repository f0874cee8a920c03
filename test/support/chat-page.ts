import { fileURLToPath } from 'node:url';
import type { Interrupt, RunAgentInput } from '@ag-ui/client';
import type { BrowserContext, Locator, Page } from 'playwright-core';
import { build, preview } from 'vite';

export interface Site extends AsyncDisposable {
  readonly url: string;
}

/** The example frontend as a site of its own, built for one agent. */
export async function serveChat(outDir: string, agentUrl: string): Promise<Site> {
  const config = {
    root: fileURLToPath(new URL('../../examples/ag-ui-chat', import.meta.url)),
    configFile: false,
    logLevel: 'error',
    build: { outDir, emptyOutDir: true },
  } as const;
  await build({ ...config, define: { 'import.meta.env.VITE_AGENT': JSON.stringify(agentUrl) } });
  const server = await preview({ ...config, preview: { host: '127.0.0.1', port: 0 } });
  const [url] = server.resolvedUrls?.local ?? [];
  if (url === undefined) throw new Error('the example frontend is not served');
  return { url, [Symbol.asyncDispose]: () => server.close() };
}

/** A tab with the example frontend, found and used as a person does: by what it says, and with the keyboard. */
export class ChatPage {
  readonly page: Page;
  /** What went wrong in it that nobody caught. */
  readonly errors: Error[] = [];
  /** The sites that it called. */
  readonly called = new Set<string>();

  private constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(40_000);
    page.on('pageerror', (error) => this.errors.push(error));
    page.on('request', (request) => this.called.add(new URL(request.url()).origin));
  }

  /** A tab at the address of another one shows its thread. */
  static async open(context: BrowserContext, url: string): Promise<ChatPage> {
    const chat = new ChatPage(await context.newPage());
    await chat.page.goto(url);
    return chat;
  }

  get log(): Locator {
    return this.page.getByRole('log', { name: 'Conversation' });
  }

  get input(): Locator {
    return this.page.getByRole('textbox', { name: 'Message' });
  }

  /** What the agent said, message by message. */
  answers(): Promise<string[]> {
    return this.log.locator('.agent p').allTextContents();
  }

  /** To which number the latest answer to `/stream` has counted. */
  async reached(): Promise<number> {
    return Number((await this.answers()).at(-1)?.trim().split(' ').at(-1) ?? 0);
  }

  /** In front: browsers let a tab that nobody sees draw once a second. */
  async say(text: string): Promise<void> {
    await this.page.bringToFront();
    await this.input.fill(text);
    await this.input.press('Enter');
  }

  /** Waits for words somewhere in the conversation. */
  async reads(words: string | RegExp): Promise<void> {
    await this.log.getByText(words).first().waitFor();
  }

  /** Waits until the page says so of itself. */
  async isNow(status: string): Promise<void> {
    await this.page.getByRole('status').filter({ hasText: status }).waitFor();
  }

  /** Whatever is said, the page is asked this, in place of the gateway. Resolves with what it answers. */
  async askInstead(interrupt: Interrupt): Promise<{ readonly resumed: Promise<unknown> }> {
    let resolve: (resume: unknown) => void;
    const resumed = new Promise((take) => {
      resolve = take;
    });
    await this.page.route('**/ag-ui/demo', async (route) => {
      const { threadId, runId, resume } = route.request().postDataJSON() as RunAgentInput;
      const outcome = resume === undefined ? { type: 'interrupt', interrupts: [interrupt] } : { type: 'success' };
      if (resume !== undefined) resolve(resume);
      const frames = [
        { type: 'RUN_STARTED', threadId, runId, protocolVersion: '1.0' },
        { type: 'RUN_FINISHED', threadId, runId, outcome },
      ];
      await route.fulfill({
        headers: { 'access-control-allow-origin': '*' },
        contentType: 'text/event-stream',
        body: frames.map((frame) => `data: ${JSON.stringify(frame)}\n\n`).join(''),
      });
    });
    return { resumed };
  }

  async focused(element: Locator): Promise<void> {
    await element.and(this.page.locator(':focus')).waitFor();
  }

  get questions(): Locator {
    return this.page.getByRole('region', { name: 'Questions for you' });
  }

  /** The card that asks whether a message may be sent to somebody. */
  approval(to: string): Locator {
    return this.questions.getByRole('group', { name: to });
  }
}
