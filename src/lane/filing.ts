import type { Run } from '../../schemas/run.ts';
import type { Thread } from '../../schemas/thread.ts';
import type { Ticket } from '../../schemas/ticket.ts';
import type { Standing } from '../../schemas/standing.ts';
import type { SubscriptionRecord } from '../../schemas/subscription.ts';
import type { RecordKind, Records } from './records.ts';
import { standingFiling } from './standing.ts';

/** The kinds of record that can be listed over a whole scope. */
export type ListedKind = 'run' | 'standing' | 'ticket' | 'thread' | 'subscription';

/** Where a record is found in the lists of its scope. */
export interface Filing {
  /** Its place in the order, newest last; unique among its kind in a scope. Never changes. */
  readonly key: string;
  /** What it is listed under, beside all of its kind. Changes with the record. */
  readonly label: string;
}

/**
 * Runs and tickets are ordered by their ids, which are; threads, whose names are their callers', by when they were made;
 * subscriptions by their runs, standings by since when. A run is filed under its status, or `dead` while nothing was done
 * about its failure; a standing under whose it is and how; a ticket under `open` or `closed`; a thread under its context; a
 * subscription under `active` or `dead`. Other kinds are not listed.
 */
export function filingOf<Kind extends RecordKind>(kind: Kind, value: Records[Kind]): Filing | undefined {
  const one: RecordKind = kind;
  switch (one) {
    case 'run': {
      const run = value as Run;
      return { key: run.id, label: isDead(run) ? 'dead' : run.status };
    }
    case 'standing':
      return standingFiling(value as Standing);
    case 'ticket': {
      const ticket = value as Ticket;
      return { key: ticket.id, label: ticket.closed === undefined ? 'open' : 'closed' };
    }
    case 'thread': {
      const { id, contextId, createdAtMs } = value as Thread;
      return { key: `${String(createdAtMs).padStart(15, '0')}:${id}`, label: contextId };
    }
    case 'subscription': {
      const subscription = value as SubscriptionRecord;
      return { key: subscriptionKey(subscription), label: subscription.state.is };
    }
    case 'activation':
    case 'request':
    case 'message':
    case 'alias':
    case 'journal':
    case 'memory':
    case 'checkpoint':
    case 'blob':
      return undefined;
  }
}

const keys: Readonly<Record<ListedKind, RegExp>> = {
  run: /^run_/,
  ticket: /^tkt_/,
  thread: /^\d{15}:/,
  subscription: /^run_[^/]*\//,
  standing: /^\d{15}:run_/,
};

/** Whether a text can be a key among those of its kind: what names a place in another list cannot. */
export function isKeyOf(kind: ListedKind, text: string): boolean {
  return keys[kind].test(text);
}

/** The id of a subscription's record: those of one run stand together, and each actor has names of its own. */
export function subscriptionKey({ runId, actor, id }: Pick<SubscriptionRecord, 'runId' | 'actor' | 'id'>): string {
  return `${runId}/${actor.replaceAll('%', '%25').replaceAll('/', '%2F')}/${id}`;
}

/** Failed for good, with nobody having done anything about it. */
export function isDead(run: Run): boolean {
  return run.outcome?.type === 'failed' && run.setAside === undefined;
}
