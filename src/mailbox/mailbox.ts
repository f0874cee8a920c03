import type { Activation } from '../../schemas/activation.ts';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type { Principal, RunId, ThreadKey } from '../../schemas/id.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { Ticket } from '../../schemas/ticket.ts';
import type { Agent } from '../agents/agent.ts';
import type { Attachment } from '../attachment.ts';
import { Followers } from '../events/follow.ts';
import { messagesOf } from '../events/view.ts';
import { Fault } from '../fault.ts';
import type { Gateway, Receipt, Submission, ThreadMoment, ThreadView } from '../gateway.ts';
import type { AgentTerms, PushRules } from '../lane/command.ts';
import { Attachments } from './attachments.ts';
import { Outbox, type PushPorts } from './outbox.ts';
import { MailboxQueue } from './queue.ts';
import { receiptOf } from './receipt.ts';
import { Runner, type RunnerLimits, type RunnerPorts } from './runner.ts';
import { MailboxRuns } from './runs.ts';
import { prepare } from './submission.ts';
import { MailboxSubscriptions } from './subscriptions.ts';
import { MailboxThreads } from './threads.ts';
import { checkAnswer, MailboxTickets } from './tickets.ts';
import { findRunAt, loadView, readLog, readPath } from './views.ts';

/** What the mailbox needs of the registry. */
export interface Agents {
  cards(): readonly AgentCard[];
  find(id: string): Agent | undefined;
}

export type MailboxLimits = Omit<RunnerLimits, 'push'>;

export interface MailboxPorts extends Omit<RunnerPorts, 'limits' | 'onLane' | 'attachment'> {
  readonly agents: Agents;
  readonly limits: MailboxLimits;
  /** Without it nothing is sent to webhooks, and no subscription is made. */
  readonly push?: PushPorts;
}

/** What subscriptions go by. 20 failures take about an hour. */
export const pushRules: PushRules = {
  perRun: 10,
  perThread: 200,
  maxAttempts: 20,
  backoffBaseMs: 1000,
  backoffCapMs: 300_000,
};

/** What doors may do: each call is one turn of the rules, or a read. */
export class Mailbox implements Gateway {
  readonly #ports: MailboxPorts;
  readonly #runner: Runner;
  readonly #followers: Followers;
  readonly threads: MailboxThreads;
  readonly runs: MailboxRuns;
  readonly tickets: MailboxTickets;
  readonly queue: MailboxQueue;
  readonly subscriptions: MailboxSubscriptions;
  readonly #outbox: Outbox | undefined;
  readonly #attachments = new Attachments();

  constructor(ports: MailboxPorts) {
    this.#ports = ports;
    const { store, ids, push } = ports;
    this.#runner = new Runner({
      ...ports,
      limits: { ...ports.limits, push: push?.rules ?? pushRules },
      attachment: (thread, actor, id) => this.#attachments.get(thread, actor, id),
      onLane: (thread, lane) => this.#outbox?.observe(thread, lane),
    });
    this.#followers = new Followers(store, ports.clock, ports.limits.wakeFallbackMs);
    this.#outbox = push === undefined ? undefined : this.#newOutbox(push);
    const shared = { store, runner: this.#runner, followers: this.#followers, ids };
    this.threads = new MailboxThreads(shared);
    this.runs = new MailboxRuns({ ...shared, termsOf: (agentId) => this.#termsOf(agentId) });
    this.tickets = new MailboxTickets(shared);
    this.queue = new MailboxQueue(shared);
    this.subscriptions = new MailboxSubscriptions({ ...shared, outbox: this.#outbox });
  }

  #newOutbox(push: PushPorts): Outbox {
    const { store, clock, ids, log, limits } = this.#ports;
    const { wakeFallbackMs, shutdownGraceMs } = limits;
    return new Outbox({
      push,
      store,
      followers: this.#followers,
      clock,
      ids,
      log,
      wakeFallbackMs,
      shutdownGraceMs,
      turn: (thread, command) => this.#runner.turn(thread, command),
      view: async ({ scope, actor, threadId, runId }, seq) => {
        const principal = { scope, actor };
        const run = await store.findRecord({ scope, threadId }, 'run', runId);
        const hasBegun = run?.firstSeq !== undefined && run.firstSeq <= seq;
        return hasBegun ? this.view(principal, threadId, runId, seq) : this.viewAt(principal, threadId, seq);
      },
    });
  }

  get stopping(): AbortSignal {
    return this.#runner.stopping;
  }

  /** Takes over what earlier processes left, then starts what is ready. */
  start(): Promise<void> {
    return this.#runner.start();
  }

  /**
   * Stops executing: streams end detached, agents are told, and what can run again elsewhere is released. The store is
   * left open.
   */
  async stop(): Promise<void> {
    await Promise.all([this.#runner.stop(), this.#outbox?.stop()]);
    this.#followers.close();
  }

  agents(): readonly AgentCard[] {
    return this.#ports.agents.cards();
  }

  findAgent(id: string): AgentCard | undefined {
    return this.#ports.agents.find(id)?.card;
  }

  async submit(principal: Principal, submission: Submission): Promise<Receipt> {
    const agent = this.#termsOf(submission.agentId);
    const { request, digest, bytes, blobs } = prepare(principal, submission);
    const { ids } = this.#ports;
    const thread = { scope: principal.scope, threadId: submission.threadId };
    const { store } = this.#ports;
    const decisions = await Promise.all(submission.decisions.map((one) => checkAnswer(store, thread, one)));
    const accepted = await this.#runner.accept(thread, {
      type: 'accept',
      request,
      digest,
      bytes,
      agent,
      decisions,
      blobs,
      ids: {
        runId: ids.next('run'),
        logId: ids.next('log'),
        messageIds: [...request.toolResults, ...request.messages].map(() => ids.next('msg')),
      },
    });
    return receiptOf(accepted);
  }

  #termsOf(agentId: string): AgentTerms {
    const card = this.findAgent(agentId);
    if (card === undefined) throw new Fault('agent-not-found', `no agent has the id ${agentId}`);
    const { id, version, recovery, takesInput } = card;
    return { id, version, recovery, takesInput };
  }

  attach({ scope, actor }: Principal, threadId: string, attachment: Attachment): Disposable {
    return this.#attachments.add({ scope, threadId }, actor, attachment);
  }

  findActivation(principal: Principal, threadId: string, id: string): Promise<Activation | undefined> {
    return this.#ports.store.findRecord({ scope: principal.scope, threadId }, 'activation', id);
  }

  findTicket(principal: Principal, threadId: string, ticketId: string): Promise<Ticket | undefined> {
    return this.#ports.store.findRecord({ scope: principal.scope, threadId }, 'ticket', ticketId);
  }

  follow(
    principal: Principal,
    threadId: string,
    after: number,
    signal: AbortSignal,
  ): AsyncIterable<readonly RunEvent[]> {
    return this.#followers.follow({ scope: principal.scope, threadId }, after, signal);
  }

  async events({ scope }: Principal, threadId: string, after: number, limit: number): Promise<readonly RunEvent[]> {
    return readLog(this.#ports.store, { scope, threadId }, after, limit);
  }

  async viewAt({ scope, actor }: Principal, threadId: string, at: number | undefined): Promise<ThreadMoment> {
    const { store } = this.#ports;
    const thread = { scope, threadId };
    const lane = await store.findLane(thread);
    if (lane === undefined) throw new Fault('not-found', `no thread has the id ${threadId}`);
    const { logId, head } = lane;
    const seq = at ?? head;
    if (seq > head) throw new Fault('cursor-expired', 'the position is beyond the end of the log');
    const common = { tickets: [], logId, seq };
    const state = (await store.findRecord(thread, 'thread', ''))?.state ?? {};
    if (seq === head && lane.open === undefined) {
      // Nothing is open: the records say all, also where the log is gone.
      return {
        ...common,
        messages: await readPath(store, thread, lane.headId),
        state,
        runId: await this.#lastRun(thread),
      };
    }
    const runId = await findRunAt(store, thread, seq);
    if (runId !== undefined) return { ...(await this.view({ scope, actor }, threadId, runId, seq)), logId, seq, runId };
    // No run had begun by then: what there was came with the thread, and the first run began with it.
    const later = await store.readEvents(thread, seq, 250);
    const first = later.find((event) => event.type === 'run.started');
    const messages = await readPath(store, thread, first === undefined ? lane.headId : first.baseId);
    return { ...common, messages, state, runId };
  }

  /** The last one that has begun; ids are in the order of their making, and a queue is short. */
  async #lastRun({ scope, threadId }: ThreadKey): Promise<RunId | undefined> {
    const runs = await this.#ports.store.list({ scope, kind: 'run', threadId, limit: 128 });
    const begun = runs.map(({ value }) => value).filter((run) => run.firstSeq !== undefined);
    return begun.toSorted((a, b) => (b.firstSeq ?? 0) - (a.firstSeq ?? 0))[0]?.id;
  }

  async view(principal: Principal, threadId: string, runId: RunId, seq: number): Promise<ThreadView> {
    const { store } = this.#ports;
    const thread = { scope: principal.scope, threadId };
    const run = await store.findRecord(thread, 'run', runId);
    if (run?.firstSeq === undefined) throw new Fault('not-found', `no run ${runId} has begun`);
    // What comes after its end does not concern it, and may be much.
    const upTo = { seq: Math.min(seq, run.lastSeq ?? seq) };
    const view = await loadView(store, thread, { id: runId, firstSeq: run.firstSeq }, upTo);
    const before = await readPath(store, thread, run.baseId);
    return {
      messages: [...before, ...messagesOf(view, run.agentId)],
      state: view.state,
      tickets: [...view.tickets.values()],
    };
  }

  async blob(principal: Principal, threadId: string, id: string): Promise<string> {
    const blob = await this.#ports.store.findRecord({ scope: principal.scope, threadId }, 'blob', id);
    if (blob === undefined) throw new Fault('not-found', `no blob has the id ${id}`);
    return blob.data;
  }
}
