import { parseArgs } from 'node:util';
import { Fault } from '../fault.ts';
import { manifest } from '../manifest.ts';
import { catalogue } from './catalogue.ts';
import type { Command, Given, Group, Invocation, Word } from './command.ts';
import { flagUsage, helpOn, helpOnAll, helpOnGroup, usageOf } from './help.ts';

const entries: Readonly<Record<string, Command | Group>> = Object.assign({}, ...Object.values(catalogue));

/** @throws Fault `config-invalid`; its message names what is wrong and what is allowed */
export function parseCommandLine(args: readonly string[]): Invocation {
  const [first, ...rest] = args;
  if (first === '--help' || first === '-h') return { run: 'print', text: helpOnAll(catalogue) };
  if (first === '--version' || first === '-v') return { run: 'print', text: `${manifest.version}\n` };
  const allowed = `allowed: ${Object.keys(entries).join(', ')}, --help, --version`;
  if (first === undefined) throw new Fault('config-invalid', `a command is missing; ${allowed}`);
  const entry = ownOf(entries, first);
  if (entry === undefined) throw new Fault('config-invalid', `unknown command ${first}; ${allowed}`);
  return 'commands' in entry ? parseGroup(first, entry, rest) : parseCommand(first, entry, rest);
}

function parseGroup(name: string, group: Group, [verb, ...rest]: readonly string[]): Invocation {
  if (verb === '--help' || verb === '-h') return { run: 'print', text: helpOnGroup(name, group) };
  const allowed = `allowed: ${Object.keys(group.commands).join(', ')}, --help`;
  if (verb === undefined) throw new Fault('config-invalid', `${name}: a command is missing; ${allowed}`);
  const command = ownOf(group.commands, verb);
  if (command === undefined) throw new Fault('config-invalid', `${name} has no command ${verb}; ${allowed}`);
  return parseCommand(`${name} ${verb}`, command, rest);
}

function ownOf<Value>(record: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

function parseCommand(name: string, command: Command, args: readonly string[]): Invocation {
  const typed = readArguments(name, command, args);
  if (typed === 'help') return { run: 'print', text: helpOn(name, command) };
  return command.invoke({ ...typed.flags, ...assignWords(name, command, typed.words) });
}

interface Typed {
  readonly flags: Readonly<Record<string, string | true>>;
  readonly words: readonly string[];
}

function readArguments(name: string, { flags, words: takes }: Command, args: readonly string[]): Typed | 'help' {
  const allowed = `allowed: ${[...Object.entries(flags).map(flagUsage), '--help'].join(', ')}`;
  const options = Object.fromEntries(
    Object.entries(flags).map(([flag, { takes: value }]) => [
      flag,
      { type: value === undefined ? 'boolean' : 'string' } as const,
    ]),
  );
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  const given: Record<string, string | true> = {};
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind !== 'option') {
      const word = token.kind === 'positional' ? token.value : '--';
      if (takes.length === 0) throw new Fault('config-invalid', `${name} does not take ${word}; ${allowed}`);
      if (token.kind === 'positional') words.push(token.value);
      continue;
    }
    if (token.name === 'help' || token.rawName === '-h') return 'help';
    const flag = ownOf(flags, token.name);
    if (flag === undefined || !token.rawName.startsWith('--')) {
      const hint = takes.length === 0 ? '' : '; after -- nothing is a flag';
      throw new Fault('config-invalid', `${name} has no flag ${token.rawName}; ${allowed}${hint}`);
    }
    // What looks like a flag is one: `--port --host H` lacks a port.
    const value = token.inlineValue === false && token.value.startsWith('--') ? undefined : token.value;
    if ((flag.takes === undefined) !== (value === undefined)) {
      throw new Fault('config-invalid', `${token.rawName} takes ${flag.takes ?? 'no value'}`);
    }
    given[token.name] = value ?? true;
  }
  return { flags: given, words };
}

function assignWords(name: string, command: Command, words: readonly string[]): Given {
  const given: Record<string, string | readonly string[]> = {};
  const usage = `usage: ${usageOf(name, command)}`;
  command.words.forEach(({ name: word, how }: Word, index) => {
    const rest = words.slice(index);
    const [first] = rest;
    if (first === undefined && how !== 'any') {
      throw new Fault('config-invalid', `${name}: ${word.toUpperCase()} is missing; ${usage}`);
    }
    given[word] = how === 'one' ? (first ?? '') : rest;
  });
  const takesAll = command.words.some(({ how }) => how !== 'one');
  const extra = takesAll ? undefined : words[command.words.length];
  if (extra !== undefined) throw new Fault('config-invalid', `${name} does not take ${extra}; ${usage}`);
  return given;
}
