/**
 * JSON.stringify's own text as strict readers take it: they refuse a message with one half of a surrogate pair, which it
 * escapes, and that would be the end of the connection. U+FFFD stands in its place, as wherever text becomes bytes.
 */
export function wellFormed(json: string): string {
  return json.includes('\\ud') ? json.replaceAll(escapes, replaceHalf) : json;
}

/** Every escape, so that none is looked for inside another one. */
const escapes = /\\(?:ud[89a-f][0-9a-f]{2}|.)/g;

function replaceHalf(escape: string): string {
  return escape.length > 2 ? '\ufffd' : escape;
}
