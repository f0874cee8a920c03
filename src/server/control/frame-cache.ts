/** Frames that were made lately, for everyone who is to be told the same: each is made once while it is held. */
export class FrameCache {
  readonly #frames = new Map<string, string>();
  readonly #maxChars: number;
  #chars = 0;

  /** The oldest frames go when all together have more characters than this. */
  constructor(maxChars: number) {
    this.#maxChars = maxChars;
  }

  /** `id` names what is encoded, everywhere and for ever. */
  get(id: string, encode: () => string): string {
    const known = this.#frames.get(id);
    if (known !== undefined) return known;
    const frame = encode();
    this.#frames.set(id, frame);
    this.#chars += frame.length;
    for (const [oldest, { length }] of this.#frames) {
      if (this.#chars <= this.#maxChars) break;
      this.#frames.delete(oldest);
      this.#chars -= length;
    }
    return frame;
  }
}
