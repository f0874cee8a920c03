/**
 * What others wrote, fit for a terminal. Control characters could move its cursor or run its sequences, bidirectional ones
 * could make a command read as another one: each becomes a visible stand-in. Lines and tabs stay.
 */
export function harmless(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, standIn);
}

/** The same on one line, runs of white space as one blank. */
export function oneLine(text: string): string {
  return harmless(text.replace(/\s+/g, ' ')).trim();
}

function standIn(character: string): string {
  if (character === '\n' || character === '\t') return character;
  const code = character.charCodeAt(0);
  // U+2400 and on are pictures of the control characters.
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? '\u2421' : '\ufffd';
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const wide = /\p{Emoji_Presentation}|\p{sc=Han}|\p{sc=Hiragana}|\p{sc=Katakana}|\p{sc=Hangul}|[\uff01-\uff60]/u;

/** How many columns a terminal needs for it. */
export function widthOf(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += wide.test(segment) ? 2 : 1;
  return width;
}

/** Cut to so many columns, with a mark where something is missing. */
export function cutTo(columns: number, text: string): string {
  if (widthOf(text) <= columns) return text;
  let kept = '';
  let width = 0;
  for (const { segment } of graphemes.segment(text)) {
    width += wide.test(segment) ? 2 : 1;
    if (width >= columns) break;
    kept += segment;
  }
  return `${kept}…`;
}
