// The state that an AG-UI stream is in, and its ordering rules. https://docs.ag-ui.com/spec/1.0/basic/patterns
import { EventType } from '@ag-ui/core';
import type { ActivationId, ItemId, RunId, ThreadId } from '../../schemas/id.ts';
import { Fault } from '../../src/fault.ts';
import { encodeCursorHead } from './cursor.ts';
import type { ClientCopy } from './decode.ts';
import type { Profile } from './profile.ts';
import { UsageSum } from './usage.ts';
import type { Lost, WireEvent } from './wire.ts';

/** Whom a stream is for, and what is known before its first event. */
export interface Opening {
  readonly activation: ActivationId;
  readonly logId: string;
  readonly threadId: ThreadId;
  /** The client's own id of the run. */
  readonly runId: string;
  readonly parentRunId: string | undefined;
  /** The run that is this activation's own; undefined for pending input of a run that may end without taking it. */
  readonly run: RunId | undefined;
  /** A run took the activation before this stream began: it is told to its end, whatever else the thread waited for. */
  readonly isTaken: boolean;
  /** Its events have numbers above this one. */
  readonly afterSeq: number;
  readonly copy: ClientCopy;
  readonly profile: Profile;
  readonly lost: Lost;
  /** A client fails at a longer frame. */
  readonly maxFrameChars: number;
}

type Streamed = 'text' | 'reasoning' | 'call';

/** An item whose deltas the client is being told. */
export interface OpenItem {
  /** Its deltas' frames up to the text, encoded once. */
  readonly head: string;
  readonly end: WireEvent;
  readonly order: number;
  /** Of reasoning: the span around it. */
  readonly span?: string;
  /** Of a call: its arguments so far. */
  args: string;
}

interface OpenThing {
  readonly end: WireEvent;
  readonly order: number;
}

export interface ShownActivity {
  /** The canonical item that it shows. */
  readonly item: ItemId;
  readonly activityType: string;
  /** Its content before it began. */
  readonly empty: Readonly<Record<string, unknown>>;
}

/** Why what is open is closed without an end of its own. */
export type Closing = 'ended' | 'stopped' | 'discarded' | { readonly suspendedBy: (subagentId: string) => string[] };

const deltaTypes = {
  text: [EventType.TEXT_MESSAGE_CONTENT, 'messageId'],
  reasoning: [EventType.REASONING_MESSAGE_CONTENT, 'messageId'],
  call: [EventType.TOOL_CALL_ARGS, 'toolCallId'],
} as const;

/**
 * What a client has been told: the frames of the event at hand, everything that is open, and who owns what. It keeps the
 * promises that AG-UI verifiers check: nothing is opened twice, continued or closed while it is not open, or attributed
 * to two owners.
 */
export class Fold {
  readonly opening: Opening;
  readonly usage = new UsageSum();
  readonly items = new Map<ItemId, OpenItem>();
  readonly spans = new Map<string, OpenThing & { uses: number }>();
  readonly steps = new Map<string, OpenThing>();
  readonly subagents = new Map<string, { readonly wireId: string; readonly order: number }>();
  /** Calls that were started in this stream, in order, and the messages of their results. */
  readonly calls = new Map<ItemId, { resultId?: string | undefined }>();
  /** Calls of an earlier stream whose arguments went on without this one telling them. */
  readonly untold = new Set<ItemId>();
  /** Reasoning that the client has. */
  readonly reasoning: Set<ItemId>;
  /** Items that an earlier attempt left; what the client has of them does not count. */
  readonly discarded = new Set<ItemId>();
  /** Activities that this stream has shown, by their id on the wire. */
  readonly activities = new Map<string, ShownActivity>();
  /** Each id's owner on the wire: the first tag it was told with; undefined is the agent itself. */
  readonly #owners = new Map<string, string | undefined>();
  readonly #subagentNames = new Map<string, string>();
  readonly #startedSubagents = new Set<string>();
  readonly #idHead: string;
  #frames: string[] = [];
  #seq = 0;
  #orders = 0;

  constructor(opening: Opening) {
    this.opening = opening;
    this.reasoning = new Set(opening.copy.reasoning);
    this.#idHead = `id: ${encodeCursorHead(opening, opening.profile.name)}`;
  }

  /** Frames from here on belong to this number of the log. */
  begin(seq: number): void {
    this.#seq = seq;
    this.#frames = [];
  }

  get frames(): readonly string[] {
    return this.#frames;
  }

  push(event: WireEvent): void {
    this.#add(`\ndata: ${JSON.stringify(event)}\n\n`);
  }

  /** The hot path: everything but the text itself was encoded when the item opened. */
  pushDelta(item: OpenItem, delta: string): void {
    this.#add(`${item.head}${JSON.stringify(delta)}}\n\n`);
  }

  #add(rest: string): void {
    const frame = `${this.#idHead}${this.#seq}.${this.#frames.length}${rest}`;
    const { maxFrameChars } = this.opening;
    if (frame.length > maxFrameChars) {
      throw new Fault('too-large', `an event of more than ${maxFrameChars} characters cannot be sent`);
    }
    this.#frames.push(frame);
  }

  openItem(kind: Streamed, id: ItemId, end: WireEvent, span?: string): OpenItem {
    const [type, member] = deltaTypes[kind];
    const head = `\ndata: {"type":"${type}","${member}":${JSON.stringify(id)},"delta":`;
    const item = { head, end, order: this.#next(), args: '', ...(span === undefined ? {} : { span }) };
    this.items.set(id, item);
    return item;
  }

  openSpan(id: string, tag: string | undefined): void {
    const open = this.spans.get(id);
    if (open !== undefined) {
      open.uses += 1;
      return;
    }
    this.spans.set(id, { end: { type: EventType.REASONING_END, messageId: id }, order: this.#next(), uses: 1 });
    this.push({ type: EventType.REASONING_START, messageId: id, subagentRunId: tag });
  }

  /** The log has no end of a span: it ends with its last open message, and may open again. */
  closeSpan(id: string): void {
    const span = this.spans.get(id);
    if (span === undefined) return;
    span.uses -= 1;
    if (span.uses > 0) return;
    this.spans.delete(id);
    this.push(span.end);
  }

  openStep(name: string, tag: string | undefined): void {
    const end: WireEvent = { type: EventType.STEP_FINISHED, stepName: name, subagentRunId: tag };
    this.steps.set(name, { end, order: this.#next() });
  }

  /** A subagent id names one invocation per stream: started again, it gets another name on the wire. */
  openSubagent(id: string): string {
    let wireId = id;
    for (let count = 2; this.#startedSubagents.has(wireId); count++) wireId = `${id}~${count}`;
    this.#startedSubagents.add(wireId);
    this.#subagentNames.set(id, wireId);
    this.subagents.set(id, { wireId, order: this.#next() });
    return wireId;
  }

  hasStarted(wireSubagentId: string): boolean {
    return this.#startedSubagents.has(wireSubagentId);
  }

  #next(): number {
    this.#orders += 1;
    return this.#orders;
  }

  /** The wire's name of a subagent. */
  tag(subagentId: string | undefined): string | undefined {
    return subagentId === undefined ? undefined : (this.#subagentNames.get(subagentId) ?? subagentId);
  }

  /** The owner of an id on the wire: the one it has, or from now on the given subagent. */
  ownerOf(id: string, subagentId: string | undefined): string | undefined {
    if (!this.#owners.has(id)) this.#owners.set(id, this.tag(subagentId));
    return this.#owners.get(id);
  }

  /** Whether the client was told of this id in this stream. */
  knows(id: string): boolean {
    return this.#owners.has(id);
  }

  /** A snapshot says anew who owns what. */
  setOwner(id: string, tag: string | undefined): void {
    this.#owners.set(id, tag);
  }

  /** Closes all that is open, the last opened first. */
  closeAll(why: Closing): void {
    const subagents = [...this.subagents].map(([id, { wireId, order }]) => ({
      end: endOfSubagent(id, wireId, why),
      order,
    }));
    const open: OpenThing[] = [...this.items.values(), ...this.spans.values(), ...this.steps.values(), ...subagents];
    for (const { end } of open.toSorted((a, b) => b.order - a.order)) this.push(end);
    this.items.clear();
    this.spans.clear();
    this.steps.clear();
    this.subagents.clear();
  }
}

function endOfSubagent(id: string, wireId: string, why: Closing): WireEvent {
  const subagentRunId = wireId;
  switch (why) {
    case 'ended':
      return { type: EventType.SUBAGENT_FINISHED, subagentRunId };
    case 'stopped':
      return { type: EventType.SUBAGENT_ERROR, subagentRunId, message: 'the run was stopped', code: 'CANCELLED' };
    case 'discarded':
      return { type: EventType.SUBAGENT_ERROR, subagentRunId, message: 'the attempt was discarded', code: 'DISCARDED' };
    default: {
      const interruptIds = why.suspendedBy(id);
      const outcome = { type: 'suspended' as const, ...(interruptIds.length === 0 ? {} : { interruptIds }) };
      return { type: EventType.SUBAGENT_FINISHED, subagentRunId, outcome };
    }
  }
}
