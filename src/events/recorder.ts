import type { EventBody } from '../../schemas/run-event.ts';
import type { Clock } from '../clock.ts';
import { type Deferred, deferred } from '../deferred.ts';
import { Fault } from '../fault.ts';
import { foldBody, isReplay, type RunView } from './view.ts';

export interface RecorderLimits {
  /** Deltas that come within this time of the last append gather into one event; 0 records each as it came. */
  readonly mergeWindowMs: number;
  /** Above this many bytes not yet durable, the agent is not asked for more. */
  readonly maxUnflushedBytes: number;
  readonly maxRunEvents: number;
  readonly maxRunBytes: number;
}

/** A merged delta stays small enough to be one frame. */
const maxMergedChars = 32_768;

/**
 * Takes what an attempt yields and appends it to the log in order: one append in flight, the next one gathering
 * meanwhile. It folds what it takes, so that an event its item does not allow is refused before it is recorded.
 *
 * Modes: taking → an append fails, or stop → failed, for good.
 */
export class Recorder {
  readonly view: RunView;
  readonly #append: (ordinal: number, entries: readonly EventBody[]) => Promise<unknown>;
  readonly #failed: (why: Fault) => void;
  readonly #clock: Clock;
  readonly #limits: RecorderLimits;
  readonly #seen: Record<string, number> = {};
  #buffer: EventBody[] = [];
  #bufferedBytes = 0;
  #flyingBytes = 0;
  #ordinal = 0;
  /** How many events were taken, sent and made durable; of those that are not repeated. */
  #taken = 0;
  #sent = 0;
  #durable = 0;
  /** Content of the run so far, with what earlier attempts left of it. */
  #runBytes: number;
  #sentAtMs = Number.NEGATIVE_INFINITY;
  #flight: Promise<void> | undefined;
  /** Whether the buffer holds more than deltas of items that people see already. */
  #urgent = false;
  #scheduled: { readonly soon: boolean; readonly cancel: () => void } | undefined;
  #failure: Fault | undefined;
  #room: Deferred<void> | undefined;
  readonly #begun = new Set<string>();

  constructor(options: {
    readonly view: RunView;
    readonly append: (ordinal: number, entries: readonly EventBody[]) => Promise<unknown>;
    /** Told once when an append failed: nothing more is taken. */
    readonly failed: (why: Fault) => void;
    readonly clock: Clock;
    readonly limits: RecorderLimits;
  }) {
    this.view = options.view;
    this.#runBytes = options.view.bytes;
    this.#append = options.append;
    this.#failed = options.failed;
    this.#clock = options.clock;
    this.#limits = options.limits;
  }

  /**
   * Takes one event. A promise is returned when the agent must wait before it is asked for the next.
   * @throws Fault `agent-protocol`, `too-large`, and whatever an append failed with
   */
  push(body: EventBody): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    if (isReplay(this.view, body, this.#seen)) return undefined;
    const bytes = bytesOf(body);
    this.#checkSize(bytes);
    foldBody(this.view, body);
    this.#runBytes += bytes;
    this.#taken += 1;
    this.#add(body, bytes);
    this.#schedule();
    return this.#full() ? this.#untilRoom() : undefined;
  }

  /** Settles when all that was taken before it is durable. @throws Fault what an append failed with */
  async flush(): Promise<void> {
    const upTo = this.#taken;
    while (this.#failure === undefined && this.#durable < upTo) {
      this.#send();
      await this.#flight;
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Takes no more, and forgets what is not on its way yet. */
  stop(why: Fault): void {
    this.#fail(why);
  }

  /** Before anything of the event counts: what is refused is in the view as little as in the log. */
  #checkSize(bytes: number): void {
    const { maxRunEvents, maxRunBytes } = this.#limits;
    if (this.view.events >= maxRunEvents) throw new Fault('too-large', `a run may record ${maxRunEvents} events`);
    if (this.#runBytes + bytes > maxRunBytes) throw new Fault('too-large', `a run may write ${maxRunBytes} bytes`);
  }

  #add(body: EventBody, bytes: number): void {
    this.#bufferedBytes += bytes + perEventBytes;
    const last = this.#buffer.at(-1);
    const merged = this.#limits.mergeWindowMs > 0 && last !== undefined ? merge(last, body) : undefined;
    if (merged === undefined) this.#buffer.push(body);
    else this.#buffer[this.#buffer.length - 1] = merged;
    if (!('delta' in body) || this.#limits.mergeWindowMs === 0) this.#urgent = true;
    else if (!this.#begun.has(body.id)) {
      this.#begun.add(body.id);
      this.#urgent = true;
    }
  }

  #full(): boolean {
    return this.#bufferedBytes + this.#flyingBytes > this.#limits.maxUnflushedBytes;
  }

  #untilRoom(): Promise<void> {
    this.#urgent = true;
    this.#schedule();
    this.#room ??= deferred();
    return this.#room.promise;
  }

  /**
   * What is urgent goes with the next turn of the event loop, together with all that came in this one. So does what comes
   * a whole window after the last append: only a stream faster than its window is slowed to it.
   */
  #schedule(): void {
    if (this.#flight !== undefined || this.#scheduled?.soon === true) return;
    const windowEndsMs = this.#sentAtMs + this.#limits.mergeWindowMs;
    if (this.#urgent || this.#clock.now() >= windowEndsMs) {
      this.#scheduled?.cancel();
      const immediate = setImmediate(() => {
        this.#send();
      });
      this.#scheduled = {
        soon: true,
        cancel: () => {
          clearImmediate(immediate);
        },
      };
    } else if (this.#scheduled === undefined) {
      const cancel = this.#clock.at(windowEndsMs, () => {
        this.#send();
      });
      this.#scheduled = { soon: false, cancel };
    }
  }

  #send(): void {
    if (this.#flight !== undefined || this.#buffer.length === 0 || this.#failure !== undefined) return;
    this.#unschedule();
    const entries = this.#buffer;
    this.#flyingBytes = this.#bufferedBytes;
    this.#buffer = [];
    this.#bufferedBytes = 0;
    this.#urgent = false;
    this.#ordinal += 1;
    this.#sent = this.#taken;
    this.#sentAtMs = this.#clock.now();
    this.#flight = this.#append(this.#ordinal, entries).then(
      () => {
        this.#landed();
      },
      (error: unknown) => {
        if (this.#failure !== undefined) return;
        const why = Fault.from(error);
        this.#fail(why);
        this.#failed(why);
      },
    );
  }

  #unschedule(): void {
    this.#scheduled?.cancel();
    this.#scheduled = undefined;
  }

  #landed(): void {
    this.#flight = undefined;
    this.#flyingBytes = 0;
    this.#durable = this.#sent;
    if (!this.#full()) {
      this.#room?.resolve();
      this.#room = undefined;
    }
    if (this.#buffer.length > 0) this.#schedule();
  }

  #fail(why: Fault): void {
    this.#failure ??= why;
    this.#flight = undefined;
    this.#unschedule();
    this.#buffer = [];
    this.#room?.resolve();
    this.#room = undefined;
  }
}

/** What an event costs beside its content. */
const perEventBytes = 64;

function bytesOf(body: EventBody): number {
  return 'delta' in body ? body.delta.length : JSON.stringify(body).length;
}

/** Two deltas of one item as one, if nothing on either would be lost. */
function merge(last: EventBody, next: EventBody): EventBody | undefined {
  if (!('delta' in last) || !('delta' in next) || last.type !== next.type || last.id !== next.id) return undefined;
  if (last.type === 'tool.output' && next.type === 'tool.output' && last.stream !== next.stream) return undefined;
  if (
    next.metadata !== undefined ||
    next.raw !== undefined ||
    last.raw !== undefined ||
    last.subagentId !== next.subagentId
  )
    return undefined;
  if (last.delta.length + next.delta.length > maxMergedChars) return undefined;
  return { ...last, delta: last.delta + next.delta };
}
