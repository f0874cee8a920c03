import * as z from 'zod';
import { RunId, TicketId } from './id.ts';
import { Json } from './json.ts';
import { Message } from './message.ts';

/**
 * What a run's `ask`, `once` or `input` did under one key. A later attempt finds it and gets the same again; another
 * digest under the same key is `journal-diverged`.
 */
export const Journal = z.object({
  runId: RunId,
  key: z.string(),
  digest: z.string(),
  entry: z.discriminatedUnion('is', [
    z.object({ is: z.literal('asked'), ticketIds: z.array(TicketId) }),
    /** Durable before the effect begins. `starts` counts resolutions to repeat it, plus the first. */
    z.object({ is: z.literal('started'), attempt: z.number().int(), starts: z.number().int() }),
    z.object({ is: z.literal('finished'), result: Json.optional(), starts: z.number().int() }),
    z.object({ is: z.literal('took'), messages: z.array(Message) }),
  ]),
});
export type Journal = z.infer<typeof Journal>;
