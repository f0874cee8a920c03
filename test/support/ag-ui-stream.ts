import { RunEncoder } from '../../adapters/ag-ui/encode.ts';
import type { Began, FramePosition } from '../../adapters/ag-ui/cursor.ts';
import type { ClientCopy } from '../../adapters/ag-ui/decode.ts';
import type { Opening } from '../../adapters/ag-ui/fold.ts';
import { profiles, type ProfileName } from '../../adapters/ag-ui/profile.ts';
import { runId, threadId, type ThreadLog } from './ag-ui-log.ts';

export const activation = 'ag-ui:client-run-1';
export const secondActivation = 'ag-ui:client-run-2';

/** A client that holds its one message. */
export const clientCopy: ClientCopy = {
  messages: new Map([['m1', 2]]),
  reasoning: new Set(),
  answeredCalls: new Set(),
  state: {},
};

/** What a test says of a stream; the rest is the first request's. */
export type Said = Partial<Opening> & { readonly activation?: string; readonly began?: Began };

export function opening(
  era: ProfileName,
  { activation: id = activation, began = 'fresh', ...more }: Said = {},
): Opening {
  return {
    name: { is: 'run', profile: era, logId: 'log', activation: id, began, caughtUp: 'undecided' },
    threadId,
    runId: 'client-run-1',
    parentRunId: undefined,
    run: runId,
    afterSeq: 0,
    copy: clientCopy,
    profile: profiles[era],
    lost: () => undefined,
    maxFrameChars: 1024 * 1024,
    ...more,
  };
}

/** The whole stream of an activation, as text. */
export function encodeLog(log: ThreadLog, to: Opening, blobs: ReadonlyMap<string, string> = new Map()): string {
  const encoder = new RunEncoder(to);
  const earlier = log.events.filter((event) => event.seq <= to.afterSeq);
  for (const event of earlier) encoder.recall(runId, event, { blobs });
  const frames = [...encoder.prelude()];
  for (const event of log.events) {
    if (event.seq <= to.afterSeq) continue;
    const moment = encoder.needsView(event);
    const view = moment === undefined ? undefined : log.view(moment.runId, moment.seq);
    frames.push(...encoder.encode(event, { view, blobs }));
  }
  return frames.join('');
}

/** The stream of somebody who comes when event `seq` had been recorded, from a position on. */
export function encodeJoined(
  log: ThreadLog,
  era: ProfileName,
  seq: number,
  sentUpTo?: FramePosition,
  lost: Opening['lost'] = () => undefined,
): string {
  const name = { is: 'join', profile: era, logId: 'log', run: runId, seq, called: 'client-run-1' } as const;
  const encoder = new RunEncoder({ ...opening(era), name, copy: undefined, sentUpTo, lost });
  for (const event of log.events.slice(0, seq)) encoder.encode(event, { blobs: new Map() });
  const frames = [...encoder.join(seq, { view: log.view(runId, seq), blobs: new Map() })];
  for (const event of log.events.slice(seq)) {
    const moment = encoder.needsView(event);
    const view = moment === undefined ? undefined : log.view(moment.runId, moment.seq);
    frames.push(...encoder.encode(event, { view, blobs: new Map() }));
  }
  return frames.join('');
}
