import type { Activation } from '../../schemas/activation.ts';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type { Principal, RunId, ThreadKey } from '../../schemas/id.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { Ticket } from '../../schemas/ticket.ts';
import type { Agent } from '../agents/agent.ts';
import { Followers } from '../events/follow.ts';
import { messagesOf } from '../events/view.ts';
import { Fault } from '../fault.ts';
import type { Gateway, Receipt, Submission, ThreadMoment, ThreadView } from '../gateway.ts';
import type { AgentTerms } from '../lane/command.ts';
import { MailboxQueue } from './queue.ts';
import { receiptOf } from './receipt.ts';
import { Runner, type RunnerLimits, type RunnerPorts } from './runner.ts';
import { MailboxRuns } from './runs.ts';
import { prepare } from './submission.ts';
import { MailboxThreads } from './threads.ts';
import { checkAnswer, MailboxTickets } from './tickets.ts';
import { findRunAt, loadView, readLog, readPath } from './views.ts';

/** What the mailbox needs of the registry. */
export interface Agents {
  cards(): readonly AgentCard[];
  find(id: string): Agent | undefined;
}

export type MailboxLimits = RunnerLimits;

export interface MailboxPorts extends RunnerPorts {
  readonly agents: Agents;
}

/** What doors may do: each call is one turn of the rules, or a read. */
export class Mailbox implements Gateway {
  readonly #ports: MailboxPorts;
  readonly #runner: Runner;
  readonly #followers: Followers;
  readonly threads: MailboxThreads;
  readonly runs: MailboxRuns;
  readonly tickets: MailboxTickets;
  readonly queue: MailboxQueue;

  constructor(ports: MailboxPorts) {
    this.#ports = ports;
    this.#runner = new Runner(ports);
    this.#followers = new Followers(ports.store, ports.clock, ports.limits.wakeFallbackMs);
    const { store, ids } = ports;
    const shared = { store, runner: this.#runner, followers: this.#followers, ids };
    this.threads = new MailboxThreads(shared);
    this.runs = new MailboxRuns({ ...shared, termsOf: (agentId) => this.#termsOf(agentId) });
    this.tickets = new MailboxTickets(shared);
    this.queue = new MailboxQueue(shared);
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
    await this.#runner.stop();
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
