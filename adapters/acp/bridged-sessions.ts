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

/** What an IDE was shown of each session, so that it is shown everything once. */
export class BridgedSessions {
  readonly #open = new Map<string, BridgedSession>();
  /** How far the replay of a session that is being loaded was shown. */
  readonly #replays = new Map<string, string>();
  /** Whose cancel the gateway has perhaps not heard, each with the last one. */
  readonly #cancels = new Map<string, symbol>();

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

  /** It goes on from now: its log is not the one that its cursor is of. Whether it had one. */
  forgetCursor(sessionId: string): boolean {
    const session = this.#open.get(sessionId);
    if (session?.cursor === undefined) return false;
    session.cursor = undefined;
    return true;
  }

  closed(sessionId: string): void {
    this.#open.delete(sessionId);
    this.#replays.delete(sessionId);
  }

  /** The last update of its replay that the IDE was shown; undefined: none. */
  replayed(sessionId: string): string | undefined {
    return this.#replays.get(sessionId);
  }

  /** Whether any of it was shown. */
  forgetReplay(sessionId: string): boolean {
    return this.#replays.delete(sessionId);
  }

  /** Returns what is to be called when the gateway has heard it. */
  cancelled(sessionId: string): () => void {
    const cancel = Symbol(sessionId);
    this.#cancels.set(sessionId, cancel);
    return () => {
      if (this.#cancels.get(sessionId) === cancel) this.#cancels.delete(sessionId);
    };
  }

  /** A cancel is not told again behind what was asked after it. */
  forgetCancel(sessionId: string): void {
    this.#cancels.delete(sessionId);
  }

  /** The sessions whose cancel the gateway has perhaps not heard. */
  get cancelsToTell(): readonly string[] {
    return [...this.#cancels.keys()];
  }

  /** Whether the IDE has not been shown this update; it is taken as shown then. */
  isNew(params: unknown): boolean {
    const { update } = asObject(params);
    const id = sessionIn(params);
    const cursor = metaOf(params, 'anyport/cursor');
    // What comes between the parts of a replay that was cut off comes again after it.
    if (cursor !== undefined) return !this.#replays.has(id) && this.#isAhead(id, cursor);
    const replayed = metaOf(params, 'anyport/replayed');
    if (replayed !== undefined) {
      this.#replays.set(id, replayed);
      return true;
    }
    return this.#areNewWords(id, asObject(update)['messageId']);
  }

  #isAhead(id: string, cursor: string): boolean {
    const session = this.#open.get(id);
    if (session === undefined) return true;
    if (session.cursor !== undefined && isBehind(cursor, session.cursor)) return false;
    session.cursor = cursor;
    return true;
  }

  #areNewWords(id: string, messageId: unknown): boolean {
    const words = this.#open.get(id)?.words;
    if (words === undefined || typeof messageId !== 'string') return true;
    const isNew = !words.has(messageId);
    words.add(messageId);
    return isNew;
  }
}

/** Whether what this position is after was shown with the other one. */
function isBehind(cursor: string, shown: string): boolean {
  const last = decodePosition(shown);
  const next = decodePosition(cursor);
  return last.logId === next.logId && (next.seq < last.seq || (next.seq === last.seq && next.frames <= last.frames));
}
