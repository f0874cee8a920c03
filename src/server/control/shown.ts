import * as z from 'zod';
import { Activation } from '../../../schemas/activation.ts';
import { RunReport, ShownTicket } from '../../../schemas/control.ts';
import { RunId } from '../../../schemas/id.ts';
import { Json } from '../../../schemas/json.ts';
import { Message } from '../../../schemas/message.ts';
import { Delivery, Run } from '../../../schemas/run.ts';
import { Envelope, EventBody, type RunEvent } from '../../../schemas/run-event.ts';
import { Cursor } from './cursor.ts';

/** Records as callers see them: without what is the gateway's own, the tokens of claims and the digests of requests. */

export const ShownRun = Run.extend({ deliveries: z.array(Delivery.omit({ token: true })) });
type ShownRun = z.infer<typeof ShownRun>;

export const ShownReport = RunReport.extend({ run: ShownRun });
type ShownReport = z.infer<typeof ShownReport>;

export const ShownActivation = Activation.omit({ digest: true });
type ShownActivation = z.infer<typeof ShownActivation>;

export const ShownEvent = z.intersection(Envelope.omit({ token: true }), EventBody);
type ShownEvent = z.infer<typeof ShownEvent>;

/** A thread as of one event. */
export const View = z.object({
  cursor: Cursor.describe('Where to follow its events from.'),
  runId: RunId.optional().describe('The run that was open then, or the last one before.'),
  messages: z.array(Message.partial({ seq: true })).describe('Oldest first, what is being written included.'),
  state: Json,
  tickets: z.array(ShownTicket),
});

export function showRun({ deliveries, ...run }: Run): ShownRun {
  return { ...run, deliveries: deliveries.map(withoutToken) };
}

export function showReport(report: RunReport): ShownReport {
  return { ...report, run: showRun(report.run) };
}

export function showActivation(activation: Activation): ShownActivation {
  const { digest: _, ...shown } = activation;
  return shown;
}

export function showEvent(event: RunEvent): ShownEvent {
  const { token: _, ...shown } = event;
  return shown;
}

function withoutToken(delivery: Delivery): Omit<Delivery, 'token'> {
  const { token: _, ...shown } = delivery;
  return shown;
}
