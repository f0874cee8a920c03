import * as z from 'zod';
import { Fault } from '../../fault.ts';

/** A place in the log of one thread: after its event `seq`, or at its start. */
export interface Position {
  readonly logId: string;
  readonly seq: number;
}

/** A position as clients hold it: `{logId}.{seq}`, opaque to them. */
export const Cursor = z
  .string()
  .max(600)
  .regex(/^[^\s.]+\.\d{1,15}$/, 'is no cursor of this gateway');

/** The same as text that was parsed. */
export const CursorParameter = Cursor.transform((text): Position => {
  const dot = text.lastIndexOf('.');
  return { logId: text.slice(0, dot), seq: Number(text.slice(dot + 1)) };
});

export function encodeCursor({ logId, seq }: Position): string {
  return `${logId}.${seq}`;
}

/** @throws Fault `cursor-expired` for a position in another log */
export function assertLog(position: Position, logId: string): void {
  if (position.logId !== logId) throw new Fault('cursor-expired', 'the cursor is of another log than the thread’s');
}
