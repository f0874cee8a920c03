import { agentEndpoints } from './agents.ts';
import { deadLetterEndpoints } from './dead-letters.ts';
import { deadWebhookEndpoints } from './dead-webhooks.ts';
import { documented } from './documentation.ts';
import { eventEndpoints } from './events.ts';
import { inputEndpoints } from './input.ts';
import { messageEndpoints } from './messages.ts';
import { runEndpoints } from './runs.ts';
import { threadEndpoints } from './threads.ts';
import { ticketEndpoints } from './tickets.ts';

/** Everything under `/v1`. */
export const endpoints = documented([
  ...agentEndpoints,
  ...threadEndpoints,
  ...messageEndpoints,
  ...eventEndpoints,
  ...runEndpoints,
  ...inputEndpoints,
  ...ticketEndpoints,
  ...deadLetterEndpoints,
  ...deadWebhookEndpoints,
]);
