import type { EventBody, RunEvent } from '../../schemas/run-event.ts';
import type { Message } from '../../schemas/message.ts';
import type { Json } from '../../schemas/json.ts';
import { emptyView, foldEvent, markBoundary, messagesOf, type RunView } from '../../src/events/view.ts';
import type { ThreadView } from '../../src/gateway.ts';

/** A body with the envelope that the rules and the recorder put around it; what is left out is the test run's. */
export type Entry = EventBody & { readonly runId?: string | undefined; readonly attempt?: number };

export const threadId = 'thread-1';
export const runId = 'run-1';

/** A message as a client's request brings it in. */
export function userMessage(id: string, text: string, more: Partial<Message> = {}): Message {
  return { id, seq: 1, role: 'user', actor: 'ada', door: 'ag-ui', parts: [{ type: 'text', text }], ...more };
}

/** One thread's log, numbered as a store does, and the views that a gateway derives from it. */
export class ThreadLog {
  readonly events: RunEvent[] = [];
  readonly #boundaries = new Set<number>();
  readonly #history: readonly Message[];
  readonly #state: Json;

  constructor(before: { readonly history?: readonly Message[]; readonly state?: Json } = {}) {
    this.#history = before.history ?? [];
    this.#state = before.state ?? {};
  }

  get head(): number {
    return this.events.length;
  }

  append(...entries: readonly Entry[]): readonly RunEvent[] {
    const added = entries.map((entry, index): RunEvent => {
      const seq = this.head + index + 1;
      return { runId, attempt: 1, ...entry, seq, atMs: 1_700_000_000_000 + seq, threadId };
    });
    this.events.push(...added);
    return added;
  }

  /** What was recorded so far is final. */
  markBoundary(): void {
    this.#boundaries.add(this.head);
  }

  foldRun(id: string, seq: number): RunView {
    const view = emptyView(id, this.#state);
    for (const event of this.events.slice(0, seq)) {
      foldEvent(view, event);
      if (this.#boundaries.has(event.seq)) markBoundary(view);
    }
    return view;
  }

  view(id: string, seq: number): ThreadView {
    const run = this.foldRun(id, seq);
    return {
      messages: [...this.#history, ...messagesOf(run, 'ada')],
      state: run.state,
      tickets: [...run.tickets.values()],
    };
  }
}
