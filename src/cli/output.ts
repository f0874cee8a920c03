import { cutTo, oneLine, widthOf } from './harmless.ts';

/** Where text goes: a terminal, a pipe or a file. */
export interface Sink {
  /** Of a terminal; undefined: it is none, and nothing is cut. */
  readonly columns: number | undefined;
  /** Resolves when the other side takes more. Rejects with `EPIPE` when it has gone. */
  write(text: string): Promise<void>;
}

/** A JSON value on a line of its own. Control characters that JSON lets through are escaped too. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value ?? null).replace(/[\u007f-\u009f\u2028\u2029]/g, escaped)}\n`;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Columns under their names, each as wide as its widest cell; the last one takes what is left of the line. */
export function tableOf(names: readonly string[], rows: readonly (readonly string[])[], columns?: number): string {
  const lines = [names, ...rows.map((row) => row.map(oneLine))];
  const widths = names.map((_, index) => Math.max(...lines.map((line) => widthOf(line[index] ?? ''))));
  return lines.map((line) => `${cutLine(padded(line, widths), columns)}\n`).join('');
}

/** Names and values, one pair a line; those without a value are left out. */
export function listOf(pairs: readonly (readonly [string, string | undefined])[], columns?: number): string {
  const given = pairs.flatMap(([name, value]) => (value === undefined ? [] : [[name, oneLine(value)] as const]));
  const width = Math.max(...given.map(([name]) => name.length));
  return given.map(([name, value]) => `${cutLine(`${name.padEnd(width)}  ${value}`, columns)}\n`).join('');
}

export function cutLine(line: string, columns: number | undefined): string {
  return columns === undefined ? line : cutTo(columns, line);
}

export function timeOf(atMs: number | undefined): string | undefined {
  return atMs === undefined ? undefined : `${new Date(atMs).toISOString().slice(0, 19)}Z`;
}

function padded(line: readonly string[], widths: readonly number[]): string {
  return line
    .map((cell, index) => cell + ' '.repeat((widths[index] ?? 0) - widthOf(cell)))
    .join('  ')
    .trimEnd();
}
