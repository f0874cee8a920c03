import { randomUUID } from 'node:crypto';
import type { AgentSubscriber, BaseEvent, HttpAgent, Interrupt, Message, ResumeEntry } from '@ag-ui/client';
import { type Cancellable, type Fetch, resumable } from '../../adapters/ag-ui/client/index.ts';
import { type Client, plainFetch, setFetch } from './ag-ui-clients.ts';
import type { Transcript } from './checker.ts';

type RunParameters = NonNullable<Parameters<HttpAgent['runAgent']>[0]>;

/** What one request showed. */
export interface Turn {
  readonly events: readonly (BaseEvent & Record<string, unknown>)[];
  /** Of RUN_FINISHED or RUN_ERROR; undefined when the stream broke off. */
  readonly outcome: string | undefined;
  readonly interrupts: readonly Interrupt[];
  /** What the client threw: its verifier, or HTTP. */
  readonly failure: Error | undefined;
}

export interface FrontendOptions {
  readonly url: string;
  readonly threadId?: string;
  readonly token?: string;
  readonly scope?: string;
  /** Its streams outlive their connections; it can connect and cancel. */
  readonly isResumable?: boolean;
}

/** A frontend with one conversation, on a stock client: what a page would do. */
export class Frontend {
  readonly client: Client;
  readonly agent: HttpAgent;
  /** What its requests received, frame by frame. */
  readonly transcripts: Transcript[] = [];
  readonly #scope: string;

  constructor(client: Client, options: FrontendOptions) {
    const { url, threadId = randomUUID(), token, scope = 'local', isResumable = false } = options;
    this.client = client;
    this.#scope = scope;
    const Stock = client.HttpAgent;
    const Agent = isResumable ? resumable(Stock, { firstWaitMs: 20, longestWaitMs: 200 }) : Stock;
    this.agent = new Agent({
      url: `${url}/ag-ui/demo`,
      threadId,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
    const inner = isResumable ? this.agent.fetch : plainFetch;
    setFetch(this.agent, (to, init) => this.#record(inner, to, init));
  }

  /**
   * Fetches and takes a transcript. A connection that breaks ends the body quietly: the stock client would leave a
   * rejection that nobody handles.
   */
  async #record(fetch: Fetch, url: string, init: RequestInit): Promise<Response> {
    const response = await fetch(url, init);
    const isStream = response.headers.get('content-type') === 'text/event-stream';
    if (!response.ok || !isStream || response.body === null) return response;
    const { runId } = JSON.parse(String(init.body ?? '{}')) as { runId?: string };
    const frames: Transcript['frames'][number][] = [];
    const transcript = {
      thread: { scope: this.#scope, threadId: this.agent.threadId },
      door: 'ag-ui' as const,
      key: runId,
      frames,
      cut: true,
    };
    this.transcripts.push(transcript);
    const reader = response.body.getReader();
    const text = new TextDecoder();
    let rest = '';
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const next = await reader.read().catch(() => undefined);
        if (next === undefined || next.done) {
          transcript.cut = next === undefined;
          controller.close();
          return;
        }
        const whole = (rest + text.decode(next.value, { stream: true })).split('\n\n');
        rest = whole.pop() ?? '';
        frames.push(...whole.flatMap(parseFrame));
        controller.enqueue(next.value);
      },
      cancel: (reason) => reader.cancel(reason),
    });
    return new Response(body, { status: response.status, headers: response.headers });
  }

  get messages(): readonly Message[] {
    return this.agent.messages;
  }

  /** The text of the conversation, a line a message: `user: hello`. */
  get transcript(): string[] {
    return this.agent.messages
      .filter((message) => message.role === 'user' || (message.role === 'assistant' && message.content))
      .map((message) => `${message.role}: ${String(message.content)}`);
  }

  say(text: string, parameters: RunParameters = {}): Promise<Turn> {
    this.agent.addMessage({ id: randomUUID(), role: 'user', content: text });
    return this.run(parameters);
  }

  run(parameters: RunParameters = {}): Promise<Turn> {
    return this.#watch((subscriber) => this.agent.runAgent(parameters, subscriber));
  }

  /** Looks on at what runs on its thread. */
  connect(): Promise<Turn> {
    return this.#watch((subscriber) => this.agent.connectAgent({}, subscriber));
  }

  /** Ends what it began. It must be resumable. */
  async cancel(): Promise<void> {
    await (this.agent as HttpAgent & Cancellable).cancel();
  }

  /** Answers what is asked; a client that does not know interrupts goes the way that was there before them. */
  answer(resume: readonly ResumeEntry[]): Promise<Turn> {
    return this.run(
      this.client.knowsInterrupts ? { resume: [...resume] } : { forwardedProps: { command: { resume } } },
    );
  }

  approve(interrupts: readonly Interrupt[], verdict: (index: number) => boolean = () => true): Promise<Turn> {
    return this.answer(
      interrupts.map(({ id }, index) => ({
        interruptId: id,
        status: 'resolved',
        payload: { approved: verdict(index) },
      })),
    );
  }

  async #watch(look: (subscriber: AgentSubscriber) => Promise<unknown>): Promise<Turn> {
    const events: Turn['events'][number][] = [];
    let failure: Error | undefined;
    await look({
      onEvent: ({ event }) => {
        events.push(structuredClone(event));
      },
      onRunFailed: ({ error }) => {
        failure = error;
      },
    }).catch((error: unknown) => {
      failure ??= error as Error;
    });
    const last = events.findLast((event) => event.type === 'RUN_FINISHED' || event.type === 'RUN_ERROR');
    const { interrupts = [] } = (last?.['outcome'] ?? {}) as { interrupts?: Interrupt[] };
    return { events, outcome: outcomeOf(last), interrupts, failure };
  }
}

function outcomeOf(last: Turn['events'][number] | undefined): string | undefined {
  if (last === undefined) return undefined;
  if (last.type === 'RUN_ERROR') return `error ${String(last['code'])}`;
  return (last['outcome'] as { readonly type: string } | undefined)?.type ?? 'success';
}

/** The text of a turn's assistant messages as its deltas spell it. */
export function textOf(turn: Turn): string {
  return turn.events.map((event) => (event.type === 'TEXT_MESSAGE_CONTENT' ? String(event['delta']) : '')).join('');
}

function parseFrame(frame: string): Transcript['frames'][number][] {
  const lines = frame.split('\n');
  const data = lines.find((line) => line.startsWith('data: '))?.slice(6);
  const id = lines.find((line) => line.startsWith('id: '))?.slice(4);
  return data === undefined ? [] : [{ id, event: JSON.parse(data) as Transcript['frames'][number]['event'] }];
}
