import type { RunReport, StopReport } from '../../schemas/control.ts';
import type { ActivationId, Principal, RunId, ThreadId, ThreadKey } from '../../schemas/id.ts';
import type { Message } from '../../schemas/message.ts';
import type { Run } from '../../schemas/run.ts';
import type { Standing } from '../../schemas/standing.ts';
import type { Followers } from '../events/follow.ts';
import { Fault } from '../fault.ts';
import type { Caller, Page, PageRequest, Receipt, RunFilter, Runs, StandingFilter } from '../gateway.ts';
import type { Ids } from '../ids.ts';
import type { AgentTerms } from '../lane/command.ts';
import { isDead } from '../lane/filing.ts';
import { standingKey, standingLabel } from '../lane/standing.ts';
import { receiptOf } from './receipt.ts';
import { pageOf } from './lists.ts';
import type { Runner } from './runner.ts';
import { showTicket } from './shown.ts';
import type { Store } from './store.ts';

export interface MailboxRunsParts {
  readonly store: Store;
  readonly runner: Runner;
  readonly followers: Followers;
  readonly ids: Ids;
  /** @throws Fault `agent-not-found` */
  readonly termsOf: (agentId: string) => AgentTerms;
}

/** Runs of all threads of a scope. */
export class MailboxRuns implements Runs {
  readonly #parts: MailboxRunsParts;

  constructor(parts: MailboxRunsParts) {
    this.#parts = parts;
  }

  async find({ scope }: Principal, id: RunId): Promise<RunReport | undefined> {
    const thread = await this.#parts.store.locate(scope, 'run', id);
    return thread === undefined ? undefined : this.#report(thread, id);
  }

  list({ scope }: Principal, filter: RunFilter, page: PageRequest): Promise<Page<Run>> {
    const { status, threadId, agentId } = filter;
    // Those that are dead are done as well.
    const label = status === 'done' ? undefined : status;
    return pageOf(this.#parts.store, { scope, kind: 'run', threadId, label }, page, (run) => {
      const fits = status === undefined || (status === 'dead' ? isDead(run) : run.status === status);
      return fits && (agentId === undefined || run.agentId === agentId) ? run : undefined;
    });
  }

  async listStanding(
    { scope, actor }: Principal,
    { agentId, is, threadId }: StandingFilter,
    { before, limit }: { readonly before?: Pick<Standing, 'atMs' | 'runId'> | undefined; readonly limit: number },
  ): Promise<readonly Standing[]> {
    const { store } = this.#parts;
    const at = before === undefined ? undefined : standingKey(before);
    // All are asked for before any answers, so that a run that moves from one list to another is in one of them.
    const lists = await Promise.all(
      is.map((one) => {
        const label = standingLabel({ actor, agentId, is: one });
        return store.list({ scope, kind: 'standing', threadId, label, before: at, limit });
      }),
    );
    const latestFirst = lists.flat().toSorted((a, b) => (a.key < b.key ? 1 : -1));
    return latestFirst.slice(0, limit).map(({ value }) => value);
  }

  countStanding(
    { scope, actor }: Principal,
    { agentId, is, threadId }: StandingFilter,
    sinceMs: number,
  ): Promise<number> {
    const labels = is.map((one) => standingLabel({ actor, agentId, is: one }));
    const from = standingKey({ atMs: Math.max(0, Math.ceil(sinceMs)), runId: '' });
    return this.#parts.store.count({ scope, kind: 'standing', threadId, labels, from });
  }

  async wait({ scope }: Principal, id: RunId, until: 'done' | 'settled', signal: AbortSignal): Promise<RunReport> {
    const { store, followers } = this.#parts;
    const thread = await this.#locate(scope, id);
    for (;;) {
      // The position first: what happens between the two is then seen.
      const head = (await store.findLane(thread))?.head ?? 0;
      const report = await this.#report(thread, id);
      if (report === undefined) throw notFound(id);
      const { status } = report.run;
      if (status === 'done' || (status === 'waiting' && until === 'settled') || signal.aborted) return report;
      let moved = false;
      for await (const page of followers.follow(thread, head, signal)) {
        moved = page.some(({ runId, type }) => runId === id && (type === 'run.finished' || type === 'run.waiting'));
        if (moved) break;
      }
      if (!moved) return (await this.#report(thread, id)) ?? report;
    }
  }

  async cancel(caller: Caller, id: RunId): Promise<StopReport> {
    const thread = await this.#locate(caller.scope, id);
    return this.#parts.runner.turn(thread, { type: 'cancel', target: { run: id }, by: caller });
  }

  cancelActivation(caller: Caller, threadId: ThreadId, id: ActivationId): Promise<StopReport> {
    const thread = { scope: caller.scope, threadId };
    return this.#parts.runner.turn(thread, { type: 'cancel', target: { activation: id }, by: caller });
  }

  async redrive(caller: Caller, id: RunId): Promise<Receipt> {
    const { store, runner, ids: minted, termsOf } = this.#parts;
    const thread = await this.#locate(caller.scope, id);
    const run = await store.findRecord(thread, 'run', id);
    if (run === undefined) throw notFound(id);
    const agent = termsOf(run.agentId);
    const ids = { runId: minted.next('run') };
    return receiptOf(await runner.accept(thread, { type: 'redrive', runId: id, agent, ids, by: caller }));
  }

  async discard({ scope, actor }: Principal, id: RunId): Promise<Run> {
    const thread = await this.#locate(scope, id);
    return (await this.#parts.runner.turn(thread, { type: 'discard', runId: id, by: actor })).run;
  }

  async #locate(scope: string, id: RunId): Promise<ThreadKey> {
    const thread = await this.#parts.store.locate(scope, 'run', id);
    if (thread === undefined) throw notFound(id);
    return thread;
  }

  async #report(thread: ThreadKey, id: RunId): Promise<RunReport | undefined> {
    const { store } = this.#parts;
    const run = await store.findRecord(thread, 'run', id);
    if (run === undefined) return undefined;
    const open = run.status === 'done' ? undefined : (await store.findLane(thread))?.open;
    const asked = open?.runId === id ? open.tickets : [];
    const tickets = await Promise.all(asked.map((one) => store.findRecord(thread, 'ticket', one.id)));
    return {
      run,
      tickets: tickets
        .filter((ticket) => ticket?.closed === undefined)
        .flatMap((one) => (one ? [showTicket(one)] : [])),
      messages: run.status === 'done' ? await this.#written(thread, run) : [],
    };
  }

  /** What the run took and wrote, oldest first. */
  async #written(thread: ThreadKey, run: Run): Promise<Message[]> {
    const written: Message[] = [];
    for (let at = run.headId; at !== undefined && at !== run.baseId;) {
      const message = await this.#parts.store.findRecord(thread, 'message', at);
      if (message === undefined) break;
      written.push(message);
      at = message.parentId;
    }
    return written.reverse();
  }
}

function notFound(id: RunId): Fault {
  return new Fault('not-found', `no run has the id ${id}`);
}
