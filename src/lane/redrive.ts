import type { ActivationId, RunId } from '../../schemas/id.ts';
import type { MessageInput } from '../../schemas/message.ts';
import type { Run } from '../../schemas/run.ts';
import { Fault } from '../fault.ts';
import { accept } from './accept.ts';
import type { Command, Outcomes, Rules } from './command.ts';
import { isDead } from './filing.ts';
import type { Turn } from './turn.ts';

/**
 * Asks again what a dead run was asked. What it began with is in the thread: the new run branches from there. What it
 * took in later is said again, behind that.
 */
export function redrive(turn: Turn, command: Command<'redrive'>, rules: Rules): Outcomes['redrive'] {
  const { runId, by, agent, ids, waitsInAll, offer } = command;
  const dead = getRun(turn, runId);
  if (dead.setAside?.how !== 'redriven') assertDead(dead);
  const [first] = dead.activations;
  if (first === undefined) throw new Fault('internal', `run ${runId} served nobody`);
  const { began, later } = askedOf(turn, dead);
  const accepted = accept(
    turn,
    {
      type: 'accept',
      request: {
        ...turn.get('request', first),
        actor: by.actor,
        door: by.door,
        origin: by.origin,
        key: `redrive:${runId}`,
        agentId: agent.id,
        messages: later,
        messagesAre: 'new',
        decisions: [],
        toolResults: [],
        whenBusy: 'queue',
        bound: undefined,
        expectedRunId: undefined,
        base: began ?? dead.baseId,
        state: undefined,
        endsAt: 'done',
      },
      digest: runId,
      bytes: 0,
      agent,
      decisions: [],
      blobs: [],
      ids: { runId: ids.runId, logId: turn.lane.logId, messageIds: later.map((_, at) => `${ids.runId}:${at}`) },
      waitsInAll,
      offer,
    },
    rules,
    false,
  );
  if (accepted.was === 'accepted') {
    turn.setRun(ids.runId, { retryOf: runId });
    const setAside = { how: 'redriven', runId: ids.runId, by: by.actor, atMs: turn.lane.lastMs } as const;
    turn.setRun(runId, { setAside });
  }
  return accepted;
}

/** The last message that a run began with, and those that it took in afterwards. */
function askedOf(turn: Turn, run: Run): { began: string | undefined; later: MessageInput[] } {
  const asked = run.activations.map((id) => ({ id, began: beganWith(turn, id, run) }));
  const began = asked.filter((one) => one.began).flatMap(({ id }) => turn.get('activation', id).messageIds);
  const later = asked.filter((one) => !one.began).flatMap(({ id }) => turn.get('request', id).messages);
  return { began: began.at(-1), later: later.map((message) => ({ ...message, id: undefined })) };
}

function beganWith(turn: Turn, id: ActivationId, run: Run): boolean {
  const { state } = turn.get('activation', id);
  return 'fromSeq' in state && state.fromSeq === run.firstSeq;
}

/** Takes a dead run off the list of those to be seen to. */
export function discard(turn: Turn, { runId, by }: Command<'discard'>): Outcomes['discard'] {
  const run = getRun(turn, runId);
  if (run.setAside?.how === 'discarded') return { run };
  assertDead(run);
  turn.setRun(runId, { setAside: { how: 'discarded', by, atMs: turn.lane.lastMs } });
  return { run: turn.get('run', runId) };
}

function getRun(turn: Turn, runId: RunId): Run {
  const run = turn.find('run', runId);
  if (run === undefined) throw new Fault('not-found', `no run has the id ${runId}`);
  return run;
}

function assertDead(run: Run): void {
  if (isDead(run)) return;
  const why = run.setAside === undefined ? 'has not failed for good' : `was ${run.setAside.how} already`;
  throw new Fault('run-conflict', `run ${run.id} ${why}`, { retryable: false });
}
