import { RunEncoder } from '../../adapters/ag-ui/encode.ts';
import type { Opening } from '../../adapters/ag-ui/fold.ts';
import { profiles, type ProfileName } from '../../adapters/ag-ui/profile.ts';
import { runId, threadId, type ThreadLog } from './ag-ui-log.ts';

export const activation = 'ag-ui:client-run-1';
export const secondActivation = 'ag-ui:client-run-2';

export function opening(era: ProfileName, more: Partial<Opening> = {}): Opening {
  return {
    activation,
    threadId,
    runId: 'client-run-1',
    parentRunId: undefined,
    run: runId,
    logId: 'log',
    isTaken: false,
    afterSeq: 0,
    copy: { messages: new Map([['m1', 2]]), reasoning: new Set(), answeredCalls: new Set(), state: {} },
    profile: profiles[era],
    lost: () => undefined,
    maxFrameChars: 1024 * 1024,
    ...more,
  };
}

/** The whole stream of an activation, as text. */
export function encodeLog(log: ThreadLog, to: Opening, blobs: ReadonlyMap<string, string> = new Map()): string {
  const encoder = new RunEncoder(to);
  const frames = [...encoder.prelude()];
  for (const event of log.events) {
    if (event.seq <= to.afterSeq) continue;
    const moment = encoder.needsView(event);
    const view = moment === undefined ? undefined : log.view(moment.runId, moment.seq);
    frames.push(...encoder.encode(event, { view, blobs }));
  }
  return frames.join('');
}
