import { EventEmitter, on } from 'node:events';
import type { Activation } from '../../schemas/activation.ts';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type { Principal } from '../../schemas/id.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { Ticket } from '../../schemas/ticket.ts';
import { Fault } from '../../src/fault.ts';
import type { Gateway, Receipt, Runs, Submission, ThreadMoment, ThreadView } from '../../src/gateway.ts';
import { type Entry, runId, ThreadLog } from './ag-ui-log.ts';

export const card: AgentCard = {
  id: 'demo',
  version: '1.2.3',
  name: 'Demo',
  description: 'Shows everything',
  skills: [],
  capabilities: {
    input: ['image'],
    reasoning: true,
    tools: true,
    clientTools: true,
    state: true,
    approvals: true,
    subagents: false,
  },
  recovery: 'rerun',
  takesInput: true,
};

/** What a test's script says to a request: what became of it, or a fault. */
export type OnSubmit = (submission: Submission, gateway: FakeGateway) => Receipt | Promise<Receipt>;

/** A gateway with one thread, whose log a test writes. */
export class FakeGateway implements Gateway {
  readonly submissions: Submission[] = [];
  readonly principals: Principal[] = [];
  readonly questions = new Map<string, Ticket>();
  readonly blobs = new Map<string, string>();
  readonly log: ThreadLog;
  /** How many streams follow the log. */
  followers = 0;
  readonly #changes = new EventEmitter();
  readonly #stopping = new AbortController();
  readonly #onSubmit: OnSubmit;

  constructor(onSubmit: OnSubmit, before?: ConstructorParameters<typeof ThreadLog>[0]) {
    this.#onSubmit = onSubmit;
    this.log = new ThreadLog(before);
    this.#changes.setMaxListeners(0);
  }

  append(...entries: readonly Entry[]): void {
    this.log.append(...entries);
    this.#changes.emit('change');
  }

  stop(): void {
    this.#stopping.abort();
  }

  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Resolves when this many streams follow the log. */
  async awaitFollowers(count: number): Promise<void> {
    if (this.followers === count) return;
    for await (const _ of on(this.#changes, 'followers')) if (this.followers === count) return;
  }

  get threads(): never {
    throw new Error('this gateway has no threads to manage');
  }

  /** Finds no run: none has begun before its request. */
  get runs(): Runs {
    return { find: async () => undefined } as Partial<Runs> as Runs;
  }

  get tickets(): never {
    throw new Error('this gateway has no tickets to manage');
  }

  get subscriptions(): never {
    throw new Error('this gateway has no subscriptions to manage');
  }
  get queue(): never {
    throw new Error('this gateway has no queue to manage');
  }

  attach(): never {
    throw new Error('this gateway takes no live clients');
  }

  async events(): Promise<readonly RunEvent[]> {
    return this.log.events;
  }

  async viewAt(_: Principal, __: string, seq = this.log.head): Promise<ThreadMoment> {
    return { ...this.log.view(runId, seq), logId: 'log', seq, runId };
  }

  agents(): readonly AgentCard[] {
    return [card];
  }

  findAgent(id: string): AgentCard | undefined {
    return id === card.id ? card : undefined;
  }

  async submit(principal: Principal, submission: Submission): Promise<Receipt> {
    this.principals.push(principal);
    this.submissions.push(submission);
    return await this.#onSubmit(submission, this);
  }

  async findActivation(): Promise<Activation | undefined> {
    return undefined;
  }

  async *follow(_: Principal, __: string, after: number, signal: AbortSignal): AsyncGenerator<readonly RunEvent[]> {
    this.#count(1);
    try {
      let seq = after;
      while (!signal.aborted) {
        const page = this.log.events.slice(seq);
        seq = this.log.head;
        if (page.length > 0) yield page;
        else await this.#changed(signal);
      }
    } finally {
      this.#count(-1);
    }
  }

  async view(_: Principal, __: string, run: string, seq: number): Promise<ThreadView> {
    return this.log.view(run, seq);
  }

  async findTicket(_: Principal, __: string, ticketId: string): Promise<Ticket | undefined> {
    return this.questions.get(ticketId);
  }

  async blob(_: Principal, __: string, id: string): Promise<string> {
    const data = this.blobs.get(id);
    if (data === undefined) throw new Fault('not-found', 'no such blob');
    return data;
  }

  #count(by: number): void {
    this.followers += by;
    this.#changes.emit('followers');
  }

  #changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#changes.off('change', done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#changes.once('change', done);
      signal.addEventListener('abort', done);
    });
  }
}

/** A receipt as the rules give it for a request that is accepted. */
export function receiptFor(
  { key }: Submission,
  more: Partial<Omit<Receipt, 'activation'> & Pick<Activation, 'state' | 'warnings' | 'afterSeq'>> = {},
): Receipt {
  const { state = { is: 'attached', runId, fromSeq: 1 }, warnings = [], afterSeq = 0, ...rest } = more;
  const { became = 'running', blockedBy = [] } = rest;
  const activation: Activation = {
    id: `ag-ui:${key}`,
    door: 'ag-ui',
    key,
    actor: 'ada',
    agentId: card.id,
    digest: '',
    logId: 'log',
    acceptedAtMs: 1,
    afterSeq,
    endsAt: 'waiting',
    revision: 1,
    warnings,
    received: { became: became === 'answered' ? 'running' : became, runId, blockedBy: [...blockedBy] },
    messageIds: [],
    state,
  };
  return { activation, was: 'accepted', became: 'running', runId, blockedBy: [], ...rest };
}
