import type { Standing } from '../../schemas/standing.ts';
import type { Completed, Outcome, Run } from '../../schemas/run.ts';
import type { Filing } from './filing.ts';

/** Undefined: it has not started, or works. */
export function standingOf(run: Run): Standing | undefined {
  const { id: runId, agentId, actor, status, waited, outcome, endedAtMs } = run;
  const of = { runId, agentId, actor };
  if (status === 'waiting' && waited !== undefined) return { ...of, is: waited.for, atMs: waited.sinceMs };
  if (outcome === undefined || endedAtMs === undefined) return undefined;
  return { ...of, is: endOf(outcome), atMs: endedAtMs };
}

const completions = {
  end_turn: 'completed',
  refusal: 'refused',
  max_tokens: 'stopped-early',
  max_turns: 'stopped-early',
  timeout: 'stopped-early',
} as const satisfies Record<Completed['stop'], Standing['is']>;

function endOf(outcome: Outcome): Standing['is'] {
  switch (outcome.type) {
    case 'completed':
      return completions[outcome.stop];
    case 'cancelled':
    case 'failed':
      return outcome.type;
  }
}

/** By time, so that a place in the list is a key of it. */
export function standingKey({ atMs, runId }: Pick<Standing, 'atMs' | 'runId'>): string {
  return `${String(atMs).padStart(15, '0')}:${runId}`;
}

export function standingLabel({ actor, agentId, is }: Pick<Standing, 'actor' | 'agentId' | 'is'>): string {
  return JSON.stringify([actor, agentId, is]);
}

export function standingFiling(standing: Standing): Filing {
  return { key: standingKey(standing), label: standingLabel(standing) };
}
