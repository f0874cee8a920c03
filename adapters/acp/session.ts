// One session of one connection: a follower of its thread. What happens on the thread is told as updates, its questions
// are asked, and each prompt is answered at its own end. https://agentclientprotocol.com/protocol/v1/prompt-turn
import type { WhenBusy } from '../../schemas/activation.ts';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type { ThreadStatus } from '../../schemas/control.ts';
import type { ThreadId, TicketId } from '../../schemas/id.ts';
import type { Outcome } from '../../schemas/run.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { Log } from '../../src/adapter.ts';
import type { McpServer } from '../../src/attachment.ts';
import { Fault } from '../../src/fault.ts';
import type { Caller, Gateway, Receipt } from '../../src/gateway.ts';
import { allFrames, decodePosition, encodePosition, type Position } from '../../src/log-position.ts';
import { noSession } from './no-session.ts';
import { Past } from './past.ts';
import type { JsonRpcPeer } from './peer.ts';
import { Prompts } from './prompts.ts';
import { questionInWords } from './questions.ts';
import { QuestionsAsked } from './questions-asked.ts';
import type { ClientSide, Encoder, Place, Update, Version, Words } from './version.ts';

export interface SessionParts {
  readonly gateway: Gateway;
  readonly caller: Caller;
  readonly card: AgentCard;
  readonly version: Version;
  readonly client: ClientSide & { readonly clientId: string };
  readonly peer: JsonRpcPeer;
  /** What a prompt does when its thread is busy. */
  readonly whenBusy: WhenBusy;
  readonly log: Log;
  /** Told when it ends by itself: its thread is gone, or cannot be read. */
  readonly ended: () => void;
}

/**
 * From where a client is told what happens: its session's whole past (`after`: the rest of a replay that was broken off),
 * what comes from now on, or what follows an update.
 */
export type From =
  | { readonly is: 'start'; readonly after: string | undefined }
  | { readonly is: 'now' }
  | { readonly is: 'after'; readonly cursor: string };

export interface Attached {
  readonly status: ThreadStatus;
  readonly cursor: string;
  /** Goes on with what happens. */
  readonly begin: () => void;
}

/**
 * Modes: `new` → attach → `attached`, following the thread → detach → `left`, for good. Attached again while it follows,
 * it begins anew, and its prompts stay.
 */
export class Session {
  readonly id: ThreadId;
  readonly #parts: SessionParts;
  readonly #past: Past;
  readonly #questions: QuestionsAsked;
  readonly #prompts: Prompts;
  #encoder: Encoder | undefined;
  #attachment: Disposable | undefined;
  /** How often it was attached, or left: only the last one is followed. */
  #attempts = 0;
  #following: { readonly over: AbortController; readonly done: Promise<void> } | undefined;
  /** The last event that its client was told. */
  #at = 0;
  /** Up to which event the questions were looked up: what was asked before is among them, or is asked no more. */
  #lookedUpTo = 0;
  /** Whether its run waits for people. */
  #waits = false;
  #toldToBeStuckOn = '';

  constructor(id: ThreadId, parts: SessionParts) {
    this.id = id;
    this.#parts = parts;
    const { gateway, caller, version, card, client, peer, whenBusy, log } = parts;
    this.#prompts = new Prompts({
      gateway,
      caller,
      threadId: id,
      card,
      clientId: client.clientId,
      whenBusy,
      stuckOn: () => (this.#waits ? this.#questions.stuckOn : []),
      say: (messageId, text) => {
        this.#say(messageId, text);
      },
      accepted: (was) => this.#accepted(was),
    });
    this.#past = new Past({ gateway, caller, threadId: id, version });
    this.#questions = new QuestionsAsked({
      peer,
      log,
      encode: (ticket, problem) =>
        version.encodeQuestion(ticket, {
          sessionId: id,
          client,
          problem,
          nameOf: (toolCallId) => this.#encoder?.nameOf(toolCallId) ?? toolCallId,
        }),
      decide: async (ticketId, answer) => {
        await gateway.tickets.decide(caller, ticketId, { answer });
      },
      onUnaskable: () => {
        this.#tellIfStuck().catch((cause: unknown) => {
          log.error({ cause }, 'an ACP session could not be told what it waits for');
        });
      },
    });
  }

  /** @throws Fault `not-found`, `cursor-expired`; the signal's reason, in the middle of a replay */
  async attach(from: From, mcpServers: readonly McpServer[], signal?: AbortSignal): Promise<Attached> {
    const { gateway, caller, version, card, client, peer } = this.#parts;
    const attempt = ++this.#attempts;
    await this.#stopFollowing();
    const status = await this.#find();
    const encoder = version.newEncoder({ card, client }, (activationId) => this.#prompts.isOwn(activationId));
    this.#encoder = encoder;
    const position = await this.#position(from, { status, encoder, signal });
    this.#attachment?.[Symbol.dispose]();
    const side = version.attachmentOf(peer, { id: this.id, mcpServers }, client);
    this.#attachment = gateway.attach(caller, this.id, side);
    this.#at = endOf(position);
    this.#toldToBeStuckOn = '';
    const begin = (): void => {
      if (attempt !== this.#attempts) return;
      const over = new AbortController();
      this.#following = { over, done: this.#follow(encoder, position, over.signal) };
    };
    return { status, cursor: encodePosition(position), begin };
  }

  async #find(): Promise<ThreadStatus> {
    const { gateway, caller } = this.#parts;
    const status = await gateway.threads.find(caller, this.id);
    if (status === undefined) throw noSession(this.id);
    return status;
  }

  /** Where its client is once it is told what it asks for; the encoder is brought there too. */
  async #position(
    from: From,
    { status, encoder, signal }: { status: ThreadStatus; encoder: Encoder; signal: AbortSignal | undefined },
  ): Promise<Position> {
    switch (from.is) {
      case 'start': {
        const told = from.after === undefined ? undefined : positionIn(status, from.after);
        return this.#replay(told, encoder, signal);
      }
      case 'now': {
        const { logId, head } = status;
        await this.#past.prime(encoder, head);
        return { logId, seq: head, frames: allFrames };
      }
      case 'after': {
        const position = positionIn(status, from.cursor);
        await this.#past.prime(encoder, endOf(position));
        return position;
      }
    }
  }

  /** Of the moment that it is now, or that was being told; as fast as its client reads. */
  async #replay(told: Position | undefined, encoder: Encoder, signal: AbortSignal | undefined): Promise<Position> {
    const { peer, client } = this.#parts;
    const moment = await this.#past.moment(told?.seq);
    const { logId, seq } = moment;
    let frames = 0;
    for await (const update of this.#past.replay(moment, encoder)) {
      frames += 1;
      if (frames <= (told?.frames ?? 0)) continue;
      this.tell(
        update,
        client.takesCursors ? { in: 'replay', cursor: encodePosition({ logId, seq, frames }) } : undefined,
      );
      await peer.room();
      signal?.throwIfAborted();
    }
    return { logId, seq, frames: allFrames };
  }

  /** Never rejects. Its client's slowness holds up this follower alone. */
  async #follow(encoder: Encoder, from: Position, signal: AbortSignal): Promise<void> {
    const { gateway, caller, peer, log } = this.#parts;
    try {
      // A prompt that comes next may answer them.
      await this.#prompts.inTurn(() => this.#findQuestions(signal));
      await this.#prompts.settle(this.#at);
      for await (const page of gateway.follow(caller, this.id, this.#at, signal)) {
        const closed = new Set(page.map((event) => (event.type === 'ticket.closed' ? event.ticketId : '')));
        for (const event of page) {
          if (signal.aborted) return;
          // Most hold nothing that is kept apart: those cost no turn of the loop.
          const whole = this.#past.whole(event);
          if (whole instanceof Promise) {
            this.#tellEvent(encoder, await whole, from);
            await peer.room();
          } else this.#tellEvent(encoder, whole, from);
          const attended = this.#attend(event, closed);
          if (attended !== undefined) await attended;
        }
        await peer.room();
      }
    } catch (thrown) {
      // The one that takes its place will see.
      if (signal.aborted) return;
      const fault = Fault.from(thrown);
      if (fault.code === 'internal') log.error({ cause: fault.cause ?? fault }, 'an ACP session broke off');
      this.#end(fault);
      this.#parts.ended();
    }
  }

  #tellEvent(encoder: Encoder, event: RunEvent, from: Position): void {
    const { takesCursors } = this.#parts.client;
    const { logId } = from;
    const { seq } = event;
    let frames = 0;
    for (const update of encoder.encode(event)) {
      frames += 1;
      if (seq === from.seq && frames <= from.frames) continue;
      this.tell(update, takesCursors ? { in: 'log', cursor: encodePosition({ logId, seq, frames }) } : undefined);
    }
    this.#at = seq;
  }

  tell(update: Update, place?: Place): void {
    const { peer, version } = this.#parts;
    const { method, params } = version.encodeUpdate(this.id, update, place);
    peer.notify(method, params);
  }

  /** What an event means beyond what is told of it. Undefined for most, which are somebody's words. */
  #attend(event: RunEvent, closed: ReadonlySet<TicketId>): Promise<void> | undefined {
    const isNew = event.seq > this.#lookedUpTo;
    switch (event.type) {
      case 'ticket.opened':
        if (isNew && !closed.has(event.ticket.id)) this.#questions.add(event.ticket);
        return undefined;
      case 'ticket.closed':
        return this.#closed(event.ticketId);
      case 'run.waiting':
        if (isNew) this.#waits = true;
        return this.#tellIfStuck();
      case 'run.resumed':
      case 'run.stopping':
        if (isNew) this.#waits = false;
        return undefined;
      case 'run.finished':
        if (isNew) this.#waits = false;
        return this.#prompts.settle(this.#at);
      case 'input.retracted':
        return this.#prompts.settle(this.#at);
      default:
        return undefined;
    }
  }

  async #closed(id: TicketId): Promise<void> {
    const { gateway, caller, client } = this.#parts;
    const wasOpen = this.#questions.close(id);
    const ticket = wasOpen || !client.opensUrls ? undefined : await gateway.tickets.find(caller, id);
    if (ticket !== undefined) this.#questions.closedBefore(ticket);
    await this.#tellIfStuck();
  }

  /** What its thread waits for as it is attached: that is asked again. */
  async #findQuestions(signal: AbortSignal): Promise<void> {
    const { gateway, caller } = this.#parts;
    const { open, head } = await this.#find();
    const report = open === undefined ? undefined : await gateway.runs.find(caller, open.runId);
    if (signal.aborted) return;
    this.#questions.leave();
    this.#lookedUpTo = head;
    for (const ticket of report?.tickets ?? []) this.#questions.add(ticket);
    this.#waits = report?.run.status === 'waiting';
  }

  /**
   * Where all that is open cannot be asked of this client, its turn ends with the questions in words; the run goes on
   * waiting, for words or for an answer from elsewhere.
   */
  async #tellIfStuck(): Promise<void> {
    const stuckOn = this.#waits ? this.#questions.stuckOn : [];
    const names = stuckOn.map(({ id }) => id).join(' ');
    if (names === '') return;
    if (names !== this.#toldToBeStuckOn) this.#say(`asked:${names}`, stuckOn.map(questionInWords).join('\n\n'));
    this.#toldToBeStuckOn = names;
    await this.#prompts.endAttached();
  }

  #say(messageId: string, text: string): void {
    this.tell(this.#parts.version.encodeWords(messageId, text));
  }

  /** What was open when it came is asked again. One that had come before may have ended before its client was back. */
  async #accepted(was: Receipt['was']): Promise<void> {
    this.#questions.askAgain();
    if (was === 'accepted') return;
    await this.#prompts.settle(this.#at);
    await this.#tellIfStuck();
  }

  /** Resolves at the prompt's own end. @throws Fault as `Gateway.submit`, and what its run failed with */
  prompt(words: Words, signal: AbortSignal): Promise<Outcome> {
    return this.#prompts.prompt(words, signal);
  }

  /** See `Prompts.steer`. */
  steer(words: Words & { readonly onlyIfRunning: boolean }): ReturnType<Prompts['steer']> {
    return this.#prompts.steer(words);
  }

  /** Ends what was brought in here; others' work stays. Resolves when that is decided, not when it has ended. */
  cancel(): Promise<void> {
    this.#questions.cancelled();
    return this.#prompts.cancel();
  }

  /** Cancels, and resolves when all its prompts have been answered. */
  async close(): Promise<void> {
    try {
      await this.cancel();
      await this.#prompts.answered();
    } finally {
      await this.detach();
    }
  }

  /** Its client is told nothing more; what runs goes on. `why`: what prompts that still wait are answered. */
  async detach(why = new Fault('client-gone', 'the session was left')): Promise<void> {
    this.#end(why);
    await this.#stopFollowing();
  }

  #end(why: Fault): void {
    this.#attempts += 1;
    this.#attachment?.[Symbol.dispose]();
    this.#questions.leave();
    this.#prompts.end(why);
  }

  async #stopFollowing(): Promise<void> {
    this.#questions.leave();
    const following = this.#following;
    this.#following = undefined;
    following?.over.abort();
    await following?.done;
  }
}

/** @throws Fault `cursor-expired` */
function positionIn({ logId, head }: ThreadStatus, cursor: string): Position {
  const position = decodePosition(cursor);
  if (position.logId === logId && position.seq <= head) return position;
  throw new Fault('cursor-expired', 'the position is not, or no longer, in the session’s log');
}

/** The last event whose updates were all told. */
function endOf({ seq, frames }: Position): number {
  return frames === allFrames ? seq : seq - 1;
}
