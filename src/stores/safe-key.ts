/**
 * Any text as a key that every layer keeps: SQLite's bindings end a text at NUL and replace lone surrogates, and the
 * redo log parts its fields by control characters. Those become an escape and four digits; other texts stay as they are.
 */
export function toSafeKey(text: string): string {
  if (!unsafe.test(text)) return text;
  return text.replaceAll(allUnsafe, (unit) => escape + unit.charCodeAt(0).toString(16).padStart(4, '0'));
}

export function fromSafeKey(key: string): string {
  if (!key.includes(escape)) return key;
  const [start = '', ...escapes] = key.split(escape);
  const texts = escapes.map((text) => String.fromCharCode(Number.parseInt(text.slice(0, 4), 16)) + text.slice(4));
  return start + texts.join('');
}

/** The order in which keys are listed: by the bytes of their UTF-8, as SQLite compares them. */
export function compareKeys(a: string, b: string): number {
  const [left, right] = [toSafeKey(a), toSafeKey(b)];
  if (left === right) return 0;
  if (surrogate.test(left) || surrogate.test(right)) return Buffer.compare(Buffer.from(left), Buffer.from(right));
  return left < right ? -1 : 1;
}

/** As `compareKeys` orders them, where there may be many: looks at each key once. */
export function sortByKey<Value>(values: readonly Value[], keyOf: (value: Value) => string): Value[] {
  return values
    .map((value) => ({ value, bytes: sortableKey(keyOf(value)) }))
    .toSorted((a, b) => (a.bytes < b.bytes ? -1 : Number(a.bytes > b.bytes)))
    .map(({ value }) => value);
}

/** A key's UTF-8 with a character for each byte: such texts compare as `compareKeys` has it. */
export function sortableKey(text: string): string {
  return printable.test(text) ? text : Buffer.from(toSafeKey(text)).toString('latin1');
}

const printable = /^[ -~]*$/;
const escape = '\u0001';
/** Control characters, and surrogates that are not one of a pair. */
const unsafe = /[\p{Cc}\p{Cs}]/u;
const allUnsafe = new RegExp(unsafe, 'gu');
const surrogate = /[\ud800-\udfff]/;
