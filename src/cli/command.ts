import * as z from 'zod';
import { Fault } from '../fault.ts';
import type { ConfigSource } from '../server/config.ts';
import type { EditorName } from './editor-settings.ts';
import type { ExitCode } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

/** What the command line asks for. */
export type Invocation =
  | { readonly run: 'serve'; readonly configFile: string | undefined; readonly flags: ConfigSource['flags'] }
  | { readonly run: 'doctor'; readonly configFile: string | undefined; readonly flags: ConfigSource['flags'] }
  | {
      readonly run: 'acp';
      readonly agent: string | undefined;
      readonly configFile: string | undefined;
      readonly flags: ConfigSource['flags'];
    }
  | {
      readonly run: 'acp-bridge';
      readonly agent: string | undefined;
      readonly url: string;
      readonly token: string | undefined;
    }
  | { readonly run: 'print'; readonly text: string }
  /** With the arguments that the editor is to start this program with. */
  | { readonly run: 'print-editor-settings'; readonly editor: EditorName; readonly args: readonly string[] }
  | CallInvocation;

/** Something that a gateway is asked to do. */
export interface CallInvocation {
  readonly run: 'call';
  readonly url: string | undefined;
  readonly token: string | undefined;
  readonly json: boolean;
  /** The words and flags, by name. */
  readonly ask: Readonly<Record<string, unknown>>;
  act(terminal: Terminal): Promise<ExitCode>;
}

export interface Flag {
  /** What it takes, for the help; absent: it takes nothing. */
  readonly takes?: string;
  readonly what: string;
}
export type Flags = Readonly<Record<string, Flag>>;

/** What a command takes beside its flags. Only the last word of a command may be more than one. */
export interface Word {
  readonly name: string;
  readonly how: 'one' | 'many' | 'any';
}

/** What was typed, by the names of words and flags. */
export type Given = Readonly<Record<string, string | true | readonly string[]>>;

export interface Command {
  readonly what: string;
  readonly words: readonly Word[];
  readonly flags: Flags;
  /** @throws Fault `config-invalid` */
  invoke(given: Given): Invocation;
}

/** Commands on one noun. */
export interface Group {
  readonly what: string;
  readonly commands: Readonly<Record<string, Command>>;
}

const callFlags = {
  url: { takes: 'URL', what: 'where the gateway is (default $ANYPORT_URL or http://127.0.0.1:8080)' },
  token: { takes: 'TOKEN', what: 'who is calling (default $ANYPORT_TOKEN)' },
  json: { what: 'JSON on stdout: one value, or one a line where there are several' },
} satisfies Flags;

const CallFlags = z.object({
  url: z.string().optional(),
  token: z.string().optional(),
  json: z.literal(true).optional(),
});

/** A command that a gateway carries out. `ask` reads its words and flags. */
export function call<Ask extends Readonly<Record<string, unknown>>>(spec: {
  readonly what: string;
  readonly words?: readonly Word[];
  readonly flags?: Flags;
  readonly ask: z.ZodType<Ask>;
  run(ask: Ask, terminal: Terminal): Promise<ExitCode>;
}): Command {
  const { what, words = [], flags = {} } = spec;
  return {
    what,
    words,
    flags: { ...flags, ...callFlags },
    invoke({ url, token, json, ...given }) {
      const connection = decodeGiven(CallFlags, { url, token, json }, words);
      const ask = decodeGiven(spec.ask, given, words);
      return {
        run: 'call',
        url: connection.url,
        token: connection.token,
        json: connection.json ?? false,
        ask,
        act: (terminal) => spec.run(ask, terminal),
      };
    },
  };
}

/** @throws Fault `config-invalid`; its message names the word or flag */
export function decodeGiven<Value>(schema: z.ZodType<Value>, given: unknown, words: readonly Word[] = []): Value {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const name = issue?.path[0];
  const isWord = words.some((word) => word.name === name);
  const where = name === undefined ? '' : isWord ? `${String(name).toUpperCase()}: ` : `--${String(name)}: `;
  throw new Fault('config-invalid', `${where}${issue?.message ?? ''}`);
}

export const one = (name: string): Word => ({ name, how: 'one' });
export const many = (name: string): Word => ({ name, how: 'many' });
export const any = (name: string): Word => ({ name, how: 'any' });

/** Values that several commands take. */
export const Id = z.string().min(1);
export const Ids = z.array(Id);
export const Switch = z.literal(true).optional();
export const JsonText = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: `${text} is not JSON` });
    return z.NEVER;
  }
});

export const pageFlags = {
  limit: { takes: 'N', what: 'how many, at most 200 (default 50)' },
  cursor: { takes: 'C', what: 'where the page before said that there are more' },
} satisfies Flags;

export const PageFlags = {
  limit: z
    .string()
    .transform((text) => (/^\d+$/.test(text) ? Number(text) : text))
    .pipe(z.number().int().min(1).max(200))
    .optional(),
  cursor: z.string().min(1).optional(),
};
