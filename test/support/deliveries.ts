import type { RunEvent } from '../../schemas/run-event.ts';
import type { PushFilter } from '../../schemas/subscription.ts';
import { isWanted } from '../../src/lane/subscriptions.ts';

/** What one webhook was for. */
export interface Wanted {
  readonly runId: string;
  readonly filter: PushFilter;
  /** The last event that it need not have been told. */
  readonly after: number;
  /** The last that it must have been told. */
  readonly upTo: number;
}

/**
 * Holds the numbers that a webhook accepted, in their order, against the log: each that it wanted at least once and in
 * order, nothing else, and each once unless something crashed between sending and recording.
 */
export function checkDeliveries(
  log: readonly RunEvent[],
  wanted: Wanted,
  accepted: readonly number[],
  crashes: boolean,
): string[] {
  const violations: string[] = [];
  const { after, upTo } = wanted;
  const numbers = log.filter((event) => isWanted(event, wanted) && event.seq > after).map(({ seq }) => seq);
  const due = numbers.filter((seq) => seq <= upTo);
  let told = after;
  const first = new Set<number>();
  for (const seq of accepted) {
    if (!numbers.includes(seq)) violations.push(`${seq} was sent, which nobody wanted`);
    if (first.has(seq)) {
      if (!crashes) violations.push(`${seq} was sent twice`);
    } else if (seq < told) violations.push(`${seq} was sent behind ${told}`);
    first.add(seq);
    told = Math.max(told, seq);
  }
  for (const seq of due) if (!first.has(seq)) violations.push(`${seq} was never sent`);
  return violations;
}
