/** Time and timers as a port, so that tests hold both. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `wake` once, not before `atMs`; at most an hour ahead is honoured. Returns its cancellation. */
  at(atMs: number, wake: () => void): () => void;
}

const longestTimerMs = 3_600_000;

export const systemClock: Clock = {
  now: () => Date.now(),
  at(atMs, wake) {
    const timer = setTimeout(wake, Math.min(longestTimerMs, Math.max(0, atMs - Date.now())));
    return () => {
      clearTimeout(timer);
    };
  },
};
