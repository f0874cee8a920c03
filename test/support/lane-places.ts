import type { ActivationRequest } from '../../schemas/activation.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { Command } from '../../src/lane/command.ts';
import type { Lane } from '../../src/lane/lane.ts';

/** What waits: a run that has not begun, or one pending input. */
interface Place {
  readonly is: 'run' | 'input';
  readonly runId: string;
  readonly ids: readonly string[];
  readonly priority: number;
  readonly bound: boolean;
}

/**
 * A model of what waits on a thread, as one list in the order of its places, told by events alone. It throws when
 * something starts or is taken before its turn.
 */
export class LanePlaces {
  #places: readonly Place[] = [];
  readonly #requestOf: (activationId: string) => ActivationRequest;
  /** Input that is becoming a run, as its events say one by one. */
  #requeued: { readonly runId: string; readonly ids: readonly string[] } = { runId: '', ids: [] };

  constructor(requestOf: (activationId: string) => ActivationRequest) {
    this.#requestOf = requestOf;
  }

  /** `command` is what caused the event; `openId` the run that is open. */
  follow(event: RunEvent, command: Command | undefined, openId: string | undefined): void {
    if (event.type !== 'run.queued') this.#merge();
    const { runId = '' } = event;
    if (event.type === 'run.queued') this.#queued(event.activation, runId);
    else if (event.type === 'input.staged') {
      const { priority, bound } = this.#requestOf(event.activation);
      const place: Place = { is: 'input', runId, ids: [event.activation], priority, bound: bound === openId };
      this.#places = [...this.#places, place];
    } else if (event.type === 'input.taken') this.#taken(event.activation, command);
    else if (event.type === 'input.retracted') this.#drop([event.activation]);
    else if (event.type === 'run.started') this.#started(event.activations);
    else if (event.type === 'run.finished') {
      this.#drop(this.#places.filter((one) => one.is === 'run' && one.runId === runId).flatMap((one) => one.ids));
    }
  }

  /** The command’s events are all there. */
  settle(command: Command | undefined): void {
    this.#merge();
    if (command?.type !== 'reorder') return;
    const named = command.activationIds.map((id) => this.#places.find((place) => place.ids.includes(id)));
    const moved = [...named];
    this.#places = this.#places.map((place) => (named.includes(place) ? (moved.shift() ?? place) : place));
  }

  check(lane: Lane): void {
    const places = lane.queue.length + lane.inputs.length;
    if (places !== this.#places.length) throw new Error(`${places} places are taken, not ${this.#places.length}`);
    for (const run of lane.queue) {
      const place = this.#places.find((one) => one.is === 'run' && one.runId === run.runId);
      if (String(place?.ids) !== String(run.activations.map((one) => one.id)))
        throw new Error(`${run.runId} stands nowhere`);
    }
  }

  #queued(id: string, runId: string): void {
    if (this.#places.some((place) => place.is === 'input' && place.ids.includes(id))) {
      this.#requeued = { runId, ids: [...this.#requeued.ids, id] };
      return;
    }
    const joined = this.#places.find((place) => place.is === 'run' && place.runId === runId);
    if (joined !== undefined) {
      const ids = [...joined.ids, id];
      this.#places = this.#places.map((place) => (place === joined ? { ...joined, ids } : place));
      return;
    }
    const { priority, whenBusy } = this.#requestOf(id);
    const place = { is: 'run', runId, ids: [id], bound: false, priority } as const;
    // An interrupting request goes before all that waits; any other goes behind.
    const first = Math.min(priority, ...this.#places.map((one) => one.priority));
    if (whenBusy === 'interrupt') this.#places = [{ ...place, priority: first }, ...this.#places];
    else this.#places = [...this.#places, place];
  }

  /** A settlement takes what belongs to the run; its agent takes everything. */
  #taken(id: string, command: Command | undefined): void {
    const mayTake = this.#places.filter((one) => one.is === 'input' && (command?.type !== 'settle' || one.bound));
    if (mayTake[0]?.ids[0] !== id) throw new Error(`${id} is taken out of order`);
    this.#drop([id]);
  }

  #started(ids: readonly string[]): void {
    const [first] = this.#places.filter((place) => place.is === 'run').toSorted((a, b) => a.priority - b.priority);
    if (String(first?.ids) !== String(ids)) throw new Error(`${String(ids)} start before ${String(first?.ids)}`);
    this.#drop(ids);
  }

  #drop(ids: readonly string[]): void {
    this.#places = this.#places
      .map((place) => ({ ...place, ids: place.ids.filter((one) => !ids.includes(one)) }))
      .filter((place) => place.ids.length > 0);
  }

  /** Input that nobody took stands as one run where its first stood. */
  #merge(): void {
    const { runId, ids } = this.#requeued;
    if (ids.length === 0) return;
    this.#requeued = { runId: '', ids: [] };
    const inputs = this.#places.filter((place) => place.is === 'input');
    const all = inputs.flatMap((place) => place.ids);
    if (String(all) !== String(ids)) throw new Error('input became a run out of order, or not whole');
    this.#places = this.#places.flatMap((place) => {
      if (place === inputs[0]) return [{ ...place, is: 'run', runId, ids, bound: false } satisfies Place];
      return place.is === 'input' ? [] : [place];
    });
  }
}
