import * as z from 'zod';

/**
 * Every way the gateway refuses or fails. `retryable`: the same request may succeed later, unchanged.
 * Each adapter maps every code to its protocol's error in one table.
 */
export const faults = {
  'invalid-request': { retryable: false, what: 'the request breaks its schema or a rule of its protocol' },
  unauthenticated: { retryable: false, what: 'no caller could be recognised' },
  forbidden: { retryable: false, what: 'this caller may not do this' },
  'not-found': { retryable: false, what: 'there is no such thing in your scope' },
  'agent-not-found': { retryable: false, what: 'no agent has this id' },
  'request-conflict': { retryable: false, what: 'the request id was used before with another body' },
  'run-conflict': { retryable: true, what: 'the thread is busy and the caller asked not to wait' },
  'run-ended': { retryable: false, what: 'the run is done' },
  'input-taken': { retryable: false, what: 'the input was already taken by a run' },
  'revision-conflict': { retryable: true, what: 'the thing was changed since it was read' },
  'decision-conflict': { retryable: false, what: 'the question was already closed differently' },
  'invalid-answer': { retryable: false, what: 'the answer breaks the question’s schema or options' },
  'journal-diverged': {
    retryable: false,
    what: 'the agent used a journal key twice, or asked another question under it',
  },
  'in-doubt': { retryable: false, what: 'an effect was started and nobody knows whether it happened' },
  'client-gone': { retryable: true, what: 'the client whose capability was needed has left' },
  'claim-lost': {
    retryable: false,
    what: 'this attempt no longer holds its run: cancelled, interrupted or taken over',
  },
  'cursor-expired': { retryable: false, what: 'the position is no longer, or was never, in this log' },
  'agent-protocol': { retryable: false, what: 'the agent yielded an event that its earlier events do not allow' },
  'agent-failed': { retryable: true, what: 'the agent failed in a way that may pass' },
  'agent-refused': { retryable: false, what: 'the agent failed for good' },
  'upstream-failed': { retryable: true, what: 'a remote agent could not be reached or broke off' },
  interrupted: { retryable: false, what: 'the process that executed the run died, and the agent cannot be run again' },
  'too-large': { retryable: false, what: 'a body, line, event or run is over its limit' },
  'too-many': { retryable: true, what: 'a queue, a thread or a caller is at its limit' },
  timeout: { retryable: true, what: 'the wait is over its limit' },
  unsupported: { retryable: false, what: 'the gateway or the agent cannot do this' },
  'store-failed': { retryable: true, what: 'the store cannot write; it serves reads until it is reopened' },
  'record-unreadable': { retryable: false, what: 'a stored record cannot be read' },
  'disk-low': { retryable: true, what: 'the disk is below its low-water mark' },
  'shutting-down': { retryable: true, what: 'the gateway is stopping' },
  'config-invalid': { retryable: false, what: 'the configuration or a flag is wrong' },
  internal: { retryable: true, what: 'something unexpected; the cause is in the log' },
} as const satisfies Record<string, { retryable: boolean; what: string }>;

export type FaultCode = keyof typeof faults;
export const FaultCode = z.enum(Object.keys(faults) as [FaultCode, ...FaultCode[]]);

/** A fault as records and events keep it. The message is safe to show to the caller. */
export const FaultRecord = z.object({
  code: FaultCode,
  message: z.string(),
  retryable: z.boolean(),
  /** JSON path of what is wrong, where there is one. */
  path: z.string().optional(),
});
export type FaultRecord = z.infer<typeof FaultRecord>;
