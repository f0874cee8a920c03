import type { RunEventBody } from '../../../schemas/run-event.ts';
import type { Activated, RunContext } from '../agent.ts';

/** One attempt at answering one message. */
export interface Turn {
  readonly activation: Activated;
  readonly context: RunContext;
}

export type Answering = AsyncIterable<RunEventBody> | Iterable<RunEventBody>;

export interface Command {
  readonly name: `/${string}`;
  /** Its arguments as the help shows them; '' for none. */
  readonly takes: string;
  readonly what: string;
  /** `undefined`: the arguments are not what it takes. */
  answer(turn: Turn, args: readonly string[]): Answering | undefined;
}

export function usageOf({ name, takes }: Command): string {
  return takes === '' ? name : `${name} ${takes}`;
}

/** A whole number from 1 to `most`; `undefined` for any other text. */
export function countOf(text: string | undefined, most: number): number | undefined {
  const count = /^\d{1,9}$/.test(text ?? '') ? Number(text) : 0;
  return count >= 1 && count <= most ? count : undefined;
}
