// Bytes into lines of text, in time linear in the bytes however they are cut, and without holding more than one line.
const newline = 0x0a;
const leastCapacity = 1024;

export interface LineReceiver {
  /** A line of UTF-8 without its \n. A \r before that is left on it. */
  line(text: string): void;
  /** Called once for a line over the limit, as soon as it is known. The line itself is skipped. */
  tooLong(): void;
}

export class LineSplitter {
  readonly #maxBytes: number;
  readonly #receiver: LineReceiver;
  /** The beginning of the line that is not yet at its end, with space to grow by doubling. */
  #held: Buffer = Buffer.alloc(0);
  #heldBytes = 0;
  #line: 'kept' | 'skipped' = 'kept';

  constructor(maxBytes: number, receiver: LineReceiver) {
    this.#maxBytes = maxBytes;
    this.#receiver = receiver;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      this.#take(chunk, start, end);
      start = end + 1;
    }
    if (start < chunk.length) this.#hold(chunk, start, chunk.length);
  }

  /** No more comes: what has no \n is a line too. */
  end(): void {
    if (this.#heldBytes > 0) this.#take(this.#held, 0, 0);
  }

  #take(chunk: Buffer, start: number, end: number): void {
    if (this.#heldBytes === 0 && this.#line === 'kept' && end - start <= this.#maxBytes) {
      this.#receiver.line(chunk.toString('utf8', start, end));
      return;
    }
    this.#hold(chunk, start, end);
    const held = this.#held;
    const heldBytes = this.#heldBytes;
    const isKept = this.#line === 'kept';
    this.#release('kept');
    if (isKept) this.#receiver.line(held.toString('utf8', 0, heldBytes));
  }

  #hold(chunk: Buffer, start: number, end: number): void {
    if (this.#line === 'skipped') return;
    const neededBytes = this.#heldBytes + end - start;
    if (neededBytes > this.#maxBytes) {
      this.#release('skipped');
      this.#receiver.tooLong();
      return;
    }
    if (neededBytes > this.#held.length) this.#grow(neededBytes);
    chunk.copy(this.#held, this.#heldBytes, start, end);
    this.#heldBytes = neededBytes;
  }

  #grow(neededBytes: number): void {
    const capacity = Math.min(this.#maxBytes, Math.max(neededBytes, 2 * this.#held.length, leastCapacity));
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.#held.copy(grown, 0, 0, this.#heldBytes);
    this.#held = grown;
  }

  #release(line: 'kept' | 'skipped'): void {
    this.#held = Buffer.alloc(0);
    this.#heldBytes = 0;
    this.#line = line;
  }
}
