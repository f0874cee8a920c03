import { manifest } from '../manifest.ts';
import type { Command, Flag, Group, Word } from './command.ts';

/** Commands under headings, in the order of the help. */
export type Catalogue = Readonly<Record<string, Readonly<Record<string, Command | Group>>>>;

const exitCodes = [
  ['0', 'done'],
  ['1', 'it failed: the run failed or was cancelled, or there is no connection'],
  ['2', 'the command line or the configuration is wrong'],
  ['3', 'there is no such thing'],
  ['4', 'refused, as things stand'],
  ['130', 'left by Ctrl-C'],
] as const;

export function helpOnAll(catalogue: Catalogue): string {
  const sections = Object.entries(catalogue).map(([heading, entries]) => ({
    heading,
    entries: Object.entries(entries).map(([name, entry]) => [`anyport ${name}${shortly(entry)}`, entry.what]),
  }));
  const width = Math.max(...sections.flatMap(({ entries }) => entries.map(([left = '']) => left.length)));
  return [
    `Anyport ${manifest.version}: ${manifest.description}`,
    '',
    ...sections.flatMap(({ heading, entries }) => [`${heading}:`, ...lines(entries, width), '']),
    'Exit codes:',
    ...lines(exitCodes, 0),
    '',
    '  anyport COMMAND --help    lists the flags of a command',
    '  anyport --version',
    '',
  ].join('\n');
}

export function helpOnGroup(name: string, { what, commands }: Group): string {
  const entries = Object.entries(commands).map(([verb, command]) => [
    usageOf(`${name} ${verb}`, command),
    command.what,
  ]);
  return [`anyport ${name}: ${what}`, '', ...lines(entries), ''].join('\n');
}

export function helpOn(name: string, command: Command): string {
  const { what, words, flags } = command;
  const usage = words.length === 0 ? [] : [`  ${usageOf(name, command)} [FLAGS]`, ''];
  const entries = Object.entries(flags).map((flag) => [flagUsage(flag), flag[1].what]);
  return [`anyport ${name}: ${what}`, '', ...usage, ...lines(entries), ''].join('\n');
}

export function usageOf(name: string, { words }: Pick<Command, 'words'>): string {
  return ['anyport', name, ...words.map(wordUsage)].join(' ');
}

export function flagUsage([name, { takes }]: [string, Flag]): string {
  return takes === undefined ? `--${name}` : `--${name} ${takes}`;
}

function wordUsage({ name, how }: Word): string {
  const shown = name.toUpperCase();
  switch (how) {
    case 'one':
      return shown;
    case 'many':
      return `${shown}...`;
    case 'any':
      return `[${shown}...]`;
  }
}

function shortly(entry: Command | Group): string {
  if ('commands' in entry) return ` ${Object.keys(entry.commands).join('|')}`;
  return entry.words.map((word) => ` ${wordUsage(word)}`).join('');
}

function lines(entries: readonly (readonly string[])[], atLeast = 22): string[] {
  const width = Math.max(...entries.map(([left = '']) => left.length), atLeast);
  return entries.map(([left = '', right = '']) => `  ${left.padEnd(width)}  ${right}`);
}
