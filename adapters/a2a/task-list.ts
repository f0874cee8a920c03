// ListTasks. https://a2a-protocol.org/v1.0.1/specification/#314-list-tasks
import { type ListTasksRequest, type ListTasksResponse, TaskState } from '@a2a-js/sdk';
import type { AgentId } from '../../schemas/id.ts';
import type { Run } from '../../schemas/run.ts';
import type { Caller, Gateway } from '../../src/gateway.ts';
import { historyViolations } from './decode.ts';
import { type Violation, Violations } from './faults.ts';
import type { Tasks } from './tasks.ts';

/** Of all of a caller's tasks, the newest ones that are looked at. */
const mostRuns = 10_000;
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
  readonly id: string;
}

/**
 * The caller's tasks, the one whose state changed last first. A page begins after a place in that order, not after a
 * row: a task that moved meanwhile is told at its new place or was told at its old one, and no other is lost.
 */
export async function listTasks(listing: Listing, params: ListTasksRequest): Promise<ListTasksResponse> {
  const { pageSize = defaultPageSize } = params;
  const after = check(params);
  const sinceMs = params.statusTimestampAfter === undefined ? undefined : Date.parse(params.statusTimestampAfter);
  const places: Place[] = [];
  for (const run of await ownRuns(listing, params)) {
    const { atMs, state } = await listing.tasks.statusOf(listing.caller, run);
    const isWanted = params.status === TaskState.TASK_STATE_UNSPECIFIED || params.status === state;
    if (isWanted && (sinceMs === undefined || atMs >= sinceMs)) places.push({ atMs, id: run.id });
  }
  places.sort(compare);
  const rest = after === undefined ? places : places.filter((place) => compare(place, after) > 0);
  const shown = rest.slice(0, pageSize);
  const last = rest.length > shown.length ? shown.at(-1) : undefined;
  const tasks = await Promise.all(shown.map(({ id }) => listing.tasks.snapshot(listing.caller, id)));
  const nextPageToken = last === undefined ? '' : encodeToken(last);
  return { tasks, nextPageToken, pageSize, totalSize: places.length };
}

async function ownRuns({ gateway, agentId, caller }: Listing, params: ListTasksRequest): Promise<Run[]> {
  const threadIds = params.contextId === '' ? undefined : await threadsOf(gateway, caller, params.contextId);
  const own: Run[] = [];
  for (const threadId of threadIds ?? [undefined]) {
    for (let cursor: string | undefined, looked = 0, more = true; more && looked < mostRuns;) {
      const page = await gateway.runs.list(caller, { agentId, threadId }, { cursor, limit: 200 });
      own.push(...page.items.filter((run) => run.actor === caller.actor));
      looked += page.items.length;
      cursor = page.next;
      more = cursor !== undefined;
    }
  }
  return own;
}

async function threadsOf(gateway: Gateway, caller: Caller, contextId: string): Promise<string[]> {
  const page = await gateway.threads.list(caller, { contextId }, { limit: 200 });
  return page.items.map(({ id }) => id);
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
