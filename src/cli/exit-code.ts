import type { FaultCode } from '../../schemas/fault.ts';
import type { Outcome } from '../../schemas/run.ts';

/**
 * 0: done. 1: it failed, or was cancelled. 2: the command line or the configuration is wrong. 3: there is no such thing.
 * 4: it is refused as things stand. 130: interrupted by Ctrl-C.
 */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 130;

const codes = {
  'invalid-request': 2,
  unauthenticated: 4,
  forbidden: 4,
  'not-found': 3,
  'agent-not-found': 3,
  'request-conflict': 4,
  'run-conflict': 4,
  'run-ended': 4,
  'input-taken': 4,
  'revision-conflict': 4,
  'decision-conflict': 4,
  'invalid-answer': 4,
  'journal-diverged': 1,
  'in-doubt': 1,
  'client-gone': 1,
  'claim-lost': 1,
  'cursor-expired': 1,
  'agent-protocol': 1,
  'agent-failed': 1,
  'agent-refused': 1,
  'upstream-failed': 1,
  interrupted: 1,
  'too-large': 4,
  'too-many': 4,
  timeout: 1,
  unsupported: 4,
  'store-failed': 1,
  'record-unreadable': 1,
  'disk-low': 1,
  'shutting-down': 1,
  'config-invalid': 2,
  internal: 1,
} as const satisfies Record<FaultCode, ExitCode>;

export function exitCodeOf(code: FaultCode): ExitCode {
  return codes[code];
}

export function exitCodeOfRun(outcome: Outcome): ExitCode {
  return outcome.type === 'completed' ? 0 : 1;
}
