import fc from 'fast-check';
import type { Json, JsonObject } from '../../schemas/json.ts';
import type { EventBody } from '../../schemas/run-event.ts';
import type { Outcome } from '../../schemas/run.ts';
import type { Part } from '../../schemas/part.ts';
import type { Ticket } from '../../schemas/ticket.ts';
import { emptyView, foldBody, type Item, markBoundary, pendingToolCalls, unfinalItems } from '../../src/events/view.ts';
import { runId, ThreadLog, userMessage } from './ag-ui-log.ts';
import { activation, secondActivation } from './ag-ui-stream.ts';

/** As the unit `binary`, which takes a second to make a table of all of them. */
const character = fc
  .integer({ min: 0, max: 0x10_ff_ff })
  .filter((code) => code < 0xd8_00 || code > 0xdf_ff)
  .map(
    (code) => String.fromCodePoint(code),
    (from) => {
      const code = String(from).codePointAt(0);
      if (code === undefined || String.fromCodePoint(code) !== from) throw new Error('this is not one character');
      return code;
    },
  );
const text = fc.string({ maxLength: 4, unit: character });
/** As a store gives it back. */
const json = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)) as Json);
const word = fc.constantFrom('a', 'b', '"', '\n', '\n\n', '\u2028', '\ud83d', 'é', '');
const subagentId = fc.option(fc.constantFrom('s1', 's2'), { nil: undefined });
const metadata = fc.option(fc.constant<JsonObject>({ key: null }), { nil: undefined, freq: 8 });
const raw = fc.option(fc.constantFrom(null, { original: true }), { nil: undefined, freq: 8 });
const tags = { subagentId, metadata, raw };
const textId = fc.constantFrom('t1', 't2', 't3');
const reasoningId = fc.constantFrom('r1', 'r2');
const callId = fc.constantFrom('c1', 'c2', 'c3');

const event = (
  type: EventBody['type'],
  shape: Readonly<Record<string, fc.Arbitrary<unknown>>>,
): fc.Arbitrary<EventBody> =>
  fc.record({ type: fc.constant(type), ...shape, ...tags }) as unknown as fc.Arbitrary<EventBody>;

const part: fc.Arbitrary<Part> = fc.oneof(
  fc.record({ type: fc.constant('text' as const), text }),
  fc.record({ type: fc.constant('data' as const), json: json }),
  fc.record({
    type: fc.constant('media' as const),
    kind: fc.constantFrom('image' as const, 'document' as const),
    mimeType: fc.option(fc.constant('image/png'), { nil: undefined }),
    source: fc.oneof(
      fc.constant({ at: 'inline' as const, data: 'AAAA' }),
      fc.constant({ at: 'blob' as const, blob: 'hash' }),
      fc.constant({ at: 'url' as const, url: 'https://example.test/a.png' }),
      fc.constant({ at: 'file' as const, file: 'file-1' }),
    ),
  }),
  fc.constant<Part>({ type: 'terminal', id: 'term-1' }),
  fc.constant<Part>({ type: 'link', uri: 'https://example.test', name: 'example' }),
);
const parts = fc.array(part, { maxLength: 3 });
const patchOf = (...paths: readonly string[]): fc.Arbitrary<unknown> =>
  fc.array(fc.record({ op: fc.constant('add'), path: fc.constantFrom(...paths), value: json }), {
    maxLength: 2,
  });

const agentEvent: fc.Arbitrary<EventBody> = fc.oneof(
  event('text.started', { id: textId, role: fc.constantFrom('assistant', 'user', 'system') }),
  { arbitrary: event('text.delta', { id: textId, delta: word }), weight: 4 },
  event('text.ended', { id: textId }),
  event('part.added', { messageId: textId, part: part.filter(({ type }) => type !== 'text') }),
  event('reasoning.started', { id: reasoningId, spanId: fc.option(fc.constant('span'), { nil: undefined }) }),
  event('reasoning.delta', { id: reasoningId, delta: word }),
  event('reasoning.ended', { id: reasoningId }),
  event('encrypted', { entity: fc.constant('message'), id: fc.oneof(textId, reasoningId), value: text }),
  event('tool.started', {
    id: callId,
    name: text,
    title: fc.option(text, { nil: undefined }),
    runBy: fc.constantFrom('agent', 'client'),
    parentMessageId: fc.option(textId, { nil: undefined }),
  }),
  event('tool.args', { id: callId, delta: word }),
  event('tool.called', { id: callId, args: fc.constantFrom('', 'a', '{}', 'ab') }),
  event('tool.updated', {
    id: callId,
    status: fc.constant('in_progress'),
    content: fc.option(parts, { nil: undefined }),
  }),
  event('tool.output', { id: callId, stream: fc.constant('stdout'), delta: word }),
  event('tool.result', {
    id: callId,
    messageId: fc.constantFrom('x1', 'x2', 'x3'),
    status: fc.constantFrom('ok', 'error', 'denied'),
    parts,
    origin: fc.constant('agent'),
  }),
  event('state.snapshot', { state: fc.dictionary(fc.constantFrom('a', 'b'), json), origin: fc.constant('agent') }),
  event('state.delta', { patch: patchOf('/a', '/b', '/a/c', 'no pointer'), origin: fc.constant('agent') }),
  event('plan', { planId: fc.constant('p1'), entries: fc.constant([]) }),
  event('activity.snapshot', { id: fc.constant('a1'), activityType: text, content: fc.constant({ b: 1 }) }),
  event('activity.delta', { id: fc.constant('a1'), activityType: text, patch: patchOf('/a', '/b', '/a/c') }),
  event('artifact', { id: fc.constant('f1'), parts, append: fc.boolean(), last: fc.boolean() }),
  event('step.started', { name: fc.constantFrom('one', 'two') }),
  event('step.finished', { name: fc.constantFrom('one', 'two') }),
  event('subagent.started', {
    id: fc.constantFrom('s1', 's2'),
    name: text,
    parentId: fc.option(fc.constantFrom('s1', 's2', 's3'), { nil: undefined }),
  }),
  event('subagent.finished', { id: fc.constantFrom('s1', 's2'), result: json }),
  event('subagent.failed', {
    id: fc.constantFrom('s1', 's2'),
    fault: fc.constant({ code: 'agent-failed', message: 'no', retryable: true }),
  }),
  event('usage', {
    provider: text,
    model: text,
    tokens: fc.record({ input: fc.nat(), output: fc.nat() }, { requiredKeys: [] }),
  }),
  event('thread.changed', { title: fc.option(text, { nil: undefined }) }),
  event('notice', { level: fc.constant('info'), text }),
  event('compaction', {}),
  event('custom', { name: text, value: json }),
  event('raw', { event: json, source: fc.option(text, { nil: undefined }) }),
);

type Step = EventBody | 'boundary' | 'retry' | 'visitor';
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: agentEvent, weight: 40 },
  { arbitrary: fc.constantFrom('boundary' as const, 'retry' as const, 'visitor' as const), weight: 2 },
);

const ending = fc.constantFrom('waiting', 'end_turn', 'refusal', 'max_tokens', 'cancelled', 'failed');
const turn = fc.array(step, { maxLength: 80, size: 'max' });

/** Writes what the rules and an agent could have written: what its earlier events do not allow is left out. */
class RunWriter {
  readonly log = new ThreadLog();
  readonly #view = emptyView(runId);
  readonly #homes = new Map<string, string | undefined>();
  readonly #isSteady: boolean;
  #attempt = 1;
  #questions = 0;

  constructor(isSteady: boolean) {
    this.#isSteady = isSteady;
  }

  record(body: EventBody): void {
    try {
      foldBody(this.#view, body);
    } catch {
      return;
    }
    this.log.append({ ...body, attempt: this.#attempt });
  }

  take(steps: readonly Step[], visitorParts: Part[]): void {
    for (const one of steps) {
      if (one === 'boundary') this.#finish();
      else if (one === 'visitor') this.#visit(visitorParts);
      else if (one === 'retry') this.#retry();
      else this.#play(this.#isSteady ? this.#steady(one) : one);
    }
  }

  #play(body: EventBody): void {
    if (isPlausible(body, this.#view.items)) this.record(body);
  }

  end(how: string): void {
    if (how === 'waiting') this.wait();
    else this.record({ type: 'run.finished', outcome: outcomeOf(how, pendingToolCalls(this.#view)) });
  }

  wait(): void {
    this.#finish();
    this.#questions += 1;
    const id = `tkt-${this.#questions}`;
    this.record({ type: 'ticket.opened', ticket: { ...approval, id } });
    this.record({ type: 'run.waiting', ticketIds: [id] });
  }

  /** An item that starts again in a later attempt belongs where it belonged. */
  #steady(body: EventBody): EventBody {
    const id = 'id' in body ? body.id : 'planId' in body ? body.planId : undefined;
    if (id === undefined) return body;
    const owner = this.#remember(`owner ${id}`, (body as { subagentId?: string }).subagentId);
    if (!('runBy' in body)) return { ...body, subagentId: owner };
    const parentMessageId = this.#remember(`parent ${id}`, body.parentMessageId);
    const subagentId = parentMessageId === undefined ? owner : this.#homes.get(`owner ${parentMessageId}`);
    return { ...body, subagentId, parentMessageId };
  }

  #remember(key: string, value: string | undefined): string | undefined {
    if (!this.#homes.has(key)) this.#homes.set(key, value);
    return this.#homes.get(key);
  }

  /** A boundary does not part a call from the message that carries it. */
  #finish(): void {
    const { items } = this.#view;
    const parts = [...items.values()].some(
      (item) => item.kind === 'tool' && items.get(item.parentMessageId ?? '')?.ended === false,
    );
    if (parts) return;
    markBoundary(this.#view);
    this.log.markBoundary();
  }

  #visit(parts: Part[]): void {
    const message = userMessage(`v${this.log.head}`, '', { actor: 'bob', parts });
    this.record({ type: 'message.added', message, activation: 'ag-ui:other' });
  }

  #retry(): void {
    this.record({ type: 'run.retrying', nextAttempt: this.#attempt + 1, retryAtMs: 1 });
    this.#attempt += 1;
    this.record({ type: 'attempt.discarded', itemIds: unfinalItems(this.#view), state: this.#view.boundary.state });
  }
}

/** A run for `activation`, whose message is `m1`. Unless it is steady, its attempts contradict each other. */
export const runLog = (isSteady: boolean): fc.Arbitrary<ThreadLog> =>
  fc.record({ steps: turn, how: ending, visitorParts: parts }).map(({ steps, how, visitorParts }) => {
    const writer = new RunWriter(isSteady);
    writer.record({ type: 'run.started', activations: [activation], agentId: 'demo' });
    writer.record({ type: 'message.added', message: userMessage('m1', 'hi'), activation });
    writer.take(steps, visitorParts);
    writer.end(how);
    return writer.log;
  });

/** The same, but it waits, and goes on for another activation; `waitsAt` is the number of its waiting. */
export const resumedRunLog: fc.Arbitrary<{ readonly log: ThreadLog; readonly waitsAt: number }> = fc
  .record({ steps: turn, more: turn, how: ending, visitorParts: parts })
  .map(({ steps, more, how, visitorParts }) => {
    const writer = new RunWriter(true);
    writer.record({ type: 'run.started', activations: [activation], agentId: 'demo' });
    writer.record({ type: 'message.added', message: userMessage('m1', 'hi'), activation });
    writer.take(steps, visitorParts);
    writer.wait();
    const waitsAt = writer.log.head;
    writer.record({ type: 'ticket.closed', ticketId: approval.id, how: 'answered', by: {} });
    writer.record({ type: 'run.resumed', cause: 'decision', activation: secondActivation });
    writer.take(more, visitorParts);
    writer.end(how);
    return { log: writer.log, waitsAt };
  });

/** Calls and parts belong to an assistant's message that is there. */
function isPlausible(body: EventBody, items: ReadonlyMap<string, Item>): boolean {
  const home =
    body.type === 'tool.started' ? body.parentMessageId : body.type === 'part.added' ? body.messageId : undefined;
  const item = home === undefined ? undefined : items.get(home);
  return home === undefined || (item?.kind === 'text' && item.role === 'assistant');
}

function outcomeOf(last: string, pending: string[]): Outcome {
  switch (last) {
    case 'cancelled':
      return { type: 'cancelled', by: 'ada', reason: 'cancelled' };
    case 'failed':
      return {
        type: 'failed',
        fault: { code: 'agent-failed', message: 'it failed', retryable: true },
        retryable: true,
      };
    default:
      return { type: 'completed', stop: last as 'end_turn', pendingToolCalls: pending };
  }
}

export const approval: Ticket = {
  id: 'tkt-1',
  runId,
  threadId: 't',
  rootRunId: runId,
  key: 'ask',
  kind: 'approval',
  text: 'May I?',
  options: [],
  editable: true,
  mayDecide: 'person',
  openedAtMs: 1,
  expiresAtMs: 1_700_000_000_000,
  onExpiry: 'dismiss',
  secret: false,
};
