import { randomBytes } from 'node:crypto';

/** New ids as a port, so that golden tests are deterministic. */
export interface Ids {
  /** `{prefix}_{text}`: unique, and ordered by time within a process. */
  next(prefix: 'run' | 'tkt' | 'msg' | 'itm' | 'log' | 'clm' | 'own' | 'req' | 'thr'): string;
}

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

function encode(value: number, length: number): string {
  let text = '';
  let rest = value;
  for (let index = 0; index < length; index++) {
    text = alphabet.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

/** ULID-like: 10 characters of time, 4 of a counter within the process, 8 at random. */
export class TimeOrderedIds implements Ids {
  #lastMs = 0;
  #count = 0;
  #pool = Buffer.alloc(0);
  #at = 0;

  next(prefix: string): string {
    const nowMs = Math.max(Date.now(), this.#lastMs);
    this.#count = nowMs === this.#lastMs ? this.#count + 1 : 0;
    this.#lastMs = this.#count > 0xfffff ? nowMs + 1 : nowMs;
    return `${prefix}_${encode(this.#lastMs, 10)}${encode(this.#count % 0x100000, 4)}${this.#random()}`;
  }

  #random(): string {
    if (this.#at + 8 > this.#pool.length) {
      this.#pool = randomBytes(4096);
      this.#at = 0;
    }
    let text = '';
    for (let index = 0; index < 8; index++) text += alphabet.charAt((this.#pool[this.#at++] ?? 0) % 32);
    return text;
  }
}
