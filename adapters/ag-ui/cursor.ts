// Frame ids: SSE's `id:` is free for a producer's own use. https://docs.ag-ui.com/spec/1.0/basic/transports/http-sse
import type { ActivationId, RunId } from '../../schemas/id.ts';
import { Fault } from '../../src/fault.ts';
import type { ProfileName } from './profile.ts';

/** How an activation stood when its stream began: it decides what of the log the stream is told. */
export type Began = 'fresh' | 'taken' | 'blocked' | 'retracted';

/** What of the thread a client was told because its own copy lacked it; `undecided` before its run's first event. */
export type CaughtUp = 'undecided' | 'nothing' | 'state' | 'messages' | 'both';

/** The answer to one request. */
export interface RunStreamName {
  readonly is: 'run';
  readonly profile: ProfileName;
  readonly logId: string;
  readonly activation: ActivationId;
  readonly began: Began;
  readonly caughtUp: CaughtUp;
}

/** For somebody who came to a run when event `seq` had been recorded; `called` is the run's name on the wire. */
export interface JoinStreamName {
  readonly is: 'join';
  readonly profile: ProfileName;
  readonly logId: string;
  readonly run: RunId;
  readonly seq: number;
  readonly called: string;
}

/** What makes a stream what it is: with the same name and the same log, the same frames come again. */
export type StreamName = RunStreamName | JoinStreamName;

/** A frame of a stream: its event's number, and its place among the frames of that event. */
export interface FramePosition {
  readonly seq: number;
  readonly frame: number;
}

const profileCodes = { '1.x': '1', '0.x': '0', copilotkit: 'c' } as const satisfies Record<ProfileName, string>;
const beganCodes = { fresh: 'f', taken: 't', blocked: 'b', retracted: 'r' } as const satisfies Record<Began, string>;
const caughtUpCodes = {
  undecided: 'u',
  nothing: 'n',
  state: 's',
  messages: 'm',
  both: 'b',
} as const satisfies Record<CaughtUp, string>;

/** What all frame ids of a stream begin with. An id is completed by `{seq}.{frame}`. Opaque outside; every frame has it. */
export function encodeStreamName(name: StreamName): string {
  const { is, profile, logId } = name;
  const codes = profileCodes[profile];
  const text =
    is === 'run'
      ? `${codes}r${beganCodes[name.began]}${caughtUpCodes[name.caughtUp]}${logId}\n${name.activation}`
      : `${codes}j${logId}\n${name.seq}\n${name.run}\n${name.called}`;
  return `${Buffer.from(text).toString('base64url')}.`;
}

/** @throws Fault `invalid-request`: it is no frame id of ours */
export function decodeCursor(cursor: string): { readonly name: StreamName; readonly position: FramePosition } {
  const [, head = '', seq, frame] = /^([\w-]+)\.(\d{1,15})\.(\d{1,9})$/.exec(cursor) ?? [];
  const name = decodeStreamName(Buffer.from(head, 'base64url').toString());
  if (name === undefined) throw new Fault('invalid-request', 'it is not the id of a frame', { path: 'Last-Event-ID' });
  return { name, position: { seq: Number(seq), frame: Number(frame) } };
}

const runName = /^([01c])r([ftbr])([unsmb])([^\n]+)\n(.+)$/su;
const joinName = /^([01c])j([^\n]+)\n(\d{1,15})\n([^\n]+)\n(.+)$/su;

function decodeStreamName(text: string): StreamName | undefined {
  const run = runName.exec(text);
  if (run !== null) {
    const [, profile, began, caughtUp, logId = '', activation = ''] = run;
    return {
      is: 'run',
      profile: decodeCode(profileCodes, profile),
      logId,
      activation,
      began: decodeCode(beganCodes, began),
      caughtUp: decodeCode(caughtUpCodes, caughtUp),
    };
  }
  const join = joinName.exec(text);
  if (join === null) return undefined;
  const [, profile, logId = '', seq, id = '', called = ''] = join;
  return { is: 'join', profile: decodeCode(profileCodes, profile), logId, seq: Number(seq), run: id, called };
}

function decodeCode<Name extends string>(codes: Readonly<Record<Name, string>>, code: string | undefined): Name {
  const found = (Object.keys(codes) as Name[]).find((name) => codes[name] === code);
  if (found === undefined) throw new Fault('internal', `no code ${code}`);
  return found;
}

/** Whether whoever has all frames up to a position has this one. */
export function isSent({ seq, frame }: FramePosition, upTo: FramePosition): boolean {
  return seq < upTo.seq || (seq === upTo.seq && frame <= upTo.frame);
}
