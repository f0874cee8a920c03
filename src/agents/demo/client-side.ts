import type { Workspace } from '../../../schemas/thread.ts';
import type { RunEventBody } from '../../../schemas/run-event.ts';
import type { ClientTerminal } from '../../attachment.ts';
import type { Command, Turn } from './command.ts';
import { callTool, resultOf, say, textParts } from './speech.ts';

/** What the client that started the run lets its agent do on its side. */
export const clientCommands: readonly Command[] = [
  {
    name: '/where',
    takes: '',
    what: 'says where the thread is at home, and what its client brought along',
    answer: where,
  },
  {
    name: '/read',
    takes: 'PATH',
    what: 'reads a text file of its client',
    answer: (turn, [path]) => (path === undefined ? undefined : read(turn, path)),
  },
  {
    name: '/write',
    takes: 'PATH TEXT',
    what: 'writes a text file of its client',
    answer: (turn, [path, ...words]) =>
      path === undefined || words.length === 0 ? undefined : write(turn, path, words.join(' ')),
  },
  {
    name: '/shell',
    takes: 'COMMAND [ARG…]',
    what: 'runs a command in a terminal of its client',
    answer: (turn, [command, ...args]) => (command === undefined ? undefined : runCommand(turn, command, args)),
  },
];

function* where({ activation, context }: Turn): Generator<RunEventBody> {
  const { workspace, settings } = activation;
  const servers = context.client?.mcpServers.map((server) => server.name) ?? [];
  const sentences = [
    workspace === undefined ? 'I know of no directory.' : `I am at home in ${workspace.cwd}.`,
    ...(workspace?.additionalDirectories ?? []).map((directory) => `I may look into ${directory}.`),
    ...(settings.mode === undefined ? [] : [`My mode is ${settings.mode}.`]),
    ...(servers.length === 0 ? [] : [`I was brought the MCP servers ${servers.join(', ')}.`]),
  ];
  yield* say(context, 'answer', sentences.join(' '));
}

async function* read({ activation, context }: Turn, name: string): AsyncGenerator<RunEventBody> {
  const { client } = context;
  const path = pathOf(name, activation.workspace);
  if (client?.readTextFile === undefined) {
    yield* say(context, 'answer', 'Your client does not let me read files.');
    return;
  }
  const id = context.id('read');
  const args = JSON.stringify({ path });
  const call = { id, name: 'read_file', title: `Read ${path}`, args, runBy: 'agent' } as const;
  yield* callTool({ ...call, kind: 'read', locations: [{ path }] });
  const text = await client.readTextFile({ path }, context.signal);
  yield resultOf(context, 'read', 'ok', textParts(text));
  yield* say(context, 'answer', `${path} has ${text.length} characters.`);
}

async function* write({ activation, context }: Turn, name: string, newText: string): AsyncGenerator<RunEventBody> {
  const { client } = context;
  const path = pathOf(name, activation.workspace);
  if (client?.writeTextFile === undefined) {
    yield* say(context, 'answer', 'Your client does not let me write files.');
    return;
  }
  const id = context.id('write');
  const args = JSON.stringify({ path, text: newText });
  const call = { id, name: 'write_file', title: `Write ${path}`, args, runBy: 'agent' } as const;
  yield* callTool({ ...call, kind: 'edit', locations: [{ path }] });
  // Written twice, it says the same.
  await context.once(
    'write',
    async ({ signal }) => {
      await client.writeTextFile?.({ path, text: newText }, signal);
      return null;
    },
    'repeat',
  );
  yield resultOf(context, 'write', 'ok', [{ type: 'diff', path, newText, op: 'modify' }]);
  yield* say(context, 'answer', `I wrote ${path}.`);
}

async function* runCommand(
  { activation, context }: Turn,
  command: string,
  args: readonly string[],
): AsyncGenerator<RunEventBody> {
  const { client } = context;
  if (client?.runCommand === undefined) {
    yield* say(context, 'answer', 'Your client does not let me run commands.');
    return;
  }
  const id = context.id('shell');
  const title = [command, ...args].join(' ');
  const said = JSON.stringify({ command, args });
  yield* callTool({ id, name: 'shell', title, args: said, runBy: 'agent', kind: 'execute' });
  let terminal: ClientTerminal | undefined;
  await context.once('shell', async () => {
    const cwd = activation.workspace?.cwd;
    terminal = await client.runCommand?.({ command, args, ...(cwd === undefined ? {} : { cwd }) }, context.signal);
    return null;
  });
  if (terminal === undefined) {
    yield resultOf(context, 'shell', 'cancelled', textParts('It was started before, and its terminal is gone.'));
    yield* say(context, 'answer', 'I started it before I was interrupted, and do not know how it ended.');
    return;
  }
  await using shown = terminal;
  yield { type: 'tool.updated', id, status: 'in_progress', content: [{ type: 'terminal', id: shown.id }] };
  const { exitCode, signal } = await shown.exit(context.signal);
  const { text } = await shown.output();
  yield resultOf(context, 'shell', 'ok', [{ type: 'terminal', id: shown.id }]);
  const how = exitCode === undefined ? `was ended by ${signal ?? 'somebody'}` : `ended with ${exitCode}`;
  yield* say(context, 'answer', `${title} ${how} and said: ${text.trim()}`);
}

/** As the client's side names it: what is not absolute lies in the thread's home. */
function pathOf(name: string, workspace: Workspace | undefined): string {
  const isAbsolute = name.startsWith('/') || /^[A-Za-z]:[\\/]/.test(name);
  return isAbsolute || workspace === undefined ? name : `${workspace.cwd.replace(/[\\/]$/, '')}/${name}`;
}
