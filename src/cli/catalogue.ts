import { acp } from './acp.ts';
import { deadLetters } from './dead-letters.ts';
import { deadWebhooks } from './dead-webhooks.ts';
import type { Catalogue } from './help.ts';
import { queue } from './queue.ts';
import { runs } from './runs.ts';
import { send } from './send.ts';
import { doctor, serve } from './serve.ts';
import { interrupt, threads } from './threads.ts';
import { answer, approve, deny, tickets } from './tickets.ts';

/** All commands, as the help shows them. */
export const catalogue = {
  'A gateway': { serve, acp, doctor },
  'Work on a gateway': { send, runs, threads, interrupt },
  'Questions to people': { tickets, approve, deny, answer },
  'What waits, and what failed': { queue, dead: deadLetters, webhooks: deadWebhooks },
} satisfies Catalogue;
