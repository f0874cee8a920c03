// Token usage of one run: per provider and model, absent is unknown and never 0.
// https://docs.ag-ui.com/spec/1.0/events/lifecycle
import type { TokenUsage } from '../../schemas/run-event.ts';
import type { WireUsage } from './wire.ts';

const counts = [
  ['input', 'inputTokens'],
  ['output', 'outputTokens'],
  ['cached', 'cachedInputTokens'],
  ['cacheWrite', 'cacheWriteInputTokens'],
  ['reasoning', 'reasoningTokens'],
] as const;

/** Sums what a run reports, per provider and model, in order of appearance. */
export class UsageSum {
  readonly #entries = new Map<string, WireUsage>();

  add(provider: string, model: string, tokens: TokenUsage): void {
    const key = JSON.stringify([provider, model]);
    const entry = this.#entries.get(key) ?? { provider, model };
    this.#entries.set(key, entry);
    for (const [from, to] of counts) {
      const count = tokens[from];
      // A consumer fails the run over a count that is not a natural number.
      if (count !== undefined && Number.isSafeInteger(count) && count >= 0) entry[to] = (entry[to] ?? 0) + count;
    }
  }

  /** Undefined while nothing was reported. */
  get total(): WireUsage[] | undefined {
    if (this.#entries.size === 0) return undefined;
    return [...this.#entries.values()].map((entry) => {
      const { inputTokens, outputTokens } = entry;
      const known = inputTokens !== undefined && outputTokens !== undefined;
      return known ? { ...entry, totalTokens: inputTokens + outputTokens } : { ...entry };
    });
  }
}
