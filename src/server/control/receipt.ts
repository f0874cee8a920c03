import type { RunReceipt } from '../../../schemas/control.ts';
import type { ThreadId } from '../../../schemas/id.ts';
import type { Receipt } from '../../gateway.ts';
import { pathOf } from './parameters.ts';

export const receiptHeaders = {
  Location: 'Where the run is.',
  'Idempotency-Replayed': '`true` where the same request had been accepted before.',
};

/** A request's receipt, the same for each of its repetitions. */
export function encodeReceipt(threadId: ThreadId, { activation, was }: Receipt) {
  const { id: activationId, received } = activation;
  const { runId, became, blockedBy } = received;
  const replayed = was === 'repeated' ? { 'idempotency-replayed': 'true' } : {};
  const body: RunReceipt = { threadId, activationId, runId, became, blockedBy: [...blockedBy] };
  return { status: 202 as const, headers: { location: pathOf('runs', runId), ...replayed }, body };
}
