import type { Receipt } from '../gateway.ts';
import type { Outcomes } from '../lane/command.ts';

/** What a door is told of a request that was taken in. */
export function receiptOf({ activation, was, became, blockedBy }: Outcomes['accept']): Receipt {
  const runId = 'runId' in activation.state ? activation.state.runId : '';
  return { activation, was, became, runId, blockedBy };
}
