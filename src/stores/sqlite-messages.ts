import type { Committed } from './writer.ts';

/** What the writer's thread is started with. */
export interface WriterData {
  /** The database's path. */
  readonly file: string;
  /** @see FileTuning */
  readonly generationChars: number;
}

/** Answered in order, one answer each. */
export type WriterRequest =
  | { readonly is: 'commit'; readonly direct: string; readonly redo: string }
  | { readonly is: 'purge'; readonly olderThanMs: number; readonly limit: number }
  | { readonly is: 'close' };

export type WriterAnswer =
  /** Unasked, when the thread has started. */
  | { readonly is: 'opened'; readonly lastThread: number }
  | ({ readonly is: 'committed' } & Committed)
  | { readonly is: 'purged'; readonly events: number }
  | { readonly is: 'closed' }
  /** After it nothing but `close` is done. */
  | { readonly is: 'failed'; readonly why: string; readonly retryable: boolean };
