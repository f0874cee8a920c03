// The state that an AG-UI stream is in, and its ordering rules. https://docs.ag-ui.com/spec/1.0/basic/patterns
import { EventType, type JsonPatchOperation } from '@ag-ui/core';
import { applyPatch, type Operation } from 'rfc6902';
import type { ActivationId, ItemId, RunId, ThreadId } from '../../schemas/id.ts';
import { Fault } from '../../src/fault.ts';
import { encodeStreamName, type FramePosition, isSent, type StreamName } from './cursor.ts';
import type { ClientCopy } from './decode.ts';
import type { Profile } from './profile.ts';
import { UsageSum } from './usage.ts';
import type { Lost, WireEvent } from './wire.ts';

/** Whom a stream is for, and what is known before its first event. */
export interface Opening {
  readonly name: StreamName;
  readonly threadId: ThreadId;
  /** The run's name on the wire. */
  readonly runId: string;
  readonly parentRunId?: string | undefined;
  /** The run that is its activation's own; undefined for pending input of a run that may end without taking it. */
  readonly run: RunId | undefined;
  /** Its events have numbers above this one. */
  readonly afterSeq: number;
  /** Undefined where the client does not say: it is then told all. */
  readonly copy?: ClientCopy | undefined;
  /** What of its request was set aside; what begins with a question's id concerns its answer. */
  readonly warnings?: readonly string[] | undefined;
  /** Frames up to this one were sent; undefined: none was. */
  readonly sentUpTo?: FramePosition | undefined;
  readonly profile: Profile;
  readonly lost: Lost;
  /** A client fails at a longer frame. */
  readonly maxFrameChars: number;
}

type Streamed = 'text' | 'reasoning' | 'call';

/** An item whose deltas the client is being told. */
export interface OpenItem extends OpenThing {
  /** Its deltas' frames up to the text, encoded once. */
  readonly head: string;
  /** Of reasoning: the span around it. */
  readonly span?: string | undefined;
  /** Of a call: its arguments so far. */
  args: string;
}

interface OpenThing {
  readonly start: WireEvent;
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

/** What a client holds of an activity: kept only where it may have to be told again. */
interface HeldActivity {
  readonly activityType: string;
  content: unknown;
  readonly tag: string | undefined;
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
  usage = new UsageSum();
  readonly items = new Map<ItemId, OpenItem>();
  readonly spans = new Map<string, OpenThing & { uses: number }>();
  readonly steps = new Map<string, OpenThing>();
  readonly subagents = new Map<
    string,
    { readonly wireId: string; readonly start: WireEvent; readonly order: number }
  >();
  /** Calls that were started in this stream, in order, and the messages of their results. */
  readonly calls = new Map<ItemId, { resultId?: string | undefined }>();
  /** Calls of an earlier stream whose arguments went on without this one telling them. */
  readonly untold = new Set<ItemId>();
  /** Reasoning that the client has. */
  readonly reasoning: Set<ItemId>;
  /** Reasoning that it may have, and that does not count. */
  readonly discardedReasoning = new Set<ItemId>();
  /** Items that an earlier attempt left; what the client has of them does not count. */
  readonly discarded = new Set<ItemId>();
  /** Activities that this stream has shown, by their id on the wire. */
  readonly activities = new Map<string, ShownActivity>();
  /** Each id's owner on the wire: the first tag it was told with; undefined is the agent itself. */
  readonly #owners = new Map<string, string | undefined>();
  readonly #subagentNames = new Map<string, string>();
  /** Names that were given out: one is never another invocation's. */
  readonly #usedSubagents = new Set<string>();
  /** Those that the client was told the start of. */
  readonly #startedSubagents = new Set<string>();
  /** While silent: what a client who was told all holds of each activity. */
  readonly #held = new Map<string, HeldActivity>();
  #isSilent: boolean;
  #name: StreamName;
  #idHead: string;
  #frames: string[] = [];
  #seq = 0;
  /** How many frames the event at hand has, sent ones included. */
  #count = 0;
  #orders = 0;

  /** Silent, it follows what is told and tells nobody, until `speak`. */
  constructor(opening: Opening, mode: 'speaking' | 'silent' = 'speaking') {
    this.opening = opening;
    this.reasoning = new Set(opening.copy?.reasoning);
    this.#isSilent = mode === 'silent';
    this.#name = opening.name;
    this.#idHead = headOf(opening.name);
  }

  /** Whose answer it tells; undefined: it is not one request's. */
  get activation(): ActivationId | undefined {
    return this.#name.is === 'run' ? this.#name.activation : undefined;
  }

  get name(): StreamName {
    return this.#name;
  }

  /** Frames from here on are of another name. */
  rename(name: StreamName): void {
    this.#name = name;
    this.#idHead = headOf(name);
  }

  /** Frames from here on belong to this number of the log. */
  begin(seq: number): void {
    this.#seq = seq;
    this.#count = 0;
    this.#frames = [];
  }

  /** Of the event at hand, without those that were sent. */
  get frames(): readonly string[] {
    return this.#frames;
  }

  push(event: WireEvent): void {
    if (this.#isNext()) this.#add(`\ndata: ${JSON.stringify(event)}\n\n`);
  }

  /** The hot path: everything but the text itself was encoded when the item opened, and the text once for all streams. */
  pushDelta(item: OpenItem, delta: string): void {
    if (this.#isNext()) this.#add(`${item.head}${delta}}\n\n`);
  }

  /** Counts a frame; whether it is to be written. */
  #isNext(): boolean {
    if (this.#isSilent) return false;
    this.#count += 1;
    const { sentUpTo } = this.opening;
    return sentUpTo === undefined || !isSent({ seq: this.#seq, frame: this.#count - 1 }, sentUpTo);
  }

  #add(rest: string): void {
    const frame = `${this.#idHead}${this.#seq}.${this.#count - 1}${rest}`;
    const { maxFrameChars } = this.opening;
    if (frame.length > maxFrameChars) {
      throw new Fault('too-large', `an event of more than ${maxFrameChars} characters cannot be sent`);
    }
    this.#frames.push(frame);
  }

  openItem(
    kind: Streamed,
    id: ItemId,
    { start, end, span }: { readonly start: WireEvent; readonly end: WireEvent; readonly span?: string },
  ): OpenItem {
    const [type, member] = deltaTypes[kind];
    const head = `\ndata: {"type":"${type}","${member}":${JSON.stringify(id)},"delta":`;
    const item = { head, start, end, order: this.#next(), args: '', span };
    this.items.set(id, item);
    this.push(start);
    return item;
  }

  openSpan(id: string, tag: string | undefined): void {
    const open = this.spans.get(id);
    if (open !== undefined) {
      open.uses += 1;
      return;
    }
    const start: WireEvent = { type: EventType.REASONING_START, messageId: id, subagentRunId: tag };
    this.spans.set(id, { start, end: { type: EventType.REASONING_END, messageId: id }, order: this.#next(), uses: 1 });
    this.push(start);
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

  openStep(name: string, start: WireEvent & { type: EventType.STEP_STARTED }): void {
    const end: WireEvent = { type: EventType.STEP_FINISHED, stepName: name, subagentRunId: start.subagentRunId };
    this.steps.set(name, { start, end, order: this.#next() });
    this.push(start);
  }

  /** A subagent id names one invocation per stream: started again, it gets another name on the wire. */
  openSubagent(id: string, started: (wireId: string) => WireEvent): void {
    let wireId = id;
    for (let count = 2; this.#usedSubagents.has(wireId); count++) wireId = `${id}~${count}`;
    this.#usedSubagents.add(wireId);
    this.#startedSubagents.add(wireId);
    this.#subagentNames.set(id, wireId);
    const start = started(wireId);
    this.subagents.set(id, { wireId, start, order: this.#next() });
    this.push(start);
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

  /** Returns which of them are reasoning that the client has. */
  discardReasoning(ids: readonly ItemId[]): ItemId[] {
    const discarded = ids.filter((id) => this.reasoning.delete(id));
    for (const id of discarded) this.discardedReasoning.add(id);
    return discarded;
  }

  /** Calls whose arguments are being told. */
  get openCalls(): ReadonlySet<ItemId> {
    return new Set(
      [...this.items].filter(([, item]) => item.start.type === EventType.TOOL_CALL_START).map(([id]) => id),
    );
  }

  /** A snapshot says anew who owns what. */
  setOwner(id: string, tag: string | undefined): void {
    this.#owners.set(id, tag);
  }

  /** An activity was shown, or shown anew. */
  holdActivity(id: string, activityType: string, content: unknown, replace: boolean | undefined): void {
    if (!this.#isSilent || (replace === false && this.#held.has(id))) return;
    this.#held.set(id, { activityType, content, tag: this.#owners.get(id) });
  }

  /** An activity was changed. As with a client, what was never shown or does not apply changes nothing. */
  changeActivity(id: string, patch: readonly JsonPatchOperation[]): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    const content = structuredClone(held.content);
    const failures = applyPatch(content, structuredClone(patch) as Operation[]);
    if (failures.every((failure) => failure === null)) held.content = content;
  }

  /** Follows what is told, and tells nobody, until `speak`. */
  silence(): void {
    this.#isSilent = true;
  }

  /** From here on it tells. What a client must be told to take part: activities, and all that is open. */
  speak(): void {
    this.#isSilent = false;
  }

  /**
   * Another stream of the same run goes on from here; what is open is told by `reopen`. A call is not begun again: some
   * clients would have it twice. What earlier streams summed up, and the activities that they showed, are theirs.
   */
  takeOver(): void {
    for (const id of this.openCalls) {
      this.items.delete(id);
      this.untold.add(id);
    }
    this.activities.clear();
    this.#held.clear();
    this.usage = new UsageSum();
  }

  /** The client was told of an activity otherwise. */
  shown(id: string): void {
    this.#held.delete(id);
  }

  pushHeld(): void {
    for (const [messageId, { activityType, content, tag: subagentRunId }] of this.#held) {
      const shown = { messageId, activityType, content: content as Readonly<Record<string, unknown>> };
      this.push({ type: EventType.ACTIVITY_SNAPSHOT, ...shown, subagentRunId });
    }
    this.#held.clear();
  }

  /** Opens again what is open, for a client that was told none of it: the first opened first. */
  reopen(): void {
    this.#startedSubagents.clear();
    const subagents = new Map([...this.subagents.values()].map((one) => [one.start, one.wireId]));
    for (const { start, item } of this.#open()) {
      const wireId = subagents.get(start);
      if (wireId !== undefined) this.#startedSubagents.add(wireId);
      this.push(start.type === EventType.SUBAGENT_STARTED ? this.#withKnownParent(start) : start);
      if (item !== undefined && item.args !== '') this.pushDelta(item, JSON.stringify(item.args));
    }
  }

  #withKnownParent(start: Extract<WireEvent, { type: EventType.SUBAGENT_STARTED }>): WireEvent {
    const { parentSubagentRunId: parent } = start;
    return parent === undefined || this.#startedSubagents.has(parent)
      ? start
      : { ...start, parentSubagentRunId: undefined };
  }

  #open(): { readonly start: WireEvent; readonly item?: OpenItem; readonly order: number }[] {
    const items = [...this.items.values()].map((item) => ({ start: item.start, item, order: item.order }));
    const others = [...this.spans.values(), ...this.steps.values(), ...this.subagents.values()];
    return [...items, ...others].toSorted((a, b) => a.order - b.order);
  }

  /** Closes all that is open, the last opened first. */
  closeAll(why: Closing): void {
    const subagents = [...this.subagents].map(([id, { wireId, order }]) => ({
      end: endOfSubagent(id, wireId, why),
      order,
    }));
    const open = [...this.items.values(), ...this.spans.values(), ...this.steps.values(), ...subagents];
    for (const { end } of open.toSorted((a, b) => b.order - a.order)) this.push(end);
    this.items.clear();
    this.spans.clear();
    this.steps.clear();
    this.subagents.clear();
  }
}

function headOf(name: StreamName): string {
  return `id: ${encodeStreamName(name)}`;
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
