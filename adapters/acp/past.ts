// What a client is told of a session's past, and how an encoder gets to where its client is.
import type { ThreadId } from '../../schemas/id.ts';
import type { Message } from '../../schemas/message.ts';
import type { Run } from '../../schemas/run.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { Caller, Gateway, ThreadMoment } from '../../src/gateway.ts';
import { hasBlobs, withMedia } from './blobs.ts';
import type { OpenCalls } from './history.ts';
import type { Encoder, Update, Version } from './version.ts';

export interface PastParts {
  readonly gateway: Gateway;
  readonly caller: Caller;
  readonly threadId: ThreadId;
  readonly version: Version;
}

const pageSize = 250;

export class Past {
  readonly #parts: PastParts;

  constructor(parts: PastParts) {
    this.#parts = parts;
  }

  /** The thread as of event `seq`, or as it is now. @throws Fault `cursor-expired` */
  moment(seq: number | undefined): Promise<ThreadMoment> {
    const { gateway, caller, threadId } = this.#parts;
    return gateway.viewAt(caller, threadId, seq);
  }

  /**
   * The thread as it was then, in whole messages, and the questions that were open. Media are read as they are told, not
   * all at once. The encoder goes silently over what led there.
   */
  async *replay({ messages, runId, seq }: ThreadMoment, encoder: Encoder): AsyncGenerator<Update> {
    const { gateway, caller, version } = this.#parts;
    for await (const event of this.#toldBy(seq)) encoder.recall(event);
    const run = runId === undefined ? undefined : (await gateway.runs.find(caller, runId))?.run;
    const open = openCallsOf(run, seq);
    const answers = new Map(messages.map((message) => [message.toolCallId, message]));
    for (const message of messages) {
      // An answer is told with its call.
      if (message.toolCallId !== undefined) continue;
      const told = [message, ...(message.toolCalls ?? []).flatMap(({ id }) => answers.get(id) ?? [])];
      const whole: Omit<Message, 'seq'>[] = [];
      for (const one of told) whole.push(await this.whole(one));
      yield* version.encodeHistory(whole, open);
    }
    yield* encoder.standing();
  }

  /** The encoder goes silently over what its client was told, up to `seq`. */
  async prime(encoder: Encoder, seq: number): Promise<void> {
    for await (const event of this.#toldBy(seq)) encoder.encode(event);
  }

  /** The events, up to `seq`, of the run that held the thread then: nothing before it decides what is told after. */
  async *#toldBy(seq: number): AsyncGenerator<RunEvent> {
    const { gateway, caller, threadId } = this.#parts;
    const firstSeq = (await this.#runAt(seq))?.firstSeq;
    for (let at = (firstSeq ?? seq + 1) - 1; at < seq;) {
      const page = await gateway.events(caller, threadId, at, Math.min(pageSize, seq - at));
      yield* page;
      at = page.at(-1)?.seq ?? seq;
    }
  }

  /** Runs of a thread follow one another: at most one is under way at any number. */
  async #runAt(seq: number): Promise<Run | undefined> {
    const { gateway, caller, threadId } = this.#parts;
    for (let cursor: string | undefined, more = true; more;) {
      const page = await gateway.runs.list(caller, { threadId }, { cursor, limit: pageSize });
      const begun = page.items.filter(({ firstSeq = Number.POSITIVE_INFINITY }) => firstSeq <= seq);
      const found = begun.find(({ lastSeq = Number.POSITIVE_INFINITY }) => lastSeq > seq);
      if (found !== undefined || begun.length > 0) return found;
      cursor = page.next;
      more = cursor !== undefined;
    }
    return undefined;
  }

  /** With the media that are kept apart. The same object where there are none: then nothing is to be awaited. */
  whole<Value extends RunEvent | Omit<Message, 'seq'>>(value: Value): Value | Promise<Value> {
    const { gateway, caller, threadId } = this.#parts;
    return hasBlobs(value) ? withMedia(value, (blob) => gateway.blob(caller, threadId, blob)) : value;
  }
}

/** Calls that might still be answered then: the open run's, and those that the last one left to a client. */
function openCallsOf(run: Run | undefined, seq: number): OpenCalls {
  if (run?.status !== 'done' || (run.lastSeq ?? 0) > seq) return { runId: run?.id };
  return run.outcome?.type === 'completed' ? { pending: run.outcome.pendingToolCalls } : {};
}
