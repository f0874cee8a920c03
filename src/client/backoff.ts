import type { Clock } from '../clock.ts';
import { Problem, Unreachable } from './problem.ts';

/** How often something is tried, and how long it waits in between. */
export interface Backoff {
  /** In all, the first one included. */
  readonly attempts: number;
  /** Before the second attempt; doubled for each further one. */
  readonly firstMs: number;
  readonly capMs: number;
}

/** A gateway that asks for more than this is given up on. */
const longestRetryAfterMs = 60_000;

/**
 * How long to wait after a failed attempt; undefined: it would fail again, or may not be repeated. A 429 or 503 says that
 * nothing was done. A cut connection says nothing, so only what is `repeatable` is sent again after one.
 */
export function waitAfter(
  thrown: unknown,
  {
    attempt,
    backoff,
    repeatable,
  }: { readonly attempt: number; readonly backoff: Backoff; readonly repeatable: boolean },
): number | undefined {
  if (attempt >= backoff.attempts) return undefined;
  const ownMs = Math.min(backoff.capMs, backoff.firstMs * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2);
  if (thrown instanceof Unreachable) return repeatable ? ownMs : undefined;
  if (!(thrown instanceof Problem) || (thrown.status !== 429 && thrown.status !== 503)) return undefined;
  const waitMs = Math.max(ownMs, thrown.retryAfterMs ?? 0);
  return waitMs <= longestRetryAfterMs ? waitMs : undefined;
}

/** Resolves after `ms`; rejects with the signal's reason when that is aborted first. */
export function pause(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = (): void => {
      cancel();
      reject(signal?.reason as Error);
    };
    const cancel = clock.at(clock.now() + ms, () => {
      signal?.removeEventListener('abort', stop);
      resolve();
    });
    signal?.addEventListener('abort', stop, { once: true });
  });
}
