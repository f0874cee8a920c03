import { randomUUID } from 'node:crypto';
import type { Transcript } from './checker.ts';
import type { BaseEvent, Interrupt, Message } from '@ag-ui/client';
import { HttpAgent as CurrentHttpAgent } from '@ag-ui/client';
import { HttpAgent as FormerHttpAgent } from 'ag-ui-client-0-0-59';

/** The published clients, unmodified. */
export const clients = [
  { name: '@ag-ui/client 1.0.0', HttpAgent: CurrentHttpAgent, era: '1.x' },
  { name: '@ag-ui/client 0.0.59', HttpAgent: FormerHttpAgent as unknown as typeof CurrentHttpAgent, era: '0.x' },
] as const;
export type Client = (typeof clients)[number];

type RunParameters = NonNullable<Parameters<CurrentHttpAgent['runAgent']>[0]>;

/** What one POST showed. */
export interface Turn {
  readonly events: readonly (BaseEvent & Record<string, unknown>)[];
  /** Of RUN_FINISHED or RUN_ERROR; undefined when the stream broke off. */
  readonly outcome: string | undefined;
  readonly interrupts: readonly Interrupt[];
  /** What the client threw: its verifier, or HTTP. */
  readonly failure: Error | undefined;
}

/** A frontend with one conversation, on a stock client: what a page would do. */
export class Frontend {
  readonly agent: CurrentHttpAgent;
  /** What its requests received, frame by frame. */
  readonly transcripts: Transcript[] = [];
  readonly #scope: string;

  constructor(client: Client, options: { url: string; threadId?: string; token?: string; scope?: string }) {
    const { url, threadId = randomUUID(), token, scope = 'local' } = options;
    this.#scope = scope;
    this.agent = new client.HttpAgent({
      url: `${url}/ag-ui/demo`,
      threadId,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      fetch: (to, init) => this.#fetch(to, init),
    });
  }

  /**
   * Fetches and takes a transcript. A connection that breaks ends the body quietly: the stock client would leave a
   * rejection that nobody handles.
   */
  async #fetch(url: string, init: RequestInit): Promise<Response> {
    const response = await fetch(url, init);
    if (!response.ok || response.body === null) return response;
    const { runId } = JSON.parse(String(init.body)) as { runId: string };
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

  async run(parameters: RunParameters = {}): Promise<Turn> {
    const events: Turn['events'][number][] = [];
    let failure: Error | undefined;
    await this.agent
      .runAgent(parameters, {
        onEvent: ({ event }) => {
          events.push(structuredClone(event));
        },
        onRunFailed: ({ error }) => {
          failure = error;
        },
      })
      .catch((error: unknown) => {
        failure ??= error as Error;
      });
    const last = events.findLast((event) => event.type === 'RUN_FINISHED' || event.type === 'RUN_ERROR');
    const outcome = last?.['outcome'] as { type: string; interrupts?: Interrupt[] } | undefined;
    return {
      events,
      outcome:
        last === undefined
          ? undefined
          : last.type === 'RUN_ERROR'
            ? `error ${String(last['code'])}`
            : (outcome?.type ?? 'success'),
      interrupts: outcome?.interrupts ?? [],
      failure,
    };
  }

  approve(interrupts: readonly Interrupt[], verdict: (index: number) => boolean = () => true): Promise<Turn> {
    const resume = interrupts.map(({ id }, index) => ({
      interruptId: id,
      status: 'resolved' as const,
      payload: { approved: verdict(index) },
    }));
    return this.run({ resume });
  }
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
