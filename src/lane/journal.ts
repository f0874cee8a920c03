import { Fault } from '../fault.ts';
import type { Command, Outcomes } from './command.ts';
import type { OpenRun } from './lane.ts';
import { takePending } from './start.ts';
import type { Turn } from './turn.ts';

/** Input that continued the run starts a turn of it with keys of its own. */
export function journalId(open: OpenRun, key: string): string {
  return `${open.runId}/${open.turn}/${key}`;
}

/**
 * Makes *started* durable before an effect begins. Found started by an earlier attempt, and not ended, it is in doubt;
 * `repeat` is the recorded resolution to start it again.
 */
export function once(turn: Turn, command: Command<'once'>): Outcomes['once'] {
  const { token, key, digest, repeat } = command;
  const open = turn.held(token);
  if (open.phase.is === 'stopping') throw new Fault('claim-lost', 'the run is being stopped');
  const id = journalId(open, key);
  const known = turn.find('journal', id);
  const { runId, attempt } = open;
  if (known === undefined) {
    turn.put('journal', id, { runId, key, digest, entry: { is: 'started', attempt, starts: 1 } });
    return { is: 'started' };
  }
  const { entry } = known;
  if (known.digest !== digest || (entry.is !== 'started' && entry.is !== 'finished')) {
    throw new Fault('journal-diverged', `the key ${key} was used for something else in an earlier attempt`);
  }
  if (entry.is === 'finished') return { is: 'finished', result: entry.result };
  // This attempt's own start, told again; that it uses no key twice is its context's to see.
  if (entry.attempt === attempt) return { is: 'started' };
  if (!repeat) return { is: 'in-doubt' };
  turn.put('journal', id, { ...known, entry: { is: 'started', attempt, starts: entry.starts + 1 } });
  return { is: 'started' };
}

/** Keeps an effect's result: a boundary. */
export function endOnce(turn: Turn, command: Command<'endOnce'>): Outcomes['endOnce'] {
  const { token, key, result } = command;
  const open = turn.held(token);
  const id = journalId(open, key);
  const known = turn.find('journal', id);
  if (known?.entry.is === 'finished') return {};
  if (known?.entry.is !== 'started') throw new Fault('journal-diverged', `no effect was started under the key ${key}`);
  const { starts } = known.entry;
  turn.put('journal', id, { ...known, entry: { is: 'finished', result, starts } });
  turn.setOpen({ boundarySeq: turn.lane.head });
  return {};
}

/** Takes what was steered into the run: a boundary. A later attempt's same call gets the same messages. */
export function takeInput(turn: Turn, command: Command<'takeInput'>): Outcomes['takeInput'] {
  const { token, key } = command;
  const open = turn.held(token);
  const id = journalId(open, key);
  const known = turn.find('journal', id);
  if (known?.entry.is === 'took') return { messages: known.entry.messages };
  if (known !== undefined) throw new Fault('journal-diverged', `the key ${key} was used for something else`);
  if (turn.lane.inputs.length === 0 || open.phase.is === 'stopping') return { messages: [] };
  const messages = takePending(turn);
  turn.put('journal', id, { runId: open.runId, key, digest: '', entry: { is: 'took', messages } });
  return { messages };
}

/** All that was recorded so far is final. */
export function checkpoint(turn: Turn, command: Command<'checkpoint'>): Outcomes['checkpoint'] {
  turn.held(command.token);
  turn.setOpen({ boundarySeq: turn.lane.head });
  return {};
}
