import type { Writable } from 'node:stream';
import type { Sink } from './output.ts';

/** Writes to a stream of this process. Who waits for each write is slowed by a slow reader, and may exit after it. */
export function streamSink(stream: Writable & { readonly isTTY?: boolean; readonly columns?: number }): Sink {
  // Each write reports its own failure.
  stream.on('error', () => undefined);
  return {
    get columns() {
      return stream.isTTY === true ? stream.columns : undefined;
    },
    write(text) {
      return new Promise((resolve, reject) => {
        stream.write(text, (failure) => {
          if (failure) reject(failure);
          else resolve();
        });
      });
    },
  };
}
