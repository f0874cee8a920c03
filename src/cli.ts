import { parseArgs } from 'node:util';
import * as z from 'zod';
import { Config } from '../schemas/config.ts';
import { Fault } from './fault.ts';
import { manifest } from './manifest.ts';
import type { ConfigSource } from './server/config.ts';

/** What the command line asks for. */
export type Invocation =
  | { readonly run: 'serve'; readonly configFile: string | undefined; readonly flags: ConfigSource['flags'] }
  | { readonly run: 'doctor'; readonly configFile: string | undefined; readonly flags: ConfigSource['flags'] }
  | { readonly run: 'print'; readonly text: string };

interface Flag {
  /** What it takes, for the help; absent: it takes nothing. */
  readonly takes?: string;
  readonly what: string;
}

interface Command {
  readonly what: string;
  readonly flags: Readonly<Record<string, Flag>>;
}

const configFlag = { takes: 'FILE', what: 'the configuration; by default anyport.yaml or anyport.config.ts here' };
const dataFlag = { takes: 'DIR', what: 'where the file store keeps everything (default ./.anyport)' };

const commands = {
  serve: {
    what: 'serves the agents at one port',
    flags: {
      config: configFlag,
      port: { takes: 'N', what: 'the port, 0 for a free one (default 8080)' },
      host: { takes: 'H', what: 'the address to listen on (default 127.0.0.1)' },
      data: dataFlag,
      store: { takes: 'file|memory', what: 'memory forgets everything at the end (default file)' },
      'allow-unauthenticated': { what: 'lets everyone in at an address that others can reach' },
    },
  },
  doctor: {
    what: 'checks what the file store keeps, while no gateway serves it',
    flags: { config: configFlag, data: dataFlag },
  },
} satisfies Record<string, Command>;

const names = Object.keys(commands).join(', ');

/** @throws Fault `config-invalid`; its message names what is wrong and what is allowed */
export function parseCommandLine(args: readonly string[]): Invocation {
  const [first, ...rest] = args;
  switch (first) {
    case '--help':
    case '-h':
      return { run: 'print', text: helpOnAll() };
    case '--version':
    case '-v':
      return { run: 'print', text: `${manifest.version}\n` };
    case 'serve':
    case 'doctor':
      return parseFlags(first, rest);
    case undefined:
      throw new Fault('config-invalid', `a command is missing; allowed: ${names}, --help, --version`);
    default:
      throw new Fault('config-invalid', `unknown command ${first}; allowed: ${names}, --help, --version`);
  }
}

const FlagValues = z.object({
  config: z.string().optional(),
  port: z
    .string()
    .transform((text) => (/^\d+$/.test(text) ? Number(text) : text))
    .pipe(Config.shape.port.unwrap())
    .optional(),
  host: Config.shape.host.unwrap().optional(),
  data: Config.shape.dataDir.unwrap().optional(),
  store: Config.shape.store.unwrap().optional(),
  'allow-unauthenticated': z.literal(true).optional(),
});

function parseFlags(run: 'serve' | 'doctor', args: readonly string[]): Invocation {
  const command: Command = commands[run];
  const given = readFlags(run, command, args);
  if (given === 'help') return { run: 'print', text: helpOn(run, command) };
  const values = FlagValues.safeParse(given);
  if (!values.success) {
    const [issue] = values.error.issues;
    throw new Fault('config-invalid', `--${String(issue?.path[0])}: ${issue?.message ?? ''}`);
  }
  const { config, data, 'allow-unauthenticated': allowUnauthenticated, ...same } = values.data;
  const renamed = { ...(data && { dataDir: data }), ...(allowUnauthenticated && { allowUnauthenticated }) };
  return { run, configFile: config, flags: { ...same, ...renamed } as ConfigSource['flags'] };
}

function readFlags(run: string, { flags }: Command, args: readonly string[]): Record<string, string | true> | 'help' {
  const allowed = [...Object.entries(flags).map(usageOf), '--help'].join(', ');
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { takes }]) => [
      name,
      { type: takes === undefined ? 'boolean' : 'string' } as const,
    ]),
  );
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  const given: Record<string, string | true> = {};
  for (const token of tokens) {
    if (token.kind !== 'option') {
      const word = token.kind === 'positional' ? token.value : '--';
      throw new Fault('config-invalid', `${run} does not take ${word}; allowed: ${allowed}`);
    }
    if (token.name === 'help' || token.rawName === '-h') return 'help';
    const flag = flags[token.name];
    if (flag === undefined || !token.rawName.startsWith('--')) {
      throw new Fault('config-invalid', `${run} has no flag ${token.rawName}; allowed: ${allowed}`);
    }
    // What looks like a flag is one: `--port --host H` lacks a port.
    const value = token.inlineValue === false && token.value.startsWith('--') ? undefined : token.value;
    if ((flag.takes === undefined) !== (value === undefined)) {
      throw new Fault('config-invalid', `${token.rawName} takes ${flag.takes ?? 'no value'}`);
    }
    given[token.name] = value ?? true;
  }
  return given;
}

function usageOf([name, { takes }]: [string, Flag]): string {
  return takes === undefined ? `--${name}` : `--${name} ${takes}`;
}

function helpOnAll(): string {
  const lines = Object.entries(commands).map(([name, { what }]) => `  anyport ${name.padEnd(10)}${what}`);
  return [
    `Anyport ${manifest.version}: ${manifest.description}`,
    '',
    ...lines,
    '',
    '  anyport COMMAND --help    lists the flags of a command',
    '  anyport --version',
    '',
  ].join('\n');
}

function helpOn(run: string, command: Command): string {
  const flags = Object.entries(command.flags).map((flag) => `  ${usageOf(flag).padEnd(26)}${flag[1].what}`);
  return [`anyport ${run}: ${command.what}`, '', ...flags, ''].join('\n');
}
