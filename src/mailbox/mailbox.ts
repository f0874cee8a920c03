import type { Activation } from '../../schemas/activation.ts';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type { Actor, Door, Principal, RunId, ThreadKey, TicketId } from '../../schemas/id.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { Answer, Ticket } from '../../schemas/ticket.ts';
import type { Agent } from '../agents/agent.ts';
import { Followers } from '../events/follow.ts';
import { messagesOf } from '../events/view.ts';
import { Fault } from '../fault.ts';
import type { Gateway, Receipt, Submission, ThreadView } from '../gateway.ts';
import type { Caller, CheckedAnswer, Command, Outcomes } from '../lane/command.ts';
import { problemWith } from './answers.ts';
import { Runner, type RunnerLimits, type RunnerPorts } from './runner.ts';
import { prepare } from './submission.ts';
import { loadView, readPath } from './views.ts';

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

  constructor(ports: MailboxPorts) {
    this.#ports = ports;
    this.#runner = new Runner(ports);
    this.#followers = new Followers(ports.store, ports.clock, ports.limits.wakeFallbackMs);
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
    const agent = this.findAgent(submission.agentId);
    if (agent === undefined) throw new Fault('agent-not-found', `no agent has the id ${submission.agentId}`);
    const { request, digest, bytes, blobs } = prepare(principal, submission);
    const { ids } = this.#ports;
    const thread = { scope: principal.scope, threadId: submission.threadId };
    const decisions = await this.#check(thread, submission.decisions);
    const { id, version, recovery, takesInput } = agent;
    const accepted = await this.#runner.accept(thread, {
      type: 'accept',
      request,
      digest,
      bytes,
      agent: { id, version, recovery, takesInput },
      decisions,
      blobs,
      ids: {
        runId: ids.next('run'),
        logId: ids.next('log'),
        messageIds: [...request.toolResults, ...request.messages].map(() => ids.next('msg')),
      },
    });
    const { activation, was, became, blockedBy } = accepted;
    const runId = 'runId' in activation.state ? activation.state.runId : '';
    return { activation, was, became, runId, blockedBy };
  }

  /** Holds each answer against its question's schema; questions never change once opened. */
  #check(
    thread: ThreadKey,
    answers: readonly { ticketId: TicketId; answer: Answer; decisionId?: string | undefined }[],
  ): Promise<CheckedAnswer[]> {
    return Promise.all(
      answers.map(async (one) => {
        const ticket = await this.#ports.store.findRecord(thread, 'ticket', one.ticketId);
        return { ...one, problem: ticket === undefined ? undefined : problemWith(ticket, one.answer) };
      }),
    );
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

  /** Answers one question. @throws Fault `not-found`, `invalid-answer`, `forbidden`, `decision-conflict`, `run-ended` */
  async decide(
    principal: Principal,
    through: { readonly door: Door; readonly origin: 'user' | 'agent' },
    threadId: string,
    answer: { readonly ticketId: TicketId; readonly answer: Answer; readonly decisionId?: string },
  ): Promise<Ticket> {
    const thread = { scope: principal.scope, threadId };
    const [decision] = await this.#check(thread, [answer]);
    if (decision === undefined) throw new Fault('internal', 'an answer was lost');
    const { ticket } = await this.#runner.turn(thread, {
      type: 'decide',
      decision,
      by: callerOf(principal.actor, through),
    });
    return ticket;
  }

  /** Ends what was accepted: a run, an activation, or all that the caller brought in on the thread. */
  cancel(
    principal: Principal,
    through: { readonly door: Door; readonly origin: 'user' | 'agent' },
    threadId: string,
    target: Command<'cancel'>['target'],
  ): Promise<Outcomes['cancel']> {
    const by = callerOf(principal.actor, through);
    return this.#runner.turn({ scope: principal.scope, threadId }, { type: 'cancel', target, by });
  }

  /** Stops what runs on the thread and supersedes what the caller had queued. */
  interrupt(
    principal: Principal,
    through: { readonly door: Door; readonly origin: 'user' | 'agent' },
    threadId: string,
  ): Promise<Outcomes['interrupt']> {
    const by = callerOf(principal.actor, through);
    return this.#runner.turn({ scope: principal.scope, threadId }, { type: 'interrupt', by });
  }
}

function callerOf(actor: Actor, through: { readonly door: Door; readonly origin: 'user' | 'agent' }): Caller {
  return { actor, ...through };
}
