import type { ActivationRequest } from '../../schemas/activation.ts';
import type { RunId } from '../../schemas/id.ts';
import type { MessageInput } from '../../schemas/message.ts';
import type { Outcome, Run } from '../../schemas/run.ts';
import type { Command } from './command.ts';
import type { OpenRun } from './lane.ts';
import { type Base, findKnown } from './reconcile.ts';
import { isLeftToClient } from './start.ts';
import { isStopped } from './tickets.ts';
import type { Turn } from './turn.ts';

type Accept = Command<'accept'>;

/** What of a request is new to the thread, and where it goes. */
export interface Said {
  readonly fresh: readonly MessageInput[];
  readonly base: Base;
}

/**
 * What a request is to the runs that its answers and results are for: it `continues` the open one, is `over` with one that
 * has ended, or stands `apart`, for the thread to do as with any other.
 */
export type Course = { readonly is: 'continues' | 'apart' } | { readonly is: 'over'; readonly run: EndedRun };

export type EndedRun = Run & { readonly lastSeq: number; readonly outcome: Outcome };

/**
 * A client that sends whole copies answers by its protocol's law before it may go on, so its answers never start another
 * run while questions are open. With nothing new to say it asks nothing: where questions are open it is told these, and
 * where its answers and results come late it gets what came of those that came before.
 */
export function courseOf(turn: Turn, command: Accept, said: Said): Course {
  const { open } = turn.lane;
  const asked = command.decisions.flatMap(({ ticketId }) => turn.find('ticket', ticketId) ?? []);
  const saysMore = said.fresh.some((message) => isOwnWord(turn, command.request, message));
  if (open !== undefined) {
    const own = asked.filter((ticket) => ticket.runId === open.runId);
    const answersOpen = own.some((ticket) => ticket.closed === undefined);
    const isMeant = answersOpen || meansOpen(turn, open, command, { saysMore, base: said.base });
    if (isMeant && !isStopped(turn)) return { is: 'continues' };
  }
  if (saysMore) return { is: 'apart' };
  const told = [...asked.map(({ runId }) => runId), ...tookResults(turn, command.request, said.fresh)];
  if (open !== undefined && told.includes(open.runId)) return { is: 'continues' };
  const runs = told.map((runId) => turn.find('run', runId)).filter((run) => isEnded(run));
  const [last] = runs.toSorted((a, b) => b.lastSeq - a.lastSeq);
  return last === undefined ? { is: 'apart' } : { is: 'over', run: last };
}

/**
 * Whether a whole copy can only mean the open run: it has to answer what is asked first, or has nothing to say but what that
 * run was asked, as when a page is cut off and makes its request again. While its run goes on, asking again is a wish.
 */
function meansOpen(
  turn: Turn,
  open: OpenRun,
  { decisions, request, agent }: Accept,
  said: { readonly saysMore: boolean; readonly base: Base },
): boolean {
  const { whenBusy, messagesAre, actor, door } = request;
  if (messagesAre !== 'whole') return false;
  const isAsking = open.tickets.length > 0;
  if (isAsking && decisions.length > 0) return true;
  const { saysMore, base } = said;
  const isWaiting = whenBusy === 'queue' || whenBusy === 'steer';
  if (saysMore || base === 'root' || !isWaiting || open.agentId !== agent.id) return false;
  if (base === undefined) return isAsking || (open.actor === actor && open.door === door);
  return isAsking && turn.find('message', base.at)?.runId === open.runId;
}

/** The runs that took other results of calls than this copy has: a call has one, and its client has not heard of it. */
function tookResults(turn: Turn, { messages }: ActivationRequest, fresh: readonly MessageInput[]): RunId[] {
  return fresh.flatMap(({ toolCallId }) => {
    const results = messages.filter((message) => message.toolCallId === toolCallId);
    const caller = messages.find(({ toolCalls = [] }) => toolCalls.some((call) => call.id === toolCallId));
    if (toolCallId === undefined || results.length > 1 || caller?.id === undefined) return [];
    const known = findKnown(turn, caller.id, caller);
    for (let id = known && turn.lane.headId; id !== undefined && id !== known?.id;) {
      const message = turn.get('message', id);
      if (message.toolCallId === toolCallId) return message.runId ?? [];
      id = message.parentId;
    }
    return [];
  });
}

function isEnded(run: Run | undefined): run is EndedRun {
  return run?.lastSeq !== undefined && run.outcome !== undefined;
}

/** Whether it is for no run to have written: what people and frontends say, and results of calls that were left to them. */
export function isOwnWord(turn: Turn, { messagesAre }: ActivationRequest, { role, toolCallId }: MessageInput): boolean {
  if (messagesAre === 'new') return true;
  if (role === 'tool') return toolCallId !== undefined && isLeftToClient(turn, toolCallId);
  return role !== 'assistant' && role !== 'reasoning' && role !== 'activity';
}
