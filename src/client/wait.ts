import type { RunReport } from '../../schemas/control.ts';
import type { RunId } from '../../schemas/id.ts';
import { type Backoff, pause } from './backoff.ts';
import type { Connection } from './connection.ts';

export interface WaitOptions {
  /** `settled` (default): done, or waiting for a person. */
  readonly until?: 'settled' | 'done' | undefined;
  /** Resolves then with the run as it is. Absent: as long as it takes. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Patience {
  /** Of the first request. */
  readonly retry: Backoff;
  /** Of all further ones. */
  readonly reconnect: Backoff;
}

/** The gateway's own default: proxies on the way rarely cut an answer that takes no longer. */
const longestWaitMs = 30_000;
/** A gateway that is stopping answers before the time is over. */
const pauseMs = 250;

/** Waits as often as it takes, also over restarts of the gateway. */
export async function waitForRun(
  connection: Connection,
  id: RunId,
  { until = 'settled', timeoutMs = Infinity, signal, retry, reconnect }: WaitOptions & Patience,
): Promise<RunReport> {
  const { clock } = connection;
  const endsAtMs = clock.now() + timeoutMs;
  for (let backoff = retry; ; backoff = reconnect) {
    const waitMs = Math.max(0, Math.min(longestWaitMs, endsAtMs - clock.now()));
    const query = { timeoutMs: Math.round(waitMs), until };
    const report = await connection.request<RunReport>(
      { method: 'GET', path: ['runs', id, 'wait'], query, repeatable: true, signal },
      backoff,
    );
    const { status } = report.run;
    if (status === 'done' || (until === 'settled' && status === 'waiting')) return report;
    if (clock.now() >= endsAtMs) return report;
    await pause(clock, Math.min(pauseMs, endsAtMs - clock.now()), signal);
  }
}
