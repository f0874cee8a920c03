import { ThreadId } from '../../schemas/id.ts';
import type { Json, JsonObject } from '../../schemas/json.ts';
import { Fault } from '../../src/fault.ts';

/** More is of no use to whoever reads the log, and a request may hold any number of oddities. */
const maxWarnings = 50;
const longestKeyShown = 64;

/** One value of a request's body, which knows where it is. Paths are only built when something is wrong. */
export class Field {
  readonly value: unknown;
  readonly #warnings: string[];
  readonly #parent: Field | undefined;
  readonly #key: string | number;

  constructor(value: unknown, warnings: string[], parent?: Field, key: string | number = '$') {
    this.value = value;
    this.#warnings = warnings;
    this.#parent = parent;
    this.#key = key;
  }

  /** As JSON path. https://www.rfc-editor.org/rfc/rfc9535 */
  get path(): string {
    if (this.#parent === undefined) return String(this.#key);
    const { path } = this.#parent;
    if (typeof this.#key === 'number') return `${path}[${this.#key}]`;
    if (/^[A-Za-z_]\w{0,63}$/.test(this.#key)) return `${path}.${this.#key}`;
    return `${path}[${JSON.stringify(this.#key.slice(0, longestKeyShown))}]`;
  }

  refuse(why: string): never {
    throw new Fault('invalid-request', `${this.path} ${why}`, { path: this.path });
  }

  /** Says that something was set aside. */
  warn(why: string): void {
    if (this.#warnings.length < maxWarnings) this.#warnings.push(`${this.path} ${why}`);
  }

  get isAbsent(): boolean {
    return this.value === undefined;
  }

  /** A member of an object; absent where there is none. */
  at(key: string): Field {
    const members = this.object();
    return new Field(Object.hasOwn(members, key) ? members[key] : undefined, this.#warnings, this, key);
  }

  /** A member that may be left out. Many clients write what they leave out as `null`. */
  optional<Value>(read: (field: Field) => Value): Value | undefined {
    return this.isAbsent || this.value === null ? undefined : read(this);
  }

  object(): Readonly<Record<string, unknown>> {
    if (isObject(this.value)) return this.value;
    return this.isAbsent ? this.refuse('is missing') : this.refuse('is not an object');
  }

  string(): string {
    if (typeof this.value === 'string') return this.value;
    return this.isAbsent ? this.refuse('is missing') : this.refuse('is not a string');
  }

  /** A name as the gateway keeps them. */
  id(): string {
    const id = this.string();
    return id.length === 0 || id.length > 512 ? this.refuse('is not 1 to 512 characters long') : id;
  }

  /** An id that stands in URLs, and in ids of frames, too: as a thread's does. */
  addressableId(): string {
    const id = this.id();
    return ThreadId.safeParse(id).success ? id : this.refuse('cannot be said in a URL');
  }

  list(): Field[] {
    if (!Array.isArray(this.value)) return this.isAbsent ? this.refuse('is missing') : this.refuse('is not a list');
    return this.value.map((value, index) => new Field(value, this.#warnings, this, index));
  }

  oneOf<Value extends string>(values: readonly Value[]): Value {
    const value = this.string();
    return values.find((one) => one === value) ?? this.refuse(`is not one of ${values.join(', ')}`);
  }

  /** Whatever JSON it is; the body came out of `JSON.parse`. */
  json(): Json {
    return this.isAbsent ? this.refuse('is missing') : (this.value as Json);
  }

  jsonObject(): JsonObject {
    return this.object() as JsonObject;
  }

  /** Members that AG-UI does not describe are set aside, never a reason to refuse. */
  warnOfOthers(known: ReadonlySet<string>): void {
    for (const key of Object.keys(this.object())) if (!known.has(key)) this.at(key).warn('is not known; left out');
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
