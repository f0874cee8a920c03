import { Fault } from '../fault.ts';
import type { Command, Outcomes } from './command.ts';
import { assertOwn } from './stop.ts';
import { stamp, type Turn } from './turn.ts';

/** Changes what a queued or pending request says. @throws Fault `input-taken`, `revision-conflict` */
export function edit(turn: Turn, command: Command<'edit'>): Outcomes['edit'] {
  const { activationId: id, revision, messages } = command;
  const activation = turn.named(id);
  assertOwn(activation, command.by);
  const request = turn.get('request', id);
  const edited = messages.map((message, index) => ({ ...message, id: request.messages[index]?.id }));
  const isRepeated =
    activation.revision === revision + 1 && JSON.stringify(edited) === JSON.stringify(request.messages);
  if (isRepeated) return { activation };
  if (activation.state.is !== 'queued' && activation.state.is !== 'pending') {
    throw new Fault('input-taken', 'a run has taken it already');
  }
  if (activation.revision !== revision) {
    throw new Fault('revision-conflict', `it is at revision ${activation.revision}, not ${revision}`);
  }
  if (messages.length > activation.messageIds.length) {
    throw new Fault('invalid-request', 'an edit may not add messages', { path: 'messages' });
  }
  turn.put('request', id, { ...request, messages: edited });
  const changed = {
    ...activation,
    revision: revision + 1,
    messageIds: activation.messageIds.slice(0, messages.length),
  };
  turn.put('activation', id, changed);
  const { is, runId } = activation.state;
  const of = is === 'pending' ? stamp(turn.open()) : { runId, attempt: 0 };
  turn.event({ type: 'input.edited', activation: id, revision: revision + 1 }, of);
  return { activation: changed };
}

/**
 * Puts queued and pending requests in the given order, among the places that they hold. Requests that wait
 * as one run hold one place, where the first of them is named, and stay in their own order.
 */
export function reorder(turn: Turn, command: Command<'reorder'>): Outcomes['reorder'] {
  const { lane } = turn;
  const { activationIds } = command;
  if (new Set(activationIds).size !== activationIds.length) {
    throw new Fault('invalid-request', 'a request is named twice', { path: 'activationIds' });
  }
  const placed = [
    ...lane.queue.map((run) => ({ ids: run.activations.map((one) => one.id), order: run.order })),
    ...lane.inputs.map((input) => ({ ids: [input.id], order: input.order })),
  ];
  const named = new Set(
    activationIds.map((id) => {
      const activation = turn.named(id);
      const place = placed.find((one) => one.ids.includes(activation.id));
      if (place === undefined) throw new Fault('input-taken', `${id} does not wait on this thread`);
      for (const one of place.ids) assertOwn(turn.get('activation', one), command.by);
      return place;
    }),
  );
  const places = [...named];
  const order = places.flatMap(({ ids }) => ids.filter((id) => activationIds.includes(id)));
  const orders = places.map((place) => place.order).toSorted((a, b) => a - b);
  if (places.every((place, index) => place.order === orders[index])) return { order };
  const orderOf = new Map(places.flatMap((place, index) => place.ids.map((id) => [id, orders[index] ?? place.order])));
  lane.queue = lane.queue.map((run) => ({ ...run, order: orderOf.get(run.activations[0]?.id ?? '') ?? run.order }));
  lane.inputs = lane.inputs.map((input) => ({ ...input, order: orderOf.get(input.id) ?? input.order }));
  return { order };
}
