import fc from 'fast-check';
import type { WhenBusy } from '../../schemas/activation.ts';
import type { MessageInput } from '../../schemas/message.ts';
import { textOf } from '../../schemas/part.ts';
import type { Answer, Question } from '../../schemas/ticket.ts';
import { Fault } from '../../src/fault.ts';
import type { AgentTerms, Caller } from '../../src/lane/command.ts';
import { subscriptionKey } from '../../src/lane/filing.ts';
import { claimOf, type LaneSubscription } from '../../src/lane/lane.ts';
import {
  agent,
  alice,
  assistant,
  bob,
  done,
  type Ending,
  failed,
  type LaneDriver,
  type Said,
  user,
} from './lane-driver.ts';
import type { LaneModel } from './lane-model.ts';

const minute = 60_000;
const day = 86_400_000;
const year = 365 * day;

/** Another agent that calls us: it may not decide for people. */
const robot: Caller = { actor: 'robot', door: 'a2a', origin: 'agent' };
const callers = [alice, bob, { ...alice, door: 'control' }, robot] as const;
const agents: readonly AgentTerms[] = [
  agent,
  agent,
  { ...agent, id: 'quiet', recovery: 'resume', takesInput: false },
  { ...agent, id: 'fragile', recovery: 'fail' },
];
const ways: readonly WhenBusy[] = ['queue', 'queue', 'steer', 'steer', 'interrupt', 'reject'];
const endings: readonly Ending[] = [
  done,
  done,
  { type: 'completed', stop: 'refusal' },
  failed(true),
  failed(true),
  failed(false),
];
const clocks = [1, 100, 250, 1_000, 5_000, minute, 5 * minute, day, 8 * day, -1, -1_000, -day, year, -year];
const answers: readonly Answer[] = [
  { type: 'approve' },
  { type: 'approve', args: { path: '/tmp' } },
  { type: 'deny' },
  { type: 'option', optionId: 'allow-once' },
  { type: 'option', optionId: 'blue' },
  { type: 'value', value: { name: 'A' } },
  { type: 'dismiss' },
];
const questions: readonly Partial<Question>[] = [
  {},
  { editable: true },
  { mayDecide: 'anyone' },
  { kind: 'choice', options: [{ id: 'blue', name: 'Blue', kind: 'other' }] },
  { kind: 'form', secret: true },
  { expiresInMs: 1_000 },
  { expiresInMs: day, onExpiry: 'fail' },
];

/** What may happen to a thread, and how often against each other. */
const weights = {
  post: 9,
  sendCopy: 5,
  claim: 12,
  write: 6,
  callClient: 2,
  ask: 5,
  wait: 4,
  resume: 1,
  effect: 6,
  takeInput: 4,
  checkpoint: 1,
  settle: 6,
  release: 2,
  lose: 3,
  finish: 4,
  decide: 7,
  withdraw: 1,
  cancel: 3,
  interrupt: 1,
  retract: 2,
  edit: 2,
  reorder: 2,
  redrive: 3,
  discard: 1,
  patch: 1,
  tick: 5,
  subscribe: 3,
  unsubscribe: 1,
  push: 9,
  clock: 6,
  repeat: 6,
} as const;
type MoveName = keyof typeof weights;

/** One thing that somebody does. The numbers choose among what is there when its turn comes. */
export interface Move {
  readonly what: MoveName;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

export const anyMove: fc.Arbitrary<Move> = fc.record({
  what: fc.oneof(
    ...Object.entries(weights).map(([what, weight]) => ({ weight, arbitrary: fc.constant(what as MoveName) })),
  ),
  a: fc.nat(1_000),
  b: fc.nat(1_000),
  c: fc.nat(1_000),
});

/** Plays moves on a lane: people on several doors, the agents, the processes that execute them, and the clock. */
export class LanePlay {
  readonly #model: LaneModel;
  readonly #driver: LaneDriver;
  /** Two tabs of one web client, each with its own copy of the conversation. */
  readonly #copies: MessageInput[][] = [[], []];
  readonly #calls: string[] = [];
  readonly #requests: string[] = [];
  #texts = 0;

  constructor(model: LaneModel) {
    this.#model = model;
    this.#driver = model.driver;
  }

  play(move: Move): void {
    this.#moves[move.what](move);
  }

  readonly #moves: Readonly<Record<MoveName, (move: Move) => void>> = {
    post: ({ a, b, c }) => {
      const text = this.#text();
      const messages = c % 7 === 0 ? [] : [text];
      const toolResults = c % 5 === 0 ? this.#toolResults(b) : [];
      this.#accept({ messages, toolResults, base: c % 11 === 0 ? this.#message(b) : undefined }, { a, b, c }, messages);
    },
    sendCopy: ({ a, b, c }) => {
      const tab = a % this.#copies.length;
      const { list, text } = this.#changedCopy(this.#copies[tab] ?? [], b, c);
      this.#copies[tab] = list;
      const texts = text === undefined ? [] : [text];
      this.#accept({ messages: [...list], messagesAre: 'whole', by: alice }, { a, b, c }, texts);
    },
    claim: ({ a }) => {
      const held = this.#held();
      const token = a % 10 === 0 && held !== undefined ? held : this.#driver.mint('token');
      this.#model.perform({ type: 'claim', offer: this.#driver.offer(token) });
    },
    write: ({ a, b }) => {
      this.#write(() => this.#driver.say(this.#token(a), `says ${b}`));
    },
    callClient: ({ a }) => {
      this.#write(() => this.#calls.push(this.#driver.callClient(this.#token(a), 'locate')));
    },
    ask: ({ a, b, c }) => {
      const asked = [pick(questions, b), ...(c % 3 === 0 ? [pick(questions, c)] : [])];
      const named = asked.map((question) => ({
        id: this.#driver.mint('ticket'),
        question: { kind: 'approval', text: 'may I?', ...question } as const,
      }));
      const digest = JSON.stringify(asked);
      this.#model.perform({ type: 'ask', token: this.#token(a), key: `ask-${b % 4}`, digest, questions: named });
    },
    wait: ({ a }) => {
      this.#model.perform({ type: 'wait', token: this.#token(a) });
    },
    resume: ({ a }) => {
      this.#model.perform({ type: 'resume', token: this.#token(a) });
    },
    effect: ({ a, b, c }) => {
      const token = this.#token(a);
      const key = `once-${b % 2}`;
      this.#model.perform({ type: 'once', token, key, digest: 'once', repeat: c % 2 === 0 });
      if (c % 3 === 0) this.#model.perform({ type: 'endOnce', token, key, result: c });
    },
    takeInput: ({ a, b }) => {
      this.#model.perform({ type: 'takeInput', token: this.#token(a), key: `input-${b % 3}` });
    },
    checkpoint: ({ a }) => {
      this.#model.perform({ type: 'checkpoint', token: this.#token(a) });
    },
    settle: ({ a, b, c }) => {
      const next = c % 2 === 0 ? { token: this.#driver.mint('token') } : undefined;
      this.#model.perform(this.#driver.settlement(this.#token(a), pick(endings, b), next));
    },
    release: ({ a }) => {
      this.#model.perform({ type: 'release', token: this.#token(a) });
    },
    lose: ({ a }) => {
      this.#model.perform({ type: 'lost', token: this.#token(a) });
    },
    finish: ({ a }) => {
      const offer = a % 2 === 0 ? this.#driver.offer() : undefined;
      this.#model.perform({ ...this.#model.finishing(), offer });
    },
    decide: ({ a, b, c }) => {
      const decision = { ticketId: this.#ticket(a), answer: pick(answers, b), problem: c % 9 === 0 ? 'no' : undefined };
      this.#model.perform({ type: 'decide', decision, by: pick(callers, c) });
    },
    withdraw: ({ a, b }) => {
      this.#model.perform({ type: 'withdraw', token: this.#token(a), ticketIds: [this.#ticket(b)] });
    },
    cancel: ({ a, b, c }) => {
      const targets = [{ run: this.#run(b) }, { activation: this.#request(b) }, 'thread'] as const;
      this.#model.perform({ type: 'cancel', target: pick(targets, a), by: pick(callers, c) });
    },
    interrupt: ({ a }) => {
      this.#model.perform({ type: 'interrupt', by: pick(callers, a) });
    },
    retract: ({ a, b }) => {
      this.#model.perform({ type: 'retract', activationId: this.#request(a), by: pick(callers, b) });
    },
    edit: ({ a, b }) => {
      const activationId = this.#request(a);
      // A client that keeps its own copy edits that.
      if (this.#driver.find('request', activationId)?.messagesAre === 'whole') return;
      const revision = b % 4 === 0 ? 1 : (this.#driver.find('activation', activationId)?.revision ?? 1);
      const text = this.#text();
      const edited = this.#model.perform({ type: 'edit', activationId, revision, messages: [user(text)], by: alice });
      if (typeof edited === 'object') this.#model.brought(activationId, [text]);
    },
    reorder: ({ a, b }) => {
      const activationIds = [this.#request(a), this.#request(b)];
      this.#model.perform({ type: 'reorder', activationIds, by: alice });
    },
    redrive: ({ a, b, c }) => {
      const runId = this.#run(a);
      const { agentId } = this.#driver.find('run', runId) ?? {};
      const terms = agents.find((one) => one.id === agentId) ?? agent;
      const ids = { runId: this.#driver.mint('run') };
      const offer = c % 2 === 0 ? this.#driver.offer() : undefined;
      const by = pick(callers, b);
      const redriven = this.#model.perform({ type: 'redrive', runId, agent: terms, ids, by, waitsInAll: 0, offer });
      if (typeof redriven === 'object') this.#requests.push(redriven.activation.id);
    },
    discard: ({ a }) => {
      this.#model.perform({ type: 'discard', runId: this.#run(a), by: 'alice' });
    },
    patch: ({ a }) => {
      this.#model.perform({ type: 'patch', patch: { title: `title ${a % 3}`, metadata: { a } } });
    },
    subscribe: ({ a, b, c }) => {
      const name = a % 2 === 0 ? 'brief' : 'whole';
      const subscription = {
        id: name,
        runId: this.#runForWebhook(b),
        actor: c % 4 === 0 ? 'bob' : 'alice',
        door: 'a2a',
        target: { url: `https://hook.example/${c % 3}` },
        filter: name === 'brief' ? 'status' : 'everything',
      } as const;
      const again = this.#driver.all('subscription').map(({ id, runId, actor, filter }) => {
        return { ...subscription, id, runId, actor, filter };
      });
      const after = c % 4 === 0 ? undefined : pick([0, 0, b], c);
      const deadOnRun = c % 9 === 0 ? 9 : 0;
      const made = c % 3 === 0 && again.length > 0 ? pick(again, b) : subscription;
      this.#model.perform({ type: 'subscribe', subscription: made, after, deadOnRun, claim: this.#driver.offer() });
    },
    unsubscribe: ({ a }) => {
      const id = pickOr('run-0/alice/brief', this.#driver.all('subscription'), subscriptionKey, a);
      this.#model.perform({ type: 'unsubscribe', id });
    },
    push: ({ a, b, c }) => {
      const { subscriptions = [] } = this.#driver.lane ?? {};
      if (subscriptions.length > 0) this.#push(pick(subscriptions, a), b, c);
    },
    tick: () => {
      this.#model.perform({ type: 'tick' });
    },
    clock: ({ a }) => {
      this.#driver.nowMs = Math.max(0, this.#driver.nowMs + pick(clocks, a));
    },
    repeat: ({ a }) => {
      const { repeatable } = this.#model;
      if (repeatable.length > 0) this.#model.repeat(pick(repeatable, a));
    },
  };

  #accept(said: Said, { a, b, c }: Omit<Move, 'what'>, texts: readonly string[]): void {
    const open = this.#driver.lane?.open?.runId;
    const decisions =
      b % 4 === 0 ? [0, 1].map((index) => ({ ticketId: this.#ticket(a + index), answer: pick(answers, c) })) : [];
    const first = this.#driver.lane?.queue[0]?.runId;
    const belongsTo = c % 4 === 0 ? open : c % 4 === 1 ? first : undefined;
    const bound = belongsTo === undefined ? {} : { bound: belongsTo };
    const expected = open !== undefined && c % 13 === 0 ? { expectedRunId: open } : {};
    const accepted = this.#model.perform(
      this.#driver.acceptance({
        by: pick(callers, a),
        agent: pick(agents, c),
        whenBusy: pick(ways, b),
        endsAt: a % 2 === 0 ? 'waiting' : 'done',
        priority: pick([100, 100, 100, 50, 200], b),
        decisions,
        ...bound,
        ...expected,
        ...(a % 3 === 0 ? { token: this.#driver.mint('token') } : {}),
        ...(c % 6 === 0 ? { state: { n: c } } : {}),
        ...said,
      }),
    );
    if (typeof accepted !== 'object') return;
    this.#requests.push(accepted.activation.id);
    const { messages } = this.#driver.get('request', accepted.activation.id);
    const brought = messages.filter((message) => message.role === 'user').map((message) => textOf(message.parts));
    for (const text of texts) if (!brought.includes(text)) throw new Error(`“${text}” was not let in`);
    this.#model.brought(accepted.activation.id, brought);
  }

  /** A web client's copy before its next request: goes on, asks again, edits, greets, or is loaded anew. */
  #changedCopy(
    list: readonly MessageInput[],
    b: number,
    c: number,
  ): { list: MessageInput[]; text: string | undefined } {
    const text = this.#text();
    const next = user(text, this.#driver.mint('m'));
    const last = list.findLastIndex((message) => message.role === 'user');
    switch (c % 6) {
      case 0:
        return last === -1 ? { list: [next], text } : { list: list.slice(0, last + 1), text: undefined };
      case 1: {
        const edited = last === -1 ? next : user(text, list[last]?.id);
        return { list: [...list.slice(0, Math.max(0, last)), edited], text };
      }
      case 2:
        return { list: [...list.slice(0, b % (list.length + 1)), next], text };
      case 3:
        return { list: [assistant(`greeting ${text}`, this.#driver.mint('m')), ...list, next], text };
      case 4:
        return { list: [...this.#loaded(), next], text };
      default:
        return { list: [...list, next], text };
    }
  }

  /** The conversation as the thread shows it. */
  #loaded(): MessageInput[] {
    const list: MessageInput[] = [];
    for (let id = this.#driver.lane?.headId; id !== undefined;) {
      const { role, parts, parentId, toolCallId, toolCalls } = this.#driver.get('message', id);
      list.unshift({ id, role, parts, toolCallId, toolCalls });
      id = parentId;
    }
    return list;
  }

  /** What a process does that follows a subscription: sends, fails, dies, or is one that another has taken over from. */
  #push({ id, cursor, claim }: LaneSubscription, b: number, c: number): void {
    const { webhooks } = this.#model;
    if (claim === undefined || b % 7 === 0) {
      const over = c % 5 === 0 ? 'token-0' : claim?.token;
      this.#model.perform({ type: 'claimPush', id, claim: this.#driver.offer(), over });
      return;
    }
    const token = b % 11 === 0 ? 'token-0' : claim.token;
    const [next] = webhooks.wantedBy(id);
    if (next === undefined) {
      const upTo = pick([this.#driver.lane?.head ?? 0, cursor, cursor + 1_000_000], c);
      this.#model.perform({ type: 'pushed', id, token, upTo });
      return;
    }
    if (c % 3 === 0) {
      const fault = { code: 'upstream-failed', message: 'it answered 500', retryable: true } as const;
      const upTo = c % 2 === 0 ? cursor : next.seq - 1;
      const retryAfterMs = pick([0, 10, 4_000, year], b);
      this.#model.perform({ type: 'pushFailed', id, token, upTo, fault, final: c % 5 === 0, retryAfterMs });
      return;
    }
    if (token !== claim.token) {
      this.#model.perform({ type: 'pushed', id, token, upTo: next.seq });
      return;
    }
    webhooks.accept(id, next.seq);
    if (b % 5 === 0) webhooks.crash(id);
    else this.#model.perform({ type: 'pushed', id, token, upTo: next.seq });
  }

  /** Some that are done, and those that are not. */
  #runForWebhook(choice: number): string {
    const { open, queue = [] } = this.#driver.lane ?? {};
    const waiting = [...(open === undefined ? [] : [open]), ...queue];
    return choice % 4 > 0 && waiting.length > 0 ? pick(waiting, choice).runId : this.#run(choice);
  }

  #write(write: () => unknown): void {
    try {
      write();
      this.#model.appended();
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'claim-lost') throw error;
    }
  }

  #held(): string | undefined {
    const { lane } = this.#driver;
    return lane === undefined ? undefined : claimOf(lane)?.token;
  }

  /** The token that holds the claim; now and then an old one, or one that never was. */
  #token(choice: number): string {
    const { tokens } = this.#model;
    if (choice % 8 === 0 && tokens.length > 0) return pick(tokens, choice);
    return this.#held() ?? 'token-0';
  }

  #ticket(choice: number): string {
    const open = this.#driver.lane?.open?.tickets ?? [];
    if (choice % 4 > 0 && open.length > 0) return pick(open, choice).id;
    return pickOr('ticket-0', this.#driver.all('ticket'), (ticket) => ticket.id, choice);
  }

  #run(choice: number): string {
    return pickOr('run-0', this.#driver.all('run'), (run) => run.id, choice);
  }

  #message(choice: number): string {
    return pickOr('message-0', this.#driver.all('message'), (message) => message.id, choice);
  }

  #request(choice: number): string {
    const { lane } = this.#driver;
    const waits = [...(lane?.queue ?? []).flatMap((run) => run.activations), ...(lane?.inputs ?? [])];
    if (choice % 3 > 0 && waits.length > 0) return pick(waits, choice).id;
    return this.#requests.length === 0 ? 'ag-ui:none' : pick(this.#requests, choice);
  }

  #toolResults(choice: number): NonNullable<Said['toolResults']> {
    const left = this.#driver.lane?.left?.toolCallIds ?? [];
    const toolCallId =
      left.length > 0 && choice % 3 > 0 ? pick(left, choice) : pickOr('call-0', this.#calls, (id) => id, choice);
    return [{ toolCallId, parts: [{ type: 'text', text: `result ${this.#driver.mint('r')}` }] }];
  }

  #text(): string {
    this.#texts += 1;
    return `text ${this.#texts}`;
  }
}

function pick<Value>(values: readonly Value[], choice: number): Value {
  const value = values[choice % values.length];
  if (value === undefined) throw new Error('there is nothing to choose from');
  return value;
}

function pickOr<Value>(
  otherwise: string,
  values: readonly Value[],
  idOf: (value: Value) => string,
  choice: number,
): string {
  return values.length === 0 ? otherwise : idOf(pick(values, choice));
}
