import type { JsonObject } from '../../schemas/json.ts';
import { decodePosition } from '../../src/log-position.ts';
import { asObject, metaOf, sessionIn } from './meta.ts';

interface BridgedSession {
  /** With what it was opened, for opening it again. */
  readonly opening: JsonObject;
  /** The last update that the IDE was shown; undefined: it is opened again from now on. */
  cursor: string | undefined;
  /** Messages of the gateway's own, which are in no log. */
  readonly words: Set<string>;
}

/** A replay that may be cut off: what of it was shown is left out when it comes again. */
interface Replay {
  shown: number;
  seen: number;
}

/** What an IDE was shown of each session, so that it is shown everything once. */
export class BridgedSessions {
  readonly #open = new Map<string, BridgedSession>();
  readonly #replays = new Map<string, Replay>();

  /** What `session/resume` opens each session with. */
  *resumptions(): Generator<{
    readonly sessionId: string;
    readonly params: JsonObject;
    readonly cursor: string | undefined;
  }> {
    for (const [sessionId, { opening, cursor }] of this.#open) {
      yield { sessionId, params: { sessionId, ...opening }, cursor };
    }
  }

  opened(sessionId: string, params: unknown, result: unknown): void {
    const { cwd = '', mcpServers = [], additionalDirectories = [] } = asObject(params);
    const words = this.#open.get(sessionId)?.words ?? new Set();
    const cursor = metaOf(result, 'anyport/cursor');
    this.#open.set(sessionId, { opening: { cwd, mcpServers, additionalDirectories }, cursor, words });
    this.#replays.delete(sessionId);
  }

  /** It goes on from now: its log is not the one that its cursor is of. */
  forgetCursor(sessionId: string): void {
    const session = this.#open.get(sessionId);
    if (session !== undefined) session.cursor = undefined;
  }

  closed(sessionId: string): void {
    this.#open.delete(sessionId);
    this.#replays.delete(sessionId);
  }

  /** A load begins, for the first time or again. */
  replayBegins(sessionId: string): void {
    const replay = this.#replays.get(sessionId) ?? { shown: 0, seen: 0 };
    replay.seen = 0;
    this.#replays.set(sessionId, replay);
  }

  replayFailed(sessionId: string): void {
    this.#replays.delete(sessionId);
  }

  /** Whether the IDE has not been shown this update; it is taken as shown then. */
  isNew(params: unknown): boolean {
    const { update } = asObject(params);
    const id = sessionIn(params);
    const cursor = metaOf(params, 'anyport/cursor');
    if (cursor !== undefined) return this.#isAhead(id, cursor);
    const replay = this.#replays.get(id);
    if (replay !== undefined) {
      replay.seen += 1;
      if (replay.seen <= replay.shown) return false;
      replay.shown = replay.seen;
      return true;
    }
    return this.#areNewWords(id, asObject(update)['messageId']);
  }

  #isAhead(id: string, cursor: string): boolean {
    const session = this.#open.get(id);
    if (session === undefined) return true;
    const last = session.cursor === undefined ? undefined : decodePosition(session.cursor);
    const next = decodePosition(cursor);
    const isBehind =
      last?.logId === next.logId && (next.seq < last.seq || (next.seq === last.seq && next.frames <= last.frames));
    if (!isBehind) session.cursor = cursor;
    return !isBehind;
  }

  #areNewWords(id: string, messageId: unknown): boolean {
    const words = this.#open.get(id)?.words;
    if (words === undefined || typeof messageId !== 'string') return true;
    const isNew = !words.has(messageId);
    words.add(messageId);
    return isNew;
  }
}
