// ListTasks. https://a2a-protocol.org/v1.0.1/specification/#314-list-tasks
import { type ListTasksRequest, type ListTasksResponse, TaskState } from '@a2a-js/sdk';
import { TaskNotFoundError } from '@a2a-js/sdk/errors';
import type { AgentId, RunId, ThreadId } from '../../schemas/id.ts';
import type { Run } from '../../schemas/run.ts';
import type { Standing } from '../../schemas/standing.ts';
import { Fault } from '../../src/fault.ts';
import type { Caller, Gateway } from '../../src/gateway.ts';
import { historyViolations } from './decode.ts';
import { type Violation, Violations } from './faults.ts';
import type { Tasks } from './tasks.ts';

const defaultPageSize = 50;
const largestPage = 100;

interface Listing {
  readonly gateway: Gateway;
  readonly tasks: Tasks;
  readonly agentId: AgentId;
  readonly caller: Caller;
}

interface Place {
  readonly atMs: number;
  readonly id: RunId;
}

/** A part of the list, for one page. */
interface Part {
  /** Of the page, and one more where there is more. */
  readonly places: readonly Place[];
  /** How many it has in all. */
  readonly size: number;
}

interface Wanted {
  readonly status: TaskState;
  readonly sinceMs: number;
  readonly after: Place | undefined;
  readonly limit: number;
}

/** How runs stand whose tasks are in a state. */
const standings: Partial<Readonly<Record<TaskState, readonly Standing['is'][]>>> = {
  [TaskState.TASK_STATE_INPUT_REQUIRED]: ['answer'],
  [TaskState.TASK_STATE_AUTH_REQUIRED]: ['sign-in'],
  [TaskState.TASK_STATE_COMPLETED]: ['completed'],
  [TaskState.TASK_STATE_FAILED]: ['failed', 'stopped-early'],
  [TaskState.TASK_STATE_REJECTED]: ['refused'],
  [TaskState.TASK_STATE_CANCELED]: ['cancelled'],
};

/**
 * The caller's tasks, the one whose state changed last first. A page begins after a place in that order, not after a
 * row: a task that moved meanwhile is told at its new place or was told at its old one, and no other is lost.
 */
export async function listTasks(listing: Listing, params: ListTasksRequest): Promise<ListTasksResponse> {
  const { pageSize = defaultPageSize, status, statusTimestampAfter, contextId } = params;
  const after = check(params);
  const sinceMs = statusTimestampAfter === undefined ? 0 : Date.parse(statusTimestampAfter);
  const wanted = { status, sinceMs, after, limit: pageSize + 1 };
  const threadIds = contextId === '' ? [undefined] : await threadsOf(listing, contextId);
  const parts = await Promise.all(
    threadIds.flatMap((threadId) => [standingTasks(listing, wanted, threadId), openTasks(listing, wanted, threadId)]),
  );
  const byId = new Map(parts.flatMap(({ places }) => places.map((place) => [place.id, place] as const)));
  const rest = [...byId.values()].toSorted(compare);
  const shown = rest.slice(0, pageSize);
  const last = rest.length > shown.length ? shown.at(-1) : undefined;
  const tasks = await Promise.all(shown.map(({ id }) => ifThere(listing.tasks.snapshot(listing.caller, id))));
  const totalSize = parts.reduce((sum, { size }) => sum + size, 0);
  const nextPageToken = last === undefined ? '' : encodeToken(last);
  return { tasks: tasks.filter((task) => task !== undefined), nextPageToken, pageSize, totalSize };
}

/** Tasks that wait or have ended: where they stand is known, and stays. */
async function standingTasks(
  { gateway, agentId, caller }: Listing,
  { status, sinceMs, after, limit }: Wanted,
  threadId: ThreadId | undefined,
): Promise<Part> {
  const is = status === TaskState.TASK_STATE_UNSPECIFIED ? Object.values(standings).flat() : (standings[status] ?? []);
  const filter = { agentId, is, threadId };
  const before = after === undefined ? undefined : { atMs: after.atMs, runId: after.id };
  const [listed, size] = await Promise.all([
    gateway.runs.listStanding(caller, filter, { before, limit }),
    gateway.runs.countStanding(caller, filter, sinceMs),
  ]);
  const places = listed.map(({ runId: id, atMs }) => ({ id, atMs })).filter(({ atMs }) => atMs >= sinceMs);
  return { places, size };
}

/** Tasks that are queued or worked on, which are few: what these say last is in their logs alone. */
async function openTasks(
  listing: Listing,
  { status, sinceMs, after }: Wanted,
  threadId: ThreadId | undefined,
): Promise<Part> {
  const { tasks, caller } = listing;
  const isWanted = (state: TaskState): boolean => status === TaskState.TASK_STATE_UNSPECIFIED || status === state;
  const found = await Promise.all([
    isWanted(TaskState.TASK_STATE_SUBMITTED) ? ownRuns(listing, 'created', threadId) : [],
    isWanted(TaskState.TASK_STATE_WORKING) ? ownRuns(listing, 'running', threadId) : [],
  ]);
  const places: Place[] = [];
  for (const { id } of found.flat()) {
    const { atMs, state } = (await ifThere(tasks.statusOf(caller, id))) ?? {};
    if (atMs === undefined || state === undefined || !isWanted(state) || atMs < sinceMs) continue;
    places.push({ atMs, id });
  }
  return { places: places.filter((place) => after === undefined || compare(place, after) > 0), size: places.length };
}

async function ownRuns(
  { gateway, agentId, caller }: Listing,
  status: 'created' | 'running',
  threadId: ThreadId | undefined,
): Promise<Run[]> {
  const own: Run[] = [];
  for (let cursor: string | undefined, more = true; more;) {
    const page = await gateway.runs.list(caller, { status, agentId, threadId }, { cursor, limit: 200 });
    own.push(...page.items.filter((run) => run.actor === caller.actor));
    cursor = page.next;
    more = cursor !== undefined;
  }
  return own;
}

/** Undefined: the task went with its thread since it was listed. */
async function ifThere<Found>(looked: Promise<Found>): Promise<Found | undefined> {
  try {
    return await looked;
  } catch (thrown) {
    if (thrown instanceof TaskNotFoundError || Fault.from(thrown).code === 'not-found') return undefined;
    throw thrown;
  }
}

async function threadsOf({ gateway, caller }: Listing, contextId: string): Promise<ThreadId[]> {
  const ids: ThreadId[] = [];
  for (let cursor: string | undefined, more = true; more;) {
    const page = await gateway.threads.list(caller, { contextId }, { cursor, limit: 200 });
    ids.push(...page.items.map(({ id }) => id));
    cursor = page.next;
    more = cursor !== undefined;
  }
  return ids;
}

/** Where the page begins. @throws Violations */
function check({
  pageSize,
  pageToken,
  historyLength,
  status,
  statusTimestampAfter,
}: ListTasksRequest): Place | undefined {
  const found: Violation[] = [...historyViolations(historyLength)];
  if (pageSize !== undefined && !(Number.isInteger(pageSize) && pageSize >= 1 && pageSize <= largestPage)) {
    found.push({ field: 'pageSize', description: `must be a whole number from 1 to ${largestPage}` });
  }
  if (status === TaskState.UNRECOGNIZED) found.push({ field: 'status', description: 'is not a state of tasks' });
  if (statusTimestampAfter !== undefined && Number.isNaN(Date.parse(statusTimestampAfter))) {
    found.push({ field: 'statusTimestampAfter', description: 'is not a time' });
  }
  const after = pageToken === '' ? undefined : decodeToken(pageToken);
  if (pageToken !== '' && after === undefined) found.push({ field: 'pageToken', description: 'is not one of ours' });
  if (found.length > 0) throw new Violations(found);
  return after;
}

function compare(a: Place, b: Place): number {
  return b.atMs - a.atMs || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);
}

function encodeToken({ atMs, id }: Place): string {
  return Buffer.from(JSON.stringify([atMs, id])).toString('base64url');
}

function decodeToken(token: string): Place | undefined {
  try {
    const [atMs, id] = JSON.parse(Buffer.from(token, 'base64url').toString()) as [unknown, unknown];
    return typeof atMs === 'number' && typeof id === 'string' ? { atMs, id } : undefined;
  } catch {
    return undefined;
  }
}
