import type { ThreadKey } from '../../schemas/id.ts';
import type { Activated } from '../agents/agent.ts';
import { emptyView, foldBody, markBoundary, type RunView } from '../events/view.ts';
import { Fault } from '../fault.ts';
import type { Started } from '../lane/command.ts';
import type { Store } from './store.ts';
import { loadView } from './views.ts';

/** What an attempt begins with: what its agent is told, and what of the run is there. */
export interface Brief {
  readonly activated: Activated;
  readonly view: RunView;
  /** Of the live client that the last request came from; undefined: its door has none. */
  readonly attachmentId: string | undefined;
}

/** The first attempt has it at hand; a later one reads it, and its agent is told the same. */
export async function readBrief(store: Store, thread: ThreadKey, started: Started): Promise<Brief> {
  const { fresh, runId, firstSeq, boundarySeq, startedBy } = started;
  if (fresh !== undefined) return freshBrief(thread, started, fresh);
  const lane = await store.findLane(thread);
  if (lane === undefined) throw new Fault('internal', `the thread of run ${runId} has no lane`);
  const view = await loadView(store, thread, { id: runId, firstSeq }, { seq: lane.head, boundarySeq });
  const read = await Promise.all(startedBy.map((id) => store.findRecord(thread, 'request', id)));
  const requests = read.filter((request) => request !== undefined);
  const began = new Set(startedBy);
  const messages = [...view.items.values()].flatMap((item) =>
    item.kind === 'message' && began.has(item.activation ?? '') ? [{ ...item.message, seq: 1 }] : [],
  );
  const record = await store.findRecord(thread, 'thread', '');
  const { state = {}, workspace, settings = { options: {} } } = record ?? {};
  const told = { requests, messages, state, workspace, settings };
  return { view, ...tell(thread, runId, told) };
}

function freshBrief(thread: ThreadKey, started: Started, fresh: NonNullable<Started['fresh']>): Brief {
  const { runId, baseId } = started;
  const view = emptyView(runId, fresh.state);
  view.status = 'running';
  if (baseId !== undefined) view.baseId = baseId;
  for (const message of fresh.messages) foldBody(view, { type: 'message.added', message });
  markBoundary(view);
  return { view, ...tell(thread, runId, fresh) };
}

/** Several requests as one: what a later one says of tools and properties stands. */
function tell({ scope, threadId }: ThreadKey, runId: string, told: NonNullable<Started['fresh']>): Omit<Brief, 'view'> {
  const { requests, messages, state, workspace, settings } = told;
  const last = requests.at(-1);
  const activated = {
    runId,
    scope,
    threadId,
    actor: last?.actor ?? '',
    messages,
    tools: last?.tools ?? [],
    context: requests.flatMap((request) => request.context),
    forwardedProps: last?.forwardedProps,
    references: requests.flatMap((request) => request.references),
    acceptedModes: last?.acceptedModes ?? [],
    trace: last?.trace,
    metadata: Object.assign({}, ...requests.map((request) => request.metadata)) as Activated['metadata'],
    state,
    workspace,
    settings,
  };
  return { activated, attachmentId: last?.attachmentId };
}
