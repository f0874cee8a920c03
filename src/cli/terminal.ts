import type { AnyportClient, Page } from '../client/index.ts';
import { Fault, Unreachable } from '../client/index.ts';
import { type ExitCode, exitCodeOf } from './exit-code.ts';
import { harmless } from './harmless.ts';
import { jsonLine, type Sink, tableOf } from './output.ts';

/** All that the commands use of the client. */
export type GatewayClient = Pick<AnyportClient, keyof AnyportClient>;

/** What a command works with. */
export interface Terminal {
  readonly client: GatewayClient;
  readonly out: Sink;
  readonly err: Sink;
  readonly stdin: {
    /** Whether a person would have to type. */
    readonly isTerminal: boolean;
    /** All of it. */
    read(): Promise<string>;
  };
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** Machine output: JSON on `out`. */
  readonly json: boolean;
  /** The flags that lead other commands to the same gateway. */
  readonly reach: readonly string[];
}

/** Writes one value: as JSON where a machine reads, else as text. */
export async function show({ out, json }: Terminal, value: unknown, text: () => string): Promise<void> {
  await out.write(json ? jsonLine(value) : text());
}

/** Something for the person, beside the output. */
export async function note({ err }: Terminal, text: string): Promise<void> {
  await err.write(`${harmless(text)}\n`);
}

/** A command as one would type it to go on from here. */
export function typed({ reach }: Terminal, ...words: readonly string[]): string {
  return ['anyport', ...words, ...reach].map(quoted).join(' ');
}

function quoted(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

export interface Listing<Item> {
  /** What there is none of, if the list is empty. */
  readonly of: string;
  readonly names: readonly string[];
  readonly row: (item: Item) => readonly string[];
}

export async function showPage<Item>(terminal: Terminal, page: Page<Item>, listing: Listing<Item>): Promise<ExitCode> {
  const { names, row, of } = listing;
  const { items, next } = page;
  const table = (): string => (items.length === 0 ? '' : tableOf(names, items.map(row), terminal.out.columns));
  await show(terminal, page, table);
  if (items.length === 0 && !terminal.json) await note(terminal, `no ${of}`);
  if (next !== undefined && !terminal.json) await note(terminal, `there are more: --cursor ${next}`);
  return 0;
}

/** Does the same for several ids, each for itself. The first failure decides how the command ends. */
export async function each(
  terminal: Terminal,
  ids: readonly string[],
  act: (id: string) => Promise<void>,
): Promise<ExitCode> {
  let code: ExitCode = 0;
  for (const id of ids) {
    try {
      await act(id);
    } catch (thrown) {
      if (!(thrown instanceof Fault) || thrown instanceof Unreachable || ids.length === 1) throw thrown;
      await note(terminal, `anyport: ${id}: ${messageOf(thrown)}`);
      code ||= exitCodeOf(thrown.code);
    }
  }
  return code;
}

export function messageOf({ message, path }: Fault): string {
  return path === undefined || message.startsWith(path) ? message : `${path}: ${message}`;
}
