import type { EventBody } from '../../schemas/run-event.ts';
import type { Lane } from '../lane/lane.ts';
import type { Found, Step } from '../lane/records.ts';
import type { Claim } from '../mailbox/store.ts';

/** What an accepted call waits to be told. It is set when decided and told when durable. */
export type Verdict =
  | { readonly is: 'outcome'; readonly value: unknown }
  | { readonly is: 'refused'; readonly fault: unknown };

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (fault: unknown) => void;
  verdict?: Verdict;
}

export interface UpdateCall extends Waiting {
  readonly is: 'update';
  readonly decide: (lane: Lane | undefined, found: Found, nowMs: number) => Step<unknown>;
}

export interface AppendCall extends Waiting {
  readonly is: 'append';
  readonly claim: Claim;
  readonly ordinal: number;
  readonly entries: readonly EventBody[];
}

export type Call = UpdateCall | AppendCall;

export function tell(call: Call): void {
  if (call.verdict?.is === 'outcome') call.resolve(call.verdict.value as never);
  else call.reject(call.verdict?.fault);
}
