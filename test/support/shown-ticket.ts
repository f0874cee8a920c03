import type { ShownTicket } from '../../schemas/control.ts';

/** An open question as callers see it. */
export function shownTicket(change: Partial<ShownTicket> = {}): ShownTicket {
  return {
    id: 'tkt_1',
    threadId: 't',
    runId: 'run_1',
    rootRunId: 'run_1',
    key: 'k',
    kind: 'approval',
    text: 'May I?',
    options: [],
    editable: false,
    mayDecide: 'person',
    openedAtMs: 0,
    expiresAtMs: 1,
    onExpiry: 'dismiss',
    secret: false,
    ...change,
  };
}
