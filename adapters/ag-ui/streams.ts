// Streams of a thread: the answer to a request, the same one gone on with after a cut, and one joined in the middle. All
// are folds of the log, so that any of them begins again anywhere.
import type { ServerResponse } from 'node:http';
import { posix } from 'node:path';
import type { Activation } from '../../schemas/activation.ts';
import type { RunId, ThreadId } from '../../schemas/id.ts';
import type { Run } from '../../schemas/run.ts';
import type { EventType } from '../../schemas/run-event.ts';
import type { Exchange } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import { exchangeSignal } from '../../src/exchange-signal.ts';
import { Fault } from '../../src/fault.ts';
import type { Gateway, Receipt } from '../../src/gateway.ts';
import { EventStream } from '../../src/sse.ts';
import { CancelOnDisconnect } from './cancel-on-disconnect.ts';
import { streamHeader } from './client/stream-header.ts';
import { type Began, decodeCursor, type FramePosition, type JoinStreamName, type StreamName } from './cursor.ts';
import type { Decoded } from './decode.ts';
import { RunEncoder } from './encode.ts';
import type { Opening } from './fold.ts';
import { leavingCounts } from './http.ts';
import type { MediaLinks } from './media-links.ts';
import { type Profile, profiles } from './profile.ts';
import {
  encodeBlocked,
  encodeIdle,
  encodeJoin,
  type FrameSink,
  recall,
  type StreamSource,
  writeLog,
} from './run-stream.ts';
import { Viewers } from './viewers.ts';

export interface StreamLimits {
  /** Silence after which a comment is written. */
  readonly keepAliveMs: number;
  /** Frames that may gather for one client before they are flushed. */
  readonly maxBufferedChars: number;
  /** Clients fail at a longer frame. */
  readonly maxFrameChars: number;
  /** Media that one event may carry itself; the rest are handles. */
  readonly maxInlineChars: number;
  /** How long a client may leave its socket full. */
  readonly slowViewerMs: number;
}

/** What becomes of a viewer that reads too slowly: it is shown the thread as it is then, or cut off. */
export type SlowViewers = 'snapshot' | 'end';

/** What a client that leaves before the end means for what it asked for. */
export type OnDisconnect = { readonly is: 'detach' } | { readonly is: 'cancel'; readonly graceMs: number };

export interface StreamsOptions {
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly limits: StreamLimits;
  readonly slowViewers: SlowViewers;
  readonly onDisconnect: OnDisconnect;
  readonly links: MediaLinks | undefined;
}

/** A request that was taken in, and what of it its answer needs. */
export interface Accepted extends Pick<Decoded, 'parentRunId' | 'copy' | 'profile'> {
  readonly threadId: ThreadId;
  /** Whether it may go on with a run that was there. */
  readonly mayGoOn: boolean;
  readonly receipt: Receipt;
}

/** A stream before it is written: its encoder, what it begins with, and where it goes on from. */
interface Plan {
  readonly threadId: ThreadId;
  readonly encoder: RunEncoder;
  readonly first: (source: StreamSource) => Promise<readonly string[]>;
  readonly afterSeq: number;
  /** Nothing is answered until there is something to tell, or all up to here was told already. */
  readonly quietUpTo: number;
  /** Whose answer it is; undefined for those who only look on. */
  readonly activation: Activation | undefined;
}

export class Streams {
  readonly viewers = new Viewers();
  /** Undefined: leaving cancels nothing. */
  readonly #cancelOnDisconnect: CancelOnDisconnect | undefined;
  readonly #options: StreamsOptions;

  constructor(options: StreamsOptions) {
    this.#options = options;
    const { gateway, clock, onDisconnect } = options;
    this.#cancelOnDisconnect =
      onDisconnect.is === 'cancel'
        ? new CancelOnDisconnect({ gateway, clock, viewers: this.viewers, graceMs: onDisconnect.graceMs })
        : undefined;
  }

  /** The answer to a request that was just taken in. From here on nothing is refused: a fault ends it in its own words. */
  answer(exchange: Exchange, accepted: Accepted): Promise<void> {
    const { threadId, parentRunId, copy, profile, mayGoOn, receipt } = accepted;
    const { activation } = receipt;
    if (activation.received.became === 'answered') {
      return this.#showEnd(exchange, { threadId, activation, profile, runId: receipt.runId });
    }
    const name = { profile: profile.name, activation: activation.id, logId: activation.logId };
    const began = beganOf(activation, receipt.became);
    const opening = {
      name: { is: 'run', ...name, began, caughtUp: 'undecided' } as const,
      parentRunId,
      copy,
      profile,
    };
    // A request that started its run has nothing to recall.
    const joinsRun = mayGoOn || receipt.became === 'pending';
    return this.#write(exchange, this.#planRun(exchange, { threadId, activation, joinsRun }, opening));
  }

  /** Its answers came when the run that asked had ended: its client is shown what came of that, as a newcomer is. */
  async #showEnd(
    exchange: Exchange,
    of: Pick<Accepted, 'threadId' | 'profile'> & { readonly activation: Activation; readonly runId: RunId },
  ): Promise<void> {
    const { threadId, profile, activation, runId } = of;
    const { threads, runs } = this.#options.gateway;
    const { principal } = exchange;
    const run = (await runs.find(principal, runId))?.run;
    const thread = await threads.find(principal, threadId);
    if (run === undefined || thread === undefined)
      throw new Fault('internal', `${activation.id} was answered by nobody`);
    const seq = await this.#lastOpen(principal, threadId, run, thread.head);
    const { logId, key: called } = activation;
    const name = { is: 'join', profile: profile.name, logId, run: runId, called, seq } as const;
    await this.#write(exchange, await this.#planJoined(exchange, threadId, name));
  }

  /** Goes on where a stream was cut. @throws Fault `cursor-expired`, `not-found`, `invalid-request` */
  async resume(exchange: Exchange, threadId: ThreadId, cursor: string): Promise<void> {
    const { gateway } = this.#options;
    const { principal } = exchange;
    const { name, position } = decodeCursor(cursor);
    const thread = await gateway.threads.find(principal, threadId);
    if (thread === undefined) throw new Fault('not-found', `no thread has the id ${threadId}`);
    if (thread.logId !== name.logId || position.seq > thread.head) {
      throw new Fault('cursor-expired', 'the position is not in this log; join the thread anew');
    }
    const plan = await this.#planResumed(exchange, threadId, name, position);
    await this.#write(exchange, { ...plan, quietUpTo: thread.head });
  }

  /** Shows a newcomer the thread, and what runs on it to its end. */
  async join(exchange: Exchange, threadId: ThreadId, profile: Profile): Promise<void> {
    const name = await this.#nameJoin(exchange, threadId, profile);
    await this.#write(exchange, await this.#planJoined(exchange, threadId, name));
  }

  async #planResumed(exchange: Exchange, threadId: ThreadId, name: StreamName, sentUpTo: FramePosition): Promise<Plan> {
    if (name.is === 'join') return this.#planJoined(exchange, threadId, name, sentUpTo);
    const activation = await this.#options.gateway.findActivation(exchange.principal, threadId, name.activation);
    if (activation === undefined) throw new Fault('cursor-expired', 'the request is not there any more');
    const opening = { name, profile: profiles[name.profile], sentUpTo };
    return this.#planRun(exchange, { threadId, activation, joinsRun: true }, opening);
  }

  #planRun(
    exchange: Exchange,
    of: { readonly threadId: ThreadId; readonly activation: Activation; readonly joinsRun: boolean },
    opening: Pick<Opening, 'name' | 'profile' | 'parentRunId' | 'copy' | 'sentUpTo'>,
  ): Plan {
    const { threadId, activation, joinsRun } = of;
    const { gateway } = this.#options;
    const { afterSeq, received, key } = activation;
    const { runId } = received;
    const run = received.became === 'pending' ? undefined : received.runId;
    const { warnings } = activation;
    const encoder = this.#encoder(exchange, { ...opening, threadId, runId: key, run, afterSeq, warnings });
    const { name } = opening;
    const [blockedBy] = name.is === 'run' && name.began === 'blocked' ? received.blockedBy : [];
    return {
      threadId,
      encoder,
      activation,
      afterSeq,
      quietUpTo: 0,
      async first(source) {
        const begun = joinsRun ? (await gateway.runs.find(exchange.principal, runId))?.run.firstSeq : undefined;
        if (begun !== undefined) await recall(source, { runId, afterSeq: begun - 1, seq: afterSeq });
        const frames = encoder.prelude();
        if (name.is === 'run' && name.began === 'retracted') return [...frames, ...encoder.encodeRetracted()];
        if (blockedBy === undefined) return frames;
        return [...frames, ...(await encodeBlocked(source, blockedBy, afterSeq))];
      },
    };
  }

  /** The run that is open, or the last one as it was just before its end, so that its end is told again. */
  async #nameJoin({ principal }: Exchange, threadId: ThreadId, profile: Profile): Promise<JoinStreamName> {
    const { gateway } = this.#options;
    const { logId, seq, runId } = await gateway.viewAt(principal, threadId, undefined);
    const run = runId === undefined ? undefined : (await gateway.runs.find(principal, runId))?.run;
    const named = { is: 'join', profile: profile.name, logId } as const;
    // A thread on which nothing has run goes by the name of its log.
    if (run === undefined) return { ...named, run: noRun, called: logId, seq };
    return { ...named, run: run.id, called: wireNameOf(run), seq: await this.#lastOpen(principal, threadId, run, seq) };
  }

  /** Where a run that is over, or waits, was open last; `seq` where its log is gone. */
  async #lastOpen(principal: Exchange['principal'], threadId: ThreadId, run: Run, seq: number): Promise<number> {
    if (run.lastSeq !== undefined) return (await this.#isKept(principal, threadId, run)) ? run.lastSeq - 1 : seq;
    if (run.status !== 'waiting') return seq;
    for (let last = seq; last > 0; last -= 250) {
      const after = Math.max(0, last - 250);
      const page = await this.#options.gateway.events(principal, threadId, after, last - after);
      const turned = page.findLast(({ type, runId }) => runId === run.id && turns.has(type));
      // One that was told to stop, or goes on, has its end before it.
      if (turned !== undefined) return turned.type === 'run.waiting' ? turned.seq - 1 : seq;
    }
    return seq;
  }

  async #isKept(principal: Exchange['principal'], threadId: ThreadId, { firstSeq = 1 }: Run): Promise<boolean> {
    try {
      await this.#options.gateway.events(principal, threadId, firstSeq - 1, 1);
      return true;
    } catch (thrown) {
      if (Fault.from(thrown).code === 'cursor-expired') return false;
      throw thrown;
    }
  }

  async #planJoined(
    exchange: Exchange,
    threadId: ThreadId,
    name: JoinStreamName,
    sentUpTo?: FramePosition,
  ): Promise<Plan> {
    const { gateway } = this.#options;
    const { run: runId, seq, called } = name;
    const run = runId === noRun ? undefined : (await gateway.runs.find(exchange.principal, runId))?.run;
    const opening = {
      name,
      threadId,
      runId: called,
      run: runId,
      afterSeq: seq,
      profile: profiles[name.profile],
      sentUpTo,
    };
    const encoder = this.#encoder(exchange, opening);
    const common = { threadId, encoder, afterSeq: seq, quietUpTo: 0, activation: undefined };
    const begins = run?.firstSeq;
    if (run === undefined || begins === undefined || (run.lastSeq !== undefined && seq >= run.lastSeq)) {
      return { ...common, first: (source) => encodeIdle(source, seq, run?.outcome) };
    }
    return { ...common, first: (source) => encodeJoin(source, { runId, afterSeq: begins - 1, seq }) };
  }

  #encoder({ log }: Exchange, opening: Omit<Opening, 'lost' | 'maxFrameChars'>): RunEncoder {
    const reported = new Set<string>();
    return new RunEncoder({
      ...opening,
      maxFrameChars: this.#options.limits.maxFrameChars,
      lost(what) {
        if (reported.has(what)) return;
        reported.add(what);
        log.warn({ run: opening.runId, profile: opening.profile.name, what }, 'not said to an older AG-UI client');
      },
    });
  }

  async #write(exchange: Exchange, plan: Plan): Promise<void> {
    const { response, log } = exchange;
    const { gateway } = this.#options;
    using over = exchangeSignal(response, gateway.stopping);
    const viewer = new Viewer(plan, () => this.#open(exchange, plan.threadId, over.signal));
    this.viewers.enter(viewer);
    try {
      await this.#tell(exchange, viewer, over.signal);
    } catch (thrown) {
      const fault = gateway.stopping.aborted ? detached() : Fault.from(thrown);
      if (!viewer.isOpen && !gateway.stopping.aborted) throw thrown;
      if (fault.code === 'internal' && !response.destroyed) {
        log.error({ threadId: plan.threadId, cause: fault.cause ?? fault }, 'an AG-UI stream failed');
      }
      if (!viewer.encoder.hasEnded) viewer.say(viewer.encoder.encodeFault(fault));
    } finally {
      this.#leave(exchange, viewer, response.destroyed && !response.writableFinished);
    }
    viewer.end(response);
  }

  async #tell(exchange: Exchange, viewer: Viewer, signal: AbortSignal): Promise<void> {
    const { principal } = exchange;
    const { gateway, limits, slowViewers, links } = this.#options;
    const { maxInlineChars, slowViewerMs } = limits;
    const maxStallMs = slowViewers === 'snapshot' ? slowViewerMs : Number.POSITIVE_INFINITY;
    for (;;) {
      const { encoder, plan } = viewer;
      const source = { gateway, principal, threadId: plan.threadId, encoder, signal, maxInlineChars, links };
      const first = await plan.first(source);
      if (first.length > 0 || !encoder.hasEnded) viewer.add(first, plan.afterSeq);
      await viewer.flush();
      if (encoder.hasEnded) return;
      const stalled = await writeLog(source, { afterSeq: plan.afterSeq, maxStallMs }, viewer);
      if (stalled === undefined) break;
      const { run } = encoder;
      viewer.show(await this.#planCaughtUp(exchange, plan, { run, seq: stalled.stalledAfter }));
    }
    if (gateway.stopping.aborted && !viewer.encoder.hasEnded) viewer.say(viewer.encoder.encodeFault(detached()));
  }

  /** A viewer that was too slow is shown the thread as it is now, in the stream that it has. */
  async #planCaughtUp(
    exchange: Exchange,
    { threadId, encoder }: Plan,
    told: { readonly run: RunId | undefined; readonly seq: number },
  ): Promise<Plan> {
    const { profile, called } = encoder;
    const name = await this.#nameJoin(exchange, threadId, profile);
    const seq = Math.max(name.seq, told.seq);
    const run = told.run ?? name.run;
    return this.#planJoined(exchange, threadId, { ...name, run, called, seq }, { seq, frame: 0 });
  }

  #open({ response, url }: Exchange, threadId: ThreadId, signal: AbortSignal): EventStream {
    const { clock, limits, slowViewers } = this.#options;
    const { keepAliveMs, maxBufferedChars, slowViewerMs } = limits;
    // Relative, so that it leads there through whatever prefix a proxy has put before it.
    const target = `/ag-ui/threads/${encodeURIComponent(threadId)}/stream`;
    response.setHeader(streamHeader, posix.relative(posix.dirname(url.pathname), target));
    const maxStallMs = slowViewers === 'end' ? slowViewerMs : undefined;
    return new EventStream(response, { clock, keepAliveMs, maxBufferedChars, maxStallMs, signal });
  }

  #leave(exchange: Exchange, viewer: Viewer, isGone: boolean): void {
    const { run, encoder, activation, plan } = viewer;
    const isStopping = this.#options.gateway.stopping.aborted;
    const left = isGone && leavingCounts(exchange) && !encoder.hasEnded && !isStopping;
    const isAbandoned = this.viewers.leave(viewer, left);
    const { threadId } = plan;
    this.#cancelOnDisconnect?.gone(exchange, { threadId, run, activation: activation?.id, left, isAbandoned });
  }
}

/** One client: what it is told, by whom, and where to. It is written to once there is something to tell it. */
class Viewer implements FrameSink {
  /** Whose answer it is told, also when it is shown the thread instead. */
  readonly activation: Activation | undefined;
  readonly #open: () => EventStream;
  #plan: Plan;
  #stream: EventStream | undefined;

  constructor(plan: Plan, open: () => EventStream) {
    this.activation = plan.activation;
    this.#plan = plan;
    this.#open = open;
  }

  get plan(): Plan {
    return this.#plan;
  }

  get encoder(): RunEncoder {
    return this.#plan.encoder;
  }

  get run(): RunId | undefined {
    return this.encoder.run;
  }

  get isOpen(): boolean {
    return this.#stream !== undefined;
  }

  get isFull(): boolean {
    return this.#stream?.isFull === true;
  }

  /** Goes on by another plan, with all that is open closed. */
  show(plan: Plan): void {
    this.say(this.encoder.encodeClosing());
    this.#plan = plan;
  }

  add(frames: readonly string[], seq: number): void {
    if (frames.length > 0 || seq >= this.#plan.quietUpTo) this.say(frames);
  }

  say(frames: readonly string[]): void {
    this.#stream ??= this.#open();
    this.#stream.add(frames);
  }

  async flush(): Promise<number> {
    return (await this.#stream?.flush()) ?? 0;
  }

  /** A stream of which everything was told already has no content. */
  end(response: ServerResponse): void {
    if (this.#stream === undefined) response.writeHead(204).end();
    else this.#stream.end();
  }
}

/** Where a run that waited may do something else. */
const turns: ReadonlySet<EventType> = new Set<EventType>(['run.waiting', 'run.resumed', 'run.stopping']);

/** Stands for the run of a thread on which none has begun. */
const noRun = '-';

function beganOf({ state }: Activation, became: Receipt['became']): Began {
  if (state.is === 'retracted') return 'retracted';
  if (became === 'blocked') return 'blocked';
  return state.is === 'attached' || state.is === 'answered' ? 'taken' : 'fresh';
}

/** What AG-UI clients call the run: by its last request that came through this door. */
function wireNameOf({ id, activations }: Run): RunId {
  const door = 'ag-ui:';
  return activations.findLast((activation) => activation.startsWith(door))?.slice(door.length) ?? id;
}

/** The run goes on; this stream does not. */
function detached(): Fault {
  return new Fault('shutting-down', 'the gateway is stopping; the run is not finished');
}
