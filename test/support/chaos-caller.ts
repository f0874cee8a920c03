import type { RunReceipt, RunSubmission, ShownTicket } from '../../schemas/control.ts';
import type { FaultCode } from '../../schemas/fault.ts';
import type { RunId, Scope, ThreadId } from '../../schemas/id.ts';
import type { Answer } from '../../schemas/ticket.ts';
import type { AnyportClient } from '../../src/client/index.ts';
import { Fault } from '../../src/fault.ts';
import { Random } from './random.ts';

/** What the gateway told somebody, and has to be true for ever. */
export interface Promises {
  readonly receipts: { readonly scope: Scope; readonly receipt: RunReceipt; readonly text: string }[];
  readonly decisions: { readonly scope: Scope; readonly ticket: ShownTicket }[];
  /** Requests that were taken back. */
  readonly retracted: { readonly scope: Scope; readonly threadId: ThreadId; readonly activationId: string }[];
  readonly edits: {
    readonly scope: Scope;
    readonly threadId: ThreadId;
    readonly activationId: string;
    readonly revision: number;
    readonly text: string;
  }[];
  readonly ended: { readonly scope: Scope; readonly runId: RunId; readonly outcome: unknown }[];
}

export function noPromises(): Promises {
  return { receipts: [], decisions: [], retracted: [], edits: [], ended: [] };
}

/** What may be refused to somebody who acts without looking, or while the gateway is down. */
const expected: ReadonlySet<FaultCode> = new Set<FaultCode>([
  'run-conflict',
  'run-ended',
  'input-taken',
  'revision-conflict',
  'decision-conflict',
  'invalid-answer',
  'forbidden',
  'not-found',
  'too-many',
  'shutting-down',
  'upstream-failed',
  'timeout',
]);

const weights = {
  submit: 30,
  steer: 14,
  interrupting: 5,
  rejecting: 4,
  repeat: 6,
  decide: 24,
  cancelRun: 5,
  cancelThread: 3,
  cancelRequest: 4,
  interrupt: 3,
  edit: 6,
  retract: 5,
  reorder: 3,
  redrive: 4,
  look: 6,
} as const;

const words = [
  'hello there',
  'tell me more',
  '/stream 30 3',
  '/think',
  '/tool',
  '/steer 3',
  '/approve 1',
  '/approve 2',
  '/form',
  '/count',
  '/plan',
  '/state',
  '/artifact',
  '/fail transient 1',
  '/fail permanent',
  '/crash',
];

const answers: readonly Answer[] = [
  { type: 'approve' },
  { type: 'approve' },
  { type: 'deny' },
  { type: 'value', value: { name: 'Ada', age: 36 } },
  { type: 'option', optionId: 'repeat' },
  { type: 'dismiss' },
];

/** One person at one machine, who does one thing after another without much thought. */
export class ChaosCaller {
  readonly #client: AnyportClient;
  readonly #scope: Scope;
  readonly #threads: readonly ThreadId[];
  readonly #random: Random;
  readonly #promises: Promises;
  readonly #sent: { readonly submission: RunSubmission; readonly key: string; readonly receipt: RunReceipt }[] = [];
  readonly #name: string;
  #count = 0;
  #acts = 0;

  constructor(parts: {
    readonly client: AnyportClient;
    readonly name: string;
    readonly scope: Scope;
    readonly threads: readonly ThreadId[];
    readonly seed: number;
    readonly promises: Promises;
  }) {
    this.#client = parts.client;
    this.#name = parts.name;
    this.#scope = parts.scope;
    this.#threads = parts.threads;
    this.#random = new Random(parts.seed);
    this.#promises = parts.promises;
  }

  /** How much it did. */
  get acts(): number {
    return this.#acts;
  }

  /** Acts until it is over; throws at the first refusal that nobody would expect. */
  async actUntil(signal: AbortSignal): Promise<void> {
    for (; !signal.aborted; this.#acts++) {
      const what = this.#random.weighted(weights);
      try {
        await this.#deeds[what]();
      } catch (thrown) {
        if (!(thrown instanceof Fault) || !expected.has(thrown.code)) {
          throw new Error(`${this.#name} was refused to ${what}`, { cause: thrown });
        }
      }
    }
  }

  readonly #deeds: Readonly<Record<keyof typeof weights, () => Promise<void>>> = {
    submit: () => this.#submit('queue'),
    steer: () => this.#submit('steer'),
    interrupting: () => this.#submit('interrupt'),
    rejecting: () => this.#submit('reject'),
    repeat: async () => {
      if (this.#sent.length === 0) return;
      const { submission, key, receipt } = this.#random.pick(this.#sent);
      const again = await this.#client.submit(submission, { idempotencyKey: key });
      if (JSON.stringify(again) !== JSON.stringify(receipt)) {
        throw new Error(`a repeated request got ${JSON.stringify(again)} after ${JSON.stringify(receipt)}`);
      }
    },
    decide: async () => {
      const { items } = await this.#client.tickets({ limit: 20 });
      if (items.length === 0) return;
      const { id } = this.#random.pick(items);
      const ticket = await this.#client.decide(id, this.#random.pick(answers));
      this.#promises.decisions.push({ scope: this.#scope, ticket });
    },
    cancelRun: async () => {
      if (this.#sent.length > 0) await this.#client.cancelRun(this.#random.pick(this.#sent).receipt.runId);
    },
    cancelThread: async () => {
      await this.#client.cancelThread(this.#thread());
    },
    cancelRequest: async () => {
      if (this.#sent.length === 0) return;
      const { threadId, activationId } = this.#random.pick(this.#sent).receipt;
      await this.#client.cancelActivation(threadId, activationId);
    },
    interrupt: async () => {
      await this.#client.interrupt(this.#thread());
    },
    edit: async () => {
      const threadId = this.#thread();
      // One that asks a dead run's question again says nothing itself.
      const queue = (await this.#client.queue(threadId)).filter((entry) => entry.messages.length === 1);
      if (queue.length === 0) return;
      const { id, revision } = this.#random.pick(queue).activation;
      const text = this.#text();
      const messages = [{ role: 'user' as const, parts: [{ type: 'text' as const, text }] }];
      const edited = await this.#client.editInput(threadId, id, { revision, messages });
      const { revision: now } = edited;
      this.#promises.edits.push({ scope: this.#scope, threadId, activationId: id, revision: now, text });
    },
    retract: async () => {
      const threadId = this.#thread();
      const queue = await this.#client.queue(threadId);
      if (queue.length === 0) return;
      const { id } = this.#random.pick(queue).activation;
      await this.#client.retractInput(threadId, id);
      this.#promises.retracted.push({ scope: this.#scope, threadId, activationId: id });
    },
    reorder: async () => {
      const threadId = this.#thread();
      const ids = (await this.#client.queue(threadId)).map(({ activation }) => activation.id);
      if (ids.length > 1) await this.#client.reorderInput(threadId, ids.toReversed());
    },
    redrive: async () => {
      const { items } = await this.#client.deadLetters({ limit: 10 });
      if (items.length > 0) await this.#client.redrive(this.#random.pick(items).id);
    },
    look: async () => {
      const { items } = await this.#client.runs({ status: 'done', limit: 20 });
      for (const { id, outcome } of items) this.#promises.ended.push({ scope: this.#scope, runId: id, outcome });
    },
  };

  async #submit(whenBusy: 'queue' | 'steer' | 'interrupt' | 'reject'): Promise<void> {
    const text = this.#text();
    const submission = { threadId: this.#thread(), text, whenBusy };
    const key = `${this.#name}-${this.#count}`;
    const receipt = await this.#client.submit(submission, { idempotencyKey: key });
    this.#sent.push({ submission, key, receipt });
    this.#promises.receipts.push({ scope: this.#scope, receipt, text });
  }

  #thread(): ThreadId {
    return this.#random.pick(this.#threads);
  }

  /** Nobody says the same thing twice. */
  #text(): string {
    this.#count += 1;
    return `${this.#random.pick(words)} #${this.#name}-${this.#count}`;
  }
}
