import * as z from 'zod';
import { ActivationId, RunId, ThreadId } from '../../../schemas/id.ts';
import { Fault } from '../../fault.ts';

/** A whole number as a query says it. */
export function wholeNumber(from: number, to: number) {
  const decode = (text: unknown): unknown =>
    typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : text;
  const error = `must be a whole number from ${from} to ${to}`;
  return z.preprocess(decode, z.int({ error }).min(from, { error }).max(to, { error }));
}

/** `true` or `false` as a query says it. */
export function flag() {
  const decode = (text: unknown): unknown => (text === 'true' ? true : text === 'false' ? false : text);
  return z.preprocess(decode, z.boolean({ error: 'must be true or false' }));
}

/** What every list takes. */
export const paging = {
  limit: wholeNumber(1, 200).default(50).describe('How many at most; 50 if absent. A page may hold fewer.'),
  cursor: z.string().min(1).max(4096).optional().describe('The `next` of the page before; absent: the newest.'),
};

/** A part of a list. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item),
    next: z.string().optional().describe('The `cursor` of the next page; absent: this was the last one.'),
  });
}

export const threadPath = z.strictObject({ threadId: ThreadId.describe('The thread.') });
export const runPath = z.strictObject({ runId: RunId.describe('The run.') });
export const activationPath = threadPath.extend({ activationId: ActivationId.describe('The request on its thread.') });

export const idempotency = z.strictObject({
  'Idempotency-Key': z
    .string()
    .min(1)
    .max(512)
    .optional()
    .describe('Names the request: the same key and body again gets the same receipt and starts nothing, for ever.'),
});

/** Where a thing that was made is found. */
export function pathOf(...segments: readonly string[]): string {
  return `/v1/${segments.map(encodeURIComponent).join('/')}`;
}

/** What was found. @throws Fault `not-found`, alike for what is not there and what is another scope's */
export function present<Thing>(found: Thing | undefined, what: string, id: string): Thing {
  if (found === undefined) throw new Fault('not-found', `no ${what} has the id ${id}`);
  return found;
}
