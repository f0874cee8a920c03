import { Fault } from './fault.ts';

/** Up to where a follower was told: a number of a thread’s log, and how many frames of that event. */
export interface Position {
  readonly logId: string;
  readonly seq: number;
  readonly frames: number;
}

/** For a snapshot, which tells everything up to its event. */
export const allFrames = Number.MAX_SAFE_INTEGER;

export function encodePosition({ logId, seq, frames }: Position): string {
  return Buffer.from(JSON.stringify([logId, seq, frames])).toString('base64url');
}

/** @throws Fault `cursor-expired`: it is none of ours */
export function decodePosition(text: string): Position {
  try {
    const [logId, seq, frames] = JSON.parse(Buffer.from(text, 'base64url').toString()) as [unknown, unknown, unknown];
    if (typeof logId === 'string' && Number.isInteger(seq) && Number.isInteger(frames)) {
      return { logId, seq: seq as number, frames: frames as number };
    }
  } catch {
    // Said below.
  }
  throw new Fault('cursor-expired', 'the position is not one of this gateway’s');
}
