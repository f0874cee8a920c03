import type { EventBody, EventType, RunEvent } from '../../schemas/run-event.ts';
import type { Outcome } from '../../schemas/run.ts';
import { textOf } from '../../schemas/part.ts';
import { oneLine } from './harmless.ts';
import { cutLine } from './output.ts';

type Describe = { readonly [Type in EventType]: (event: Extract<EventBody, { type: Type }>) => string };

/** What each kind of event says, in few words. */
const details: Describe = {
  'text.started': ({ id, role }) => `${id} ${role}`,
  'text.delta': ({ delta }) => delta,
  'text.ended': ({ id }) => id,
  'part.added': ({ part }) => part.type,
  'reasoning.started': ({ id }) => id,
  'reasoning.delta': ({ delta }) => delta,
  'reasoning.ended': ({ id }) => id,
  encrypted: ({ entity, id }) => `${entity} ${id}`,
  'tool.started': ({ id, name, runBy }) => `${id} ${name}${runBy === 'client' ? ', for the client to run' : ''}`,
  'tool.args': ({ delta }) => delta,
  'tool.called': ({ id, args }) => `${id} ${args}`,
  'tool.updated': ({ id, status, title }) => [id, status, title].filter((text) => text !== undefined).join(' '),
  'tool.output': ({ stream, delta }) => `${stream} ${delta}`,
  'tool.result': ({ id, status, parts, error }) => `${id} ${status} ${error ?? textOf(parts)}`,
  'state.snapshot': ({ state }) => JSON.stringify(state),
  'state.delta': ({ patch }) => JSON.stringify(patch),
  plan: ({ entries }) => entries.map(({ content, status }) => `${content} (${status})`).join(', '),
  'activity.snapshot': ({ activityType, content }) => `${activityType} ${JSON.stringify(content)}`,
  'activity.delta': ({ activityType, patch }) => `${activityType} ${JSON.stringify(patch)}`,
  artifact: ({ id, name, last }) => `${name ?? id}${last ? ', complete' : ''}`,
  'step.started': ({ name }) => name,
  'step.finished': ({ name }) => name,
  'subagent.started': ({ name }) => name,
  'subagent.finished': ({ id }) => id,
  'subagent.failed': ({ id, fault }) => `${id} ${fault.message}`,
  usage: ({ model, tokens }) => `${model} ${tokens.input ?? '?'} in, ${tokens.output ?? '?'} out`,
  'thread.changed': ({ title }) => title ?? '',
  notice: ({ level, text }) => `${level}: ${text}`,
  compaction: ({ summary }) => summary ?? '',
  custom: ({ name, value }) => `${name} ${JSON.stringify(value)}`,
  raw: ({ source, event }) => `${source ?? ''} ${JSON.stringify(event)}`,
  'message.added': ({ message }) => `${message.role} ${textOf(message.parts)}`,
  'run.queued': ({ activation }) => activation,
  'run.started': ({ agentId }) => agentId,
  'run.waiting': ({ ticketIds }) => `for ${ticketIds.join(', ')}`,
  'run.resumed': ({ cause }) => cause,
  'run.retrying': ({ nextAttempt, fault }) =>
    `attempt ${nextAttempt}${fault === undefined ? '' : `: ${fault.message}`}`,
  'attempt.discarded': ({ itemIds }) => itemIds.join(', '),
  'run.stopping': ({ reason, by }) => `${reason} by ${by}`,
  'run.finished': ({ outcome }) => outcomeText(outcome),
  'ticket.opened': ({ ticket }) => `${ticket.id} ${ticket.kind}: ${ticket.text}`,
  'ticket.closed': ({ ticketId, how }) => `${ticketId} ${how}`,
  'input.staged': ({ activation }) => activation,
  'input.taken': ({ activation }) => activation,
  'input.edited': ({ activation, revision }) => `${activation} revision ${revision}`,
  'input.retracted': ({ activation, by }) => `${activation} by ${by}`,
  'thread.branched': ({ headId }) => headId ?? '',
};

/** What an event says, on one line. A gateway that is newer than this may know more kinds. */
export function detailOf(event: EventBody): string {
  const describe = Object.hasOwn(details, event.type)
    ? (details[event.type] as (event: EventBody) => string)
    : undefined;
  return oneLine(describe?.(event) ?? '');
}

export function eventLine(event: RunEvent, columns: number | undefined): string {
  const { seq, atMs, type } = event;
  const time = new Date(atMs).toISOString().slice(11, 23);
  const line = [String(seq).padStart(5), time, oneLine(type).padEnd(17), detailOf(event)].join('  ').trimEnd();
  return `${cutLine(line, columns)}\n`;
}

export function outcomeText(outcome: Outcome): string {
  switch (outcome.type) {
    case 'completed':
      return outcome.stop === 'end_turn' ? 'completed' : `completed (${outcome.stop})`;
    case 'cancelled':
      return `cancelled by ${outcome.by} (${outcome.reason})`;
    case 'failed':
      return `failed: ${outcome.fault.message} (${outcome.fault.code})`;
  }
}
