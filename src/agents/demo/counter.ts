import { mkdir, open, readFile, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Counts what happened outside any run's journal, as a payment provider or a mail server would. */
export interface Counter {
  /** Counts a key once, durably, and resolves with its number: 1 for the first key; the same again when it is repeated. */
  increment(idempotencyKey: string): Promise<number>;
  /** How many keys were counted. */
  read(): Promise<number>;
}

/** Forgets with its process. */
export class MemoryCounter implements Counter {
  readonly #numbers = new Map<string, number>();

  increment(idempotencyKey: string): Promise<number> {
    const number = this.#numbers.get(idempotencyKey) ?? this.#numbers.size + 1;
    this.#numbers.set(idempotencyKey, number);
    return Promise.resolve(number);
  }

  read(): Promise<number> {
    return Promise.resolve(this.#numbers.size);
  }
}

/** A file with one line for each key, only ever appended to; its number is the line's. */
export class FileCounter implements Counter {
  readonly #path: string;
  #numbers: Map<string, number> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  increment(idempotencyKey: string): Promise<number> {
    return this.#inTurn(async () => {
      const numbers = (this.#numbers ??= await load(this.#path));
      const known = numbers.get(idempotencyKey);
      if (known !== undefined) return known;
      // Until the line is durable the file is the only truth: a failed append may have left half of it.
      this.#numbers = undefined;
      await append(this.#path, idempotencyKey);
      this.#numbers = numbers.set(idempotencyKey, numbers.size + 1);
      return numbers.size;
    });
  }

  read(): Promise<number> {
    return this.#inTurn(async () => (this.#numbers ??= await load(this.#path)).size);
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work, work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

/** Reads the complete lines, and cuts off a last one that a power loss tore. */
async function load(path: string): Promise<Map<string, number>> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return Buffer.alloc(0);
    throw cause;
  });
  const complete = bytes.lastIndexOf('\n') + 1;
  if (complete < bytes.length) await truncate(path, complete);
  const lines = bytes.toString('utf8', 0, complete).split('\n').slice(0, -1);
  return new Map(lines.map((line, index) => [JSON.parse(line) as string, index + 1]));
}

async function append(path: string, key: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await using file = await open(path, 'a');
  await file.write(`${JSON.stringify(key)}\n`);
  await file.datasync();
}
