import type { ThreadId } from '../../schemas/id.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { AnyportClient } from '../../src/client/index.ts';

/** A follower of one thread, and all that it was given. */
export class GatheredLog {
  readonly threadId: ThreadId;
  readonly events: RunEvent[] = [];
  readonly over: Promise<void>;

  constructor(client: AnyportClient, threadId: ThreadId, signal: AbortSignal) {
    this.threadId = threadId;
    this.over = this.#gather(client, signal);
  }

  async #gather(client: AnyportClient, signal: AbortSignal): Promise<void> {
    for await (const { event } of client.follow({ threadId: this.threadId }, { signal })) this.events.push(event);
  }
}
