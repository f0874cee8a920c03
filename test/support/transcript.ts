import type { Activation } from '../../schemas/activation.ts';
import type { Door, ThreadKey } from '../../schemas/id.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import { activationId } from '../../src/mailbox/store.ts';

/** What one AG-UI request received, over however many connections. */
export interface Transcript {
  readonly thread: ThreadKey;
  readonly door: Door;
  /** The request's own id; on AG-UI its `runId`. Undefined: it joined the thread to look on. */
  readonly key: string | undefined;
  /** In the order received. A frame without an id is not of the log: its stream was detached. */
  readonly frames: readonly { readonly id?: string | undefined; readonly event: WireEvent }[];
  /** Whether the client, or a fault on its way, ended the stream. */
  readonly cut: boolean;
}

export interface WireEvent {
  readonly type: string;
  readonly [member: string]: unknown;
}

/** What of its thread a transcript is held against. */
export interface Told {
  readonly events: readonly RunEvent[];
  readonly activations: ReadonlyMap<string, Activation>;
  /** The number of the first event that is kept. */
  readonly firstKept: number;
}

type Report = (violation: string) => void;

const terminals = new Set(['RUN_FINISHED', 'RUN_ERROR']);

/** Holds what a client received against the log: one end, no frame twice, and the text that was said. */
export function checkTranscript(transcript: Transcript, facts: Told | undefined, report: Report): void {
  const { frames, cut, door, key } = transcript;
  const ids = frames.flatMap((frame) => (frame.id === undefined ? [] : [frame.id]));
  if (new Set(ids).size !== ids.length) report('two frames have one id');
  const ends = frames.filter((frame) => terminals.has(frame.event.type));
  const [end] = ends;
  if (ends.length > 1 || (ends.length === 0 && !cut)) report(`the stream has ${ends.length} terminal events`);
  if (end !== undefined && end !== frames.at(-1)) report('the stream goes on after its end');
  const begins = frames.find((frame) => frame.event.type === 'RUN_STARTED');
  // Refused before it began.
  if (begins === undefined) return;
  const called = textIn(begins.event, 'runId');
  if (key !== undefined && called !== key) report(`the stream is called ${called}`);
  const activation = facts?.activations.get(activationId(door, called));
  if (facts === undefined || (key !== undefined && activation === undefined)) {
    report('the stream is of a request that is not kept');
    return;
  }
  // The client was asked what the thread waited for; its own request was still to be taken.
  if (activation !== undefined && end?.id !== undefined && isBlocked(activation, end.event, end.id)) return;
  const isDetached = end !== undefined && end.id === undefined;
  if (activation !== undefined && end !== undefined && !isDetached) checkTerminal(activation, end.event, report);
  const part = key === undefined ? joinedPart(called, activation, end?.id) : ownPart(activation);
  if (part !== undefined) checkText(transcript, facts, { part, isWhole: !cut && !isDetached }, report);
}

/** What of the log a stream tells. */
interface Part {
  readonly runId: string | undefined;
  readonly fromSeq: number;
  readonly toSeq: number;
}

function ownPart(activation: Activation | undefined): Part | undefined {
  const state = activation?.state;
  if (state?.is !== 'answered' && state?.is !== 'attached') return undefined;
  const { runId, fromSeq } = state;
  return { runId, fromSeq, toSeq: state.is === 'answered' ? state.toSeq : Number.POSITIVE_INFINITY };
}

/** Somebody who looks on is shown the run from its beginning: what was over when they came as it was in the end. */
function joinedPart(called: string, activation: Activation | undefined, end: string | undefined): Part {
  const toSeq = end === undefined ? Number.POSITIVE_INFINITY : Number(end.split('.')[1]);
  return { runId: ownPart(activation)?.runId ?? called, fromSeq: 0, toSeq };
}

function isBlocked({ state }: Activation, end: WireEvent, id: string): boolean {
  const outcome = end['outcome'] as { readonly type?: string } | undefined;
  if (outcome?.type !== 'interrupt') return false;
  const [, seq] = id.split('.');
  return 'fromSeq' in state ? Number(seq) < state.fromSeq : true;
}

function checkTerminal({ state }: Activation, end: WireEvent, report: Report): void {
  if (state.is !== 'answered') {
    report(`the stream ended, its request is ${state.is}`);
    return;
  }
  const { outcome } = state;
  const isFinished = outcome.type === 'waiting' || (outcome.type === 'completed' && outcome.stop === 'end_turn');
  if (isFinished && end.type !== 'RUN_FINISHED') report(`the stream ended by ${end.type}, its run ${outcome.type}`);
  if (outcome.type === 'failed' && end.type !== 'RUN_ERROR') report('the stream ended well, its run failed');
}

/** The text that a client holds in the end is the log's; of a stream that was cut, the beginning of it. */
function checkText(
  { frames }: Transcript,
  { events, firstKept }: Told,
  of: { readonly part: Part; readonly isWhole: boolean },
  report: Report,
): void {
  const { runId, fromSeq, toSeq } = of.part;
  if (Math.max(1, fromSeq) < firstKept) return;
  const said = new Map<string, string[]>();
  const discarded = new Set<string>();
  const begun = new Set<string>();
  for (const event of events) {
    if (event.seq > toSeq || event.runId !== runId) continue;
    if (event.seq >= fromSeq) foldSaid(said, discarded, event);
    else if (event.type === 'text.started') begun.add(event.id);
  }
  const seen = seenText(frames.map((frame) => frame.event));
  for (const [id, text] of seen.streamed) {
    const versions = said.get(id);
    if (versions === undefined) {
      // What an earlier request saw begin goes on here, and is shown from its start.
      if (!begun.has(id)) report(`text ${id} was never said`);
    } else if (!versions.some((version) => version.startsWith(text))) report(`text ${id} was not said so: “${text}”`);
  }
  if (!of.isWhole) return;
  for (const [id, versions] of said) {
    const text = discarded.has(id) ? undefined : versions.at(-1);
    const held = seen.held.get(id);
    if ((text ?? '') !== (held ?? '')) report(`text ${id} is “${text ?? ''}”, seen was “${held ?? ''}”`);
  }
}

/** What an item said, in each attempt that began it anew. */
function foldSaid(said: Map<string, string[]>, discarded: Set<string>, event: RunEvent): void {
  if (event.type === 'text.started' && event.role === 'assistant') {
    said.set(event.id, [...(said.get(event.id) ?? []), '']);
    discarded.delete(event.id);
  } else if (event.type === 'text.delta') {
    const versions = said.get(event.id);
    if (versions !== undefined) versions[versions.length - 1] = (versions.at(-1) ?? '') + event.delta;
  } else if (event.type === 'attempt.discarded') for (const id of event.itemIds) if (said.has(id)) discarded.add(id);
}

/** The texts of an AG-UI client: what was streamed to it, and what it holds after snapshots. */
function seenText(events: readonly WireEvent[]): { streamed: Map<string, string>; held: Map<string, string> } {
  const streamed = new Map<string, string>();
  let held = new Map<string, string>();
  for (const event of events) {
    const id = textIn(event, 'messageId');
    switch (event.type) {
      case 'TEXT_MESSAGE_START':
        if ((event['role'] ?? 'assistant') !== 'assistant') break;
        // What is begun again goes on: a snapshot showed its beginning to somebody who came later.
        streamed.set(id, held.get(id) ?? '');
        held.set(id, held.get(id) ?? '');
        break;
      case 'TEXT_MESSAGE_CONTENT':
      case 'TEXT_MESSAGE_CHUNK': {
        if (event.type === 'TEXT_MESSAGE_CONTENT' && !streamed.has(id)) break;
        const delta = textIn(event, 'delta');
        streamed.set(id, (streamed.get(id) ?? '') + delta);
        held.set(id, (held.get(id) ?? '') + delta);
        break;
      }
      case 'MESSAGES_SNAPSHOT':
        held = heldAfter(event);
        break;
      default:
        break;
    }
  }
  return { streamed, held };
}

function heldAfter(snapshot: WireEvent): Map<string, string> {
  const messages = Array.isArray(snapshot['messages'])
    ? (snapshot['messages'] as { id: string; content?: unknown }[])
    : [];
  return new Map(messages.map(({ id, content }) => [id, typeof content === 'string' ? content : '']));
}

function textIn(event: WireEvent, member: string): string {
  const value = event[member];
  return typeof value === 'string' ? value : '';
}
