import * as z from 'zod';
import { FaultRecord } from './fault.ts';
import { Actor, Door, RunId, Scope, ThreadId } from './id.ts';

/** What may stand in a header's value: no line break can end it early. */
const headerText = z
  .string()
  .min(1)
  .max(8192)
  .regex(/^[\u0020-\u007e]+$/, 'must be printable ASCII');

/** Where a subscription's events are sent. All of it but the URL's host may be a secret: never in events or logs. */
export const PushTarget = z.object({
  url: z
    .url({ protocol: /^https?$/, error: 'must be a URL that starts with http:// or https://' })
    .max(2048)
    .refine(hasNoCredentials, 'must not carry a user or password'),
  /** Given back to the receiver in a header of its own, so that it knows who sends. */
  token: headerText.optional(),
  /** Sent as `Authorization: {scheme} {credentials}`. */
  authentication: z
    .object({
      scheme: z
        .string()
        .max(64)
        .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'must be the name of an authentication scheme'),
      credentials: headerText.optional(),
    })
    .optional(),
});
export type PushTarget = z.infer<typeof PushTarget>;

/** `status`: how the run stands and what it asks. `everything`: each of its events. */
export const PushFilter = z.enum(['status', 'everything']);
export type PushFilter = z.infer<typeof PushFilter>;

/** How a client names its subscription to a run; unique among what the same actor has on that run. */
export const SubscriptionId = z.string().min(1).max(512);
export type SubscriptionId = z.infer<typeof SubscriptionId>;

/** What a subscription is made of, and its end as long as somebody may want to know it. Changes by hand and at failures. */
export const SubscriptionRecord = z.object({
  id: SubscriptionId,
  runId: RunId,
  threadId: ThreadId,
  scope: Scope,
  actor: Actor,
  door: Door,
  target: PushTarget,
  filter: PushFilter,
  /** The door's name for the form in which its target is told events, chosen when it was made; undefined: its usual one. */
  codec: z.string().max(64).optional(),
  createdAtMs: z.number(),
  state: z.discriminatedUnion('is', [
    z.object({ is: z.literal('active'), lastFailure: z.object({ fault: FaultRecord, atMs: z.number() }).optional() }),
    /** Given up: nothing more is sent, until it is made again. */
    z.object({
      is: z.literal('dead'),
      fault: FaultRecord,
      atMs: z.number(),
      attempts: z.number().int(),
      cursor: z.number().int(),
    }),
  ]),
});
export type SubscriptionRecord = z.infer<typeof SubscriptionRecord>;

/** A webhook that follows the log of a run's thread: the record, and where it is. */
export const Subscription = SubscriptionRecord.extend({
  /** The number of the last event that was delivered, or passed over. */
  cursor: z.number().int().nonnegative(),
  /** How often in a row sending has failed. */
  attempts: z.number().int().nonnegative(),
  /** When it is tried again, after a failure. */
  wakeAtMs: z.number().optional(),
});
export type Subscription = z.infer<typeof Subscription>;

/** Names a subscription in its scope; opaque outside. */
export const DeadWebhookId = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^[A-Za-z0-9_-]+$/, 'is no webhook of this gateway');
export type DeadWebhookId = z.infer<typeof DeadWebhookId>;

/** A subscription that was given up, as anyone in its scope may see it: of its target the host alone, the rest may be a secret. */
export const DeadWebhook = SubscriptionRecord.pick({
  id: true,
  runId: true,
  threadId: true,
  actor: true,
  door: true,
  filter: true,
  createdAtMs: true,
}).extend({
  webhookId: DeadWebhookId,
  host: z.string(),
  /** The last failure, and how many there were in a row. */
  fault: FaultRecord,
  attempts: z.number().int(),
  diedAtMs: z.number(),
});
export type DeadWebhook = z.infer<typeof DeadWebhook>;

function hasNoCredentials(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { username, password } = new URL(url);
  return username === '' && password === '';
}
