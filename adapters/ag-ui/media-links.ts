import { createHmac, timingSafeEqual } from 'node:crypto';
import type { ThreadId, ThreadKey } from '../../schemas/id.ts';
import type { Clock } from '../../src/clock.ts';

/** One blob of one thread, as a link names it. */
export interface LinkedMedia {
  readonly thread: ThreadKey;
  readonly blob: string;
  readonly mimeType: string;
}

export interface MediaLinksOptions {
  /** Signs them; with another one, earlier links are void. */
  readonly key: Uint8Array;
  /** How callers reach the gateway, without a slash at the end. */
  readonly baseUrl: () => string;
  readonly clock: Clock;
}

const dayMs = 86_400_000;
/** Whole days, so that a link that is told again within one is the same. */
const lifetimeDays = 7;

/** Links to media too large for a frame: whoever has one may read that one thing, until it expires. */
export class MediaLinks {
  readonly #options: MediaLinksOptions;

  constructor(options: MediaLinksOptions) {
    this.#options = options;
  }

  urlOf(media: LinkedMedia): string {
    const { clock, baseUrl } = this.#options;
    const expiresMs = (Math.ceil(clock.now() / dayMs) + lifetimeDays) * dayMs;
    const { thread, blob, mimeType } = media;
    const query = new URLSearchParams({
      scope: thread.scope,
      type: mimeType,
      expires: String(expiresMs),
      signature: this.#sign(media, String(expiresMs)).toString('base64url'),
    });
    return `${baseUrl()}/ag-ui/threads/${encodeURIComponent(thread.threadId)}/blobs/${blob}?${query.toString()}`;
  }

  /** What a link names; undefined where it is not one of ours, or has expired. */
  find(threadId: string, blob: string, query: URLSearchParams): LinkedMedia | undefined {
    const [scope, mimeType, expires, signature] = ['scope', 'type', 'expires', 'signature'].map((name) =>
      query.get(name),
    );
    if (scope == null || mimeType == null || expires == null || signature == null) return undefined;
    const media = { thread: { scope, threadId }, blob, mimeType };
    const [right, presented] = [this.#sign(media, expires), Buffer.from(signature, 'base64url')];
    if (right.length !== presented.length || !timingSafeEqual(right, presented)) return undefined;
    return Number(expires) > this.#options.clock.now() ? media : undefined;
  }

  #sign({ thread, blob, mimeType }: LinkedMedia, expires: string): Buffer {
    const text = JSON.stringify([thread.scope, thread.threadId, blob, mimeType, expires]);
    return createHmac('sha256', this.#options.key).update(text).digest();
  }
}

const ours = /\/ag-ui\/threads\/([^/?#]+)\/blobs\/([0-9a-f]{64})\?(?:[^#]*&)?signature=/;

/** The blob of this thread that a client's copy names by a link of ours. Another thread's is a link like any other. */
export function linkedBlob(url: string, threadId: ThreadId): string | undefined {
  const [, thread, blob] = ours.exec(url) ?? [];
  return thread === encodeURIComponent(threadId) ? blob : undefined;
}
