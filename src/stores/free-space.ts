import { statfsSync } from 'node:fs';
import { Fault } from '../fault.ts';

const lookEveryMs = 1000;

/** Free bytes of the disk that holds a directory. */
export function freeBytesOf(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

/** The low-water mark of a disk: below it nothing new is taken, above it again all is. Looks once a second, when asked. */
export class FreeSpace {
  readonly #minBytes: number;
  readonly #measure: () => number;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #fault: Fault | undefined;

  constructor(minBytes: number, measure: () => number) {
    this.#minBytes = minBytes;
    this.#measure = measure;
  }

  refusal(): Fault | undefined {
    const nowMs = performance.now();
    if (nowMs - this.#lookedAtMs >= lookEveryMs) {
      this.#lookedAtMs = nowMs;
      this.#look();
    }
    return this.#fault;
  }

  #look(): void {
    try {
      const freeBytes = this.#measure();
      this.#fault = freeBytes < this.#minBytes ? low(freeBytes, this.#minBytes) : undefined;
    } catch {
      // A disk that cannot be asked can still be written to, or its writes say why not.
      this.#fault = undefined;
    }
  }
}

function low(freeBytes: number, minBytes: number): Fault {
  return new Fault('disk-low', `the disk has ${freeBytes} bytes free, less than the ${minBytes} that are kept`);
}
