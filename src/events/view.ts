import type { ActivationId, ItemId, MessageId, RunId } from '../../schemas/id.ts';
import type { Json, JsonObject } from '../../schemas/json.ts';
import type { Encrypted, Role, ToolCall } from '../../schemas/message.ts';
import { textOf, type Part } from '../../schemas/part.ts';
import type { Outcome } from '../../schemas/run.ts';
import type { EventBody, PlanEntry, RunEvent } from '../../schemas/run-event.ts';
import type { Thread } from '../../schemas/thread.ts';
import type { Ticket } from '../../schemas/ticket.ts';
import { Fault } from '../fault.ts';
import type { MessageDraft } from '../lane/command.ts';
import type { PatchedField } from '../lane/lane.ts';
import { applyPatch } from './patch.ts';

interface ItemBase {
  readonly id: ItemId;
  /** Ended before the last boundary: a new attempt keeps it. */
  final: boolean;
  ended: boolean;
  subagentId?: string | undefined;
  metadata?: JsonObject | undefined;
  encrypted?: Encrypted | undefined;
}
export interface TextItem extends ItemBase {
  readonly kind: 'text';
  readonly role: Role;
  readonly name?: string | undefined;
  text: string;
  readonly parts: Part[];
}
export interface ReasoningItem extends ItemBase {
  readonly kind: 'reasoning';
  readonly spanId?: string | undefined;
  text: string;
}
export interface ToolItem extends ItemBase {
  readonly kind: 'tool';
  readonly name: string;
  readonly agentCallId?: string | undefined;
  readonly parentMessageId?: ItemId | undefined;
  readonly runBy: 'agent' | 'client' | 'provider';
  title?: string | undefined;
  args: string;
  called: boolean;
  output: string;
  result?: ToolResult;
}
/** `final` on a call means that the call itself is; its result has its own. */
export interface ToolResult {
  readonly messageId: MessageId;
  readonly status: string;
  readonly parts: readonly Part[];
  readonly error?: string | undefined;
  final: boolean;
}
/** A message that came from outside: already a record of the thread. */
export interface MessageItem extends ItemBase {
  readonly kind: 'message';
  readonly message: MessageDraft;
  /** The request that brought it. */
  readonly activation?: ActivationId | undefined;
}
export interface ArtifactItem extends ItemBase {
  readonly kind: 'artifact';
  name?: string | undefined;
  description?: string | undefined;
  parts: Part[];
}
export interface PlanItem extends ItemBase {
  readonly kind: 'plan';
  entries: readonly PlanEntry[];
}
export interface ActivityItem extends ItemBase {
  readonly kind: 'activity';
  readonly activityType: string;
  content: Json;
}
export type Item = TextItem | ReasoningItem | ToolItem | MessageItem | ArtifactItem | PlanItem | ActivityItem;

/** The fold of one run's events up to `seq`. Mutable: it belongs to whoever folds. */
export interface RunView {
  readonly runId: RunId;
  seq: number;
  status: 'created' | 'running' | 'waiting' | 'done';
  attempt: number;
  /** Where its first own message hangs. */
  baseId?: MessageId;
  activations: ActivationId[];
  readonly items: Map<ItemId, Item>;
  readonly tickets: Map<string, Ticket>;
  steps: Set<string>;
  subagents: Map<string, { name: string; state: 'active' | 'ended' }>;
  state: Json;
  /** What the run changed on its thread, beside the state; an empty title removes it. */
  changes: Partial<Pick<Thread, PatchedField>>;
  /** How many events without an item of their own count so far, by `placeOf`. */
  counts: Record<string, number>;
  /** What is not an item, as of the last boundary. Only who executes the run marks boundaries. */
  boundary: Pick<RunView, 'state' | 'counts'>;
  outcome?: Outcome;
  /** Events and bytes of content so far, for the run's limits. */
  events: number;
  bytes: number;
}

export function emptyView(runId: RunId, state: Json = {}): RunView {
  return {
    runId,
    seq: 0,
    status: 'created',
    attempt: 0,
    activations: [],
    items: new Map(),
    tickets: new Map(),
    steps: new Set(),
    subagents: new Map(),
    state,
    changes: {},
    counts: {},
    boundary: { state, counts: {} },
    events: 0,
    bytes: 0,
  };
}

/** Folds one event of the view's run in; events of other runs do nothing. */
export function foldEvent(view: RunView, event: RunEvent): void {
  view.seq = event.seq;
  if (event.runId === undefined && event.type === 'thread.changed') overrule(view, event);
  if (event.runId !== view.runId) return;
  if (event.attempt !== undefined) view.attempt = event.attempt;
  foldBody(view, event);
}

/** What people change on the thread stands over what the run changed before. */
function overrule({ changes }: RunView, { title, settings, workspace }: EventBody & { type: 'thread.changed' }): void {
  if (title !== undefined) delete changes.title;
  if (settings !== undefined) delete changes.settings;
  if (workspace !== undefined) delete changes.workspace;
}

/** @throws Fault `agent-protocol`: what came before does not allow this event; the view is unchanged */
export function foldBody(view: RunView, body: EventBody): void {
  fold(view, body);
  view.events += 1;
  const place = placeOf(body);
  if (place !== undefined) view.counts[place] = (view.counts[place] ?? 0) + 1;
}

function fold(view: RunView, body: EventBody): void {
  switch (body.type) {
    case 'text.started': {
      const { id, role, name } = body;
      start(view, { kind: 'text', id, role, name, text: '', parts: [], ...fresh(body) });
      return;
    }
    case 'text.delta': {
      grow(view, openItem(view, 'text', body.id), body.delta);
      return;
    }
    case 'text.ended': {
      end(openItem(view, 'text', body.id), body);
      return;
    }
    case 'part.added': {
      openItem(view, 'text', body.messageId).parts.push(body.part);
      return;
    }
    case 'reasoning.started': {
      const { id, spanId } = body;
      start(view, { kind: 'reasoning', id, spanId, text: '', ...fresh(body) });
      return;
    }
    case 'reasoning.delta': {
      grow(view, openItem(view, 'reasoning', body.id), body.delta);
      return;
    }
    case 'reasoning.ended': {
      end(openItem(view, 'reasoning', body.id), body);
      return;
    }
    case 'encrypted': {
      const item = view.items.get(body.id);
      if (item === undefined) throw misuse(`nothing has the id ${body.id}`);
      item.encrypted = { value: body.value, provider: body.provider };
      return;
    }
    case 'tool.started': {
      const { id, name, runBy, title, parentMessageId, agentCallId } = body;
      start(view, {
        kind: 'tool',
        id,
        name,
        runBy,
        title,
        parentMessageId,
        agentCallId,
        args: '',
        called: false,
        output: '',
        ...fresh(body),
      });
      return;
    }
    case 'tool.args': {
      const tool = openItem(view, 'tool', body.id);
      if (tool.called) throw misuse(`the arguments of ${body.id} are complete`);
      tool.args += body.delta;
      view.bytes += body.delta.length;
      return;
    }
    case 'tool.called': {
      const tool = openItem(view, 'tool', body.id);
      if (tool.called) throw misuse(`the arguments of ${body.id} are complete`);
      tool.args = body.args;
      tool.called = true;
      view.bytes += body.args.length;
      // A call left to the client ends here; its result comes with a later run.
      if (tool.runBy === 'client') tool.ended = true;
      return;
    }
    case 'tool.updated': {
      const tool = openItem(view, 'tool', body.id);
      if (body.title !== undefined) tool.title = body.title;
      return;
    }
    case 'tool.output': {
      const tool = openItem(view, 'tool', body.id);
      tool.output += body.delta;
      view.bytes += body.delta.length;
      return;
    }
    case 'tool.result': {
      foldResult(view, body);
      return;
    }
    case 'state.snapshot': {
      view.state = body.state;
      return;
    }
    case 'state.delta': {
      view.state = applyPatch(view.state, body.patch);
      return;
    }
    case 'plan': {
      const known = view.items.get(body.planId);
      if (known === undefined) {
        start(view, { kind: 'plan', id: body.planId, entries: body.entries, ...fresh(body), ended: true });
      } else if (known.kind === 'plan') {
        known.entries = body.entries;
      } else throw misuse(`${body.planId} is a ${known.kind}`);
      return;
    }
    case 'activity.snapshot': {
      const known = view.items.get(body.id);
      if (known === undefined) {
        const { id, activityType, content } = body;
        start(view, { kind: 'activity', id, activityType, content, ...fresh(body), ended: true });
      } else if (known.kind !== 'activity') {
        throw misuse(`${body.id} is a ${known.kind}`);
      } else if (body.replace !== false) known.content = body.content;
      return;
    }
    case 'activity.delta': {
      const known = view.items.get(body.id);
      if (known?.kind !== 'activity') throw misuse(`no activity has the id ${body.id}`);
      known.content = applyPatch(known.content, body.patch);
      return;
    }
    case 'artifact': {
      const known = view.items.get(body.id);
      if (known !== undefined && (known.kind !== 'artifact' || known.ended))
        throw misuse(`${body.id} takes no more parts`);
      const artifact = known ?? start<ArtifactItem>(view, { kind: 'artifact', id: body.id, parts: [], ...fresh(body) });
      if (body.name !== undefined) artifact.name = body.name;
      if (body.description !== undefined) artifact.description = body.description;
      artifact.parts = body.append ? [...artifact.parts, ...body.parts] : [...body.parts];
      artifact.ended = body.last;
      view.bytes += textOf(body.parts).length;
      return;
    }
    case 'step.started': {
      if (view.steps.has(body.name)) throw misuse(`step ${body.name} is open`);
      view.steps.add(body.name);
      return;
    }
    case 'step.finished': {
      if (!view.steps.delete(body.name)) throw misuse(`step ${body.name} is not open`);
      return;
    }
    case 'subagent.started': {
      if (view.subagents.get(body.id)?.state === 'active') throw misuse(`subagent ${body.id} is active`);
      view.subagents.set(body.id, { name: body.name, state: 'active' });
      return;
    }
    case 'subagent.finished':
    case 'subagent.failed': {
      const subagent = view.subagents.get(body.id);
      if (subagent?.state !== 'active') throw misuse(`subagent ${body.id} is not active`);
      view.subagents.set(body.id, { ...subagent, state: 'ended' });
      return;
    }
    case 'message.added': {
      const { seq: _, ...message } = body.message;
      const { activation } = body;
      const id = placeOfMessage(view, message.id);
      view.items.set(id, { kind: 'message', id, message, activation, final: true, ended: true });
      return;
    }
    case 'run.started': {
      view.status = 'running';
      view.activations.push(...body.activations);
      if (body.state !== undefined) view.state = view.boundary.state = body.state;
      if (body.baseId !== undefined) view.baseId = body.baseId;
      return;
    }
    case 'run.waiting': {
      view.status = 'waiting';
      return;
    }
    case 'run.resumed': {
      view.status = 'running';
      if (body.activation !== undefined) view.activations.push(body.activation);
      return;
    }
    case 'attempt.discarded': {
      discard(view, body);
      return;
    }
    case 'run.finished': {
      view.status = 'done';
      view.outcome = body.outcome;
      return;
    }
    case 'ticket.opened': {
      view.tickets.set(body.ticket.id, body.ticket);
      return;
    }
    case 'ticket.closed': {
      view.tickets.delete(body.ticketId);
      return;
    }
    case 'input.taken': {
      view.activations.push(body.activation);
      return;
    }
    case 'thread.changed': {
      const { title, settings, workspace } = body;
      Object.assign(
        view.changes,
        title !== undefined && { title },
        settings && { settings },
        workspace && { workspace },
      );
      return;
    }
    case 'run.queued':
    case 'run.retrying':
    case 'run.stopping':
    case 'usage':
    case 'thread.branched':
    case 'notice':
    case 'compaction':
    case 'custom':
    case 'raw':
    case 'input.staged':
    case 'input.edited':
    case 'input.retracted':
      return;
  }
}

/** Its own id; a client may have given one that an item of the run has, which stays what it is. */
function placeOfMessage(view: RunView, id: MessageId): ItemId {
  const known = view.items.get(id);
  return known === undefined || known.kind === 'message' ? id : `${id}\u0000message`;
}

/** Whether a message that came from outside is in the view. */
export function hasMessage(view: RunView, id: MessageId): boolean {
  return view.items.get(placeOfMessage(view, id)) !== undefined;
}

function foldResult(view: RunView, body: EventBody & { type: 'tool.result' }): void {
  const { id, messageId, status, parts, error } = body;
  const result = { messageId, status, parts, error, final: false };
  // A client answers a call of an earlier run, whatever has its id here; the rules have recorded its message.
  if (body.origin === 'client') return;
  const tool = openItem(view, 'tool', id);
  if (!tool.called) throw misuse(`${id} was not called yet`);
  tool.result = result;
  tool.ended = true;
  view.bytes += textOf(parts).length;
}

/**
 * All that has ended is final from here on, a tool's call apart from its result. An activity never is: it may go on by
 * patches, and is told anew by a new attempt.
 */
export function markBoundary(view: RunView): void {
  for (const item of view.items.values()) {
    if (item.kind === 'activity') continue;
    if (item.ended || (item.kind === 'tool' && item.called)) item.final = true;
    if (item.kind === 'tool' && item.result !== undefined) item.result.final = true;
  }
  const { state, counts } = view;
  view.boundary = { state, counts: { ...counts } };
}

/** What a new attempt says first: what of the run does not count. Undefined when nothing followed the last boundary. */
export function discardOf(view: RunView): (EventBody & { type: 'attempt.discarded' }) | undefined {
  const { state, counts } = view.boundary;
  const itemIds = unfinalItems(view);
  const stateMoved = JSON.stringify(state) !== JSON.stringify(view.state);
  const counted = Object.entries(view.counts).some(([place, count]) => count !== counts[place]);
  const isOpen =
    view.steps.size > 0 ||
    [...view.subagents.values()].some((subagent) => subagent.state === 'active') ||
    [...view.items.values()].some((item) => item.kind === 'tool' && item.result === undefined && item.output !== '');
  if (itemIds.length === 0 && !stateMoved && !counted && !isOpen) return undefined;
  return { type: 'attempt.discarded', itemIds, kept: { ...counts }, ...(stateMoved ? { state } : {}) };
}

/** What a new attempt discards: items, and results of calls that stay, by the id of their message. */
export function unfinalItems(view: RunView): ItemId[] {
  const ids: ItemId[] = [];
  for (const item of view.items.values()) {
    if (!item.final) ids.push(item.id);
    else if (item.kind === 'tool' && item.result?.final === false) ids.push(item.result.messageId);
  }
  return ids;
}

/**
 * Returns to the last boundary by what the event says alone, so that every fold of the log does the same. What was open
 * there is closed, and a call without a result has no output: the new attempt tells it again.
 */
function discard(view: RunView, { itemIds, kept, state }: EventBody & { type: 'attempt.discarded' }): void {
  const gone = new Set(itemIds);
  for (const item of view.items.values()) {
    if (gone.has(item.id)) view.items.delete(item.id);
    if (item.kind !== 'tool') continue;
    if (item.result !== undefined && gone.has(item.result.messageId)) {
      delete item.result;
      item.ended = false;
    }
    if (item.result === undefined) item.output = '';
  }
  view.steps.clear();
  for (const [id, subagent] of view.subagents) if (subagent.state === 'active') view.subagents.delete(id);
  view.counts = { ...kept };
  if (state !== undefined) view.state = state;
}

/**
 * Whether an attempt yields again what an earlier one made final. An item is known by its id; what has none, by its place
 * among its like (`seen` counts them in this attempt). Plans and activities are told whole, so they are never skipped.
 */
export function isReplay(view: RunView, body: EventBody, seen: Record<string, number>): boolean {
  const begun = startPlaceOf(body);
  const place = begun ?? placeOf(body);
  if (place !== undefined) {
    const counter = begun === undefined ? place : `start of ${place}`;
    const count = (seen[counter] = (seen[counter] ?? 0) + 1);
    return count <= (view.boundary.counts[place] ?? 0);
  }
  if (body.type === 'part.added') return view.items.get(body.messageId)?.final === true;
  if (!('id' in body)) return false;
  const item = view.items.get(body.id);
  if (body.type === 'encrypted') return item?.final === true && item.encrypted !== undefined;
  if (
    item?.kind === 'tool' &&
    (body.type === 'tool.result' || body.type === 'tool.updated' || body.type === 'tool.output')
  ) {
    return item.result?.final === true;
  }
  return item?.final === true;
}

/** Among what an event without an item is counted; undefined for others. Steps and subagents count when they end. */
function placeOf(body: EventBody): string | undefined {
  switch (body.type) {
    case 'state.snapshot':
    case 'state.delta':
      return body.origin === 'agent' ? body.type : undefined;
    case 'step.finished':
      return `step ${body.name}`;
    case 'subagent.finished':
    case 'subagent.failed':
      return `subagent ${body.id}`;
    case 'usage':
    case 'thread.changed':
    case 'notice':
    case 'compaction':
    case 'custom':
    case 'raw':
      return body.type;
    default:
      return undefined;
  }
}

/** A start is final when its end is: the n-th one of a name or id belongs to its n-th end. */
function startPlaceOf(body: EventBody): string | undefined {
  if (body.type === 'step.started') return `step ${body.name}`;
  return body.type === 'subagent.started' ? `subagent ${body.id}` : undefined;
}

/** The calls that were left to the client, in call order. */
export function pendingToolCalls(view: RunView): ItemId[] {
  const calls: ItemId[] = [];
  for (const item of view.items.values()) {
    if (item.kind === 'tool' && item.runBy === 'client' && item.called && item.result === undefined)
      calls.push(item.id);
  }
  return calls;
}

/**
 * The run's messages in order, each hung on the one before: assistant texts with the tool calls that name them as
 * parent, tool results after the message of their call, reasoning, what came from outside, and what was shown beside:
 * artifacts and plans; activities last, because a new attempt tells them anew at another place.
 */
export function messagesOf(view: RunView, actor: string, only: 'all' | 'final' = 'all'): MessageDraft[] {
  const assistants = new Map<MessageId, MessageDraft & { toolCalls: ToolCall[] }>();
  const drafts: MessageDraft[] = [];
  const activities: MessageDraft[] = [];
  const place = (draft: MessageDraft): void => {
    drafts.push(draft);
  };
  const common = { runId: view.runId, actor };
  for (const item of view.items.values()) {
    if (only === 'final' && !item.final) continue;
    const { subagentId, metadata, encrypted } = item;
    const tags = { subagentId, metadata, encrypted };
    switch (item.kind) {
      case 'message': {
        place(item.message);
        break;
      }
      case 'text': {
        const parts: Part[] = item.text === '' ? [...item.parts] : [{ type: 'text', text: item.text }, ...item.parts];
        const draft = { id: item.id, role: item.role, name: item.name, parts, toolCalls: [], ...common, ...tags };
        // A call may name its message before that has begun.
        const begun = assistants.get(item.id);
        if (begun !== undefined) Object.assign(begun, { ...draft, toolCalls: begun.toolCalls });
        else place(draft);
        if (begun === undefined && item.role === 'assistant') assistants.set(item.id, draft);
        break;
      }
      case 'reasoning': {
        const parts: Part[] = item.text === '' ? [] : [{ type: 'text', text: item.text }];
        place({ id: item.id, role: 'reasoning', parts, ...common, ...tags });
        break;
      }
      case 'tool': {
        const home = item.parentMessageId ?? item.id;
        let parent = assistants.get(home);
        if (parent === undefined) {
          parent = { id: home, role: 'assistant', parts: [], toolCalls: [], ...common, subagentId };
          assistants.set(home, parent);
          place(parent);
        }
        const { agentCallId, args } = item;
        parent.toolCalls.push({ id: item.id, name: item.name, args, agentCallId, encrypted });
        if (item.result !== undefined) {
          const { messageId, parts, status, error } = item.result;
          const failed = error ?? (status === 'ok' ? undefined : status);
          place({ id: messageId, role: 'tool', toolCallId: item.id, parts: [...parts], error: failed, ...common });
        }
        break;
      }
      case 'artifact':
      case 'plan':
        place({ id: item.id, role: 'activity', ...shownBy(item), ...common, ...tags });
        break;
      case 'activity':
        activities.push({ id: item.id, role: 'activity', ...shownBy(item), ...common, ...tags });
        break;
    }
  }
  return chain([...drafts, ...activities], view.baseId);
}

function shownBy(item: ArtifactItem | PlanItem | ActivityItem): Pick<MessageDraft, 'activity' | 'parts'> {
  switch (item.kind) {
    case 'plan': {
      const entries = item.entries.map((entry) => ({ ...entry }));
      return { activity: { shows: 'plan' }, parts: [{ type: 'data', json: entries }] };
    }
    case 'artifact': {
      const { name, description, ended: isComplete } = item;
      return { activity: { shows: 'artifact', name, description, isComplete }, parts: [...item.parts] };
    }
    case 'activity': {
      const { activityType, content } = item;
      return { activity: { shows: 'activity', activityType }, parts: [{ type: 'data', json: content }] };
    }
  }
}

/** Drops empty `toolCalls` and hangs each message on the one before. */
function chain(drafts: readonly MessageDraft[], baseId: MessageId | undefined): MessageDraft[] {
  let parentId = baseId;
  return drafts.map((draft) => {
    const toolCalls = draft.toolCalls?.length === 0 ? undefined : draft.toolCalls;
    const hung = { ...draft, parentId, toolCalls };
    parentId = draft.id;
    return hung;
  });
}

/** A view as a checkpoint keeps it. */
export function encodeView(view: RunView): Json {
  const { items, tickets, steps, subagents, ...plain } = view;
  const lists = {
    items: [...items.values()],
    tickets: [...tickets.values()],
    steps: [...steps],
    subagents: [...subagents],
  };
  return JSON.parse(JSON.stringify({ ...plain, ...lists })) as Json;
}

export function decodeView(json: Json): RunView {
  const plain = json as unknown as Omit<RunView, 'items' | 'tickets' | 'steps' | 'subagents'> & {
    items: Item[];
    tickets: Ticket[];
    steps: string[];
    subagents: [string, { name: string; state: 'active' | 'ended' }][];
  };
  return {
    ...plain,
    items: new Map(plain.items.map((item) => [item.id, item])),
    tickets: new Map(plain.tickets.map((ticket) => [ticket.id, ticket])),
    steps: new Set(plain.steps),
    subagents: new Map(plain.subagents),
  };
}

function fresh(body: {
  subagentId?: string | undefined;
  metadata?: JsonObject | undefined;
}): { final: false; ended: boolean } & Pick<ItemBase, 'subagentId' | 'metadata'> {
  return {
    final: false,
    ended: false,
    subagentId: body.subagentId,
    metadata: body.metadata,
  };
}

function start<Some extends Item>(view: RunView, item: Some): Some {
  if (view.items.has(item.id)) throw misuse(`the id ${item.id} is taken`);
  view.items.set(item.id, item);
  return item;
}

function grow(view: RunView, item: TextItem | ReasoningItem, delta: string): void {
  item.text += delta;
  view.bytes += delta.length;
}

function end(item: Item, body: { metadata?: JsonObject | undefined }): void {
  item.ended = true;
  if (body.metadata !== undefined) item.metadata = { ...item.metadata, ...body.metadata };
}

function openItem<Kind extends Item['kind']>(view: RunView, kind: Kind, id: ItemId): Item & { kind: Kind } {
  const item = view.items.get(id);
  if (item === undefined) throw misuse(`no ${kind} has the id ${id}`);
  if (!isKind(item, kind)) throw misuse(`${id} is a ${item.kind}, not a ${kind}`);
  if (item.ended) throw misuse(`${id} has ended`);
  return item;
}

function isKind<Kind extends Item['kind']>(item: Item, kind: Kind): item is Item & { kind: Kind } {
  return item.kind === kind;
}

function misuse(why: string): Fault {
  return new Fault('agent-protocol', why);
}
