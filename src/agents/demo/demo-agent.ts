import type { AgentCard } from '../../../schemas/agent-card.ts';
import type { AgentId } from '../../../schemas/id.ts';
import type { RunEventBody } from '../../../schemas/run-event.ts';
import type { Clock } from '../../clock.ts';
import type { Activated, Agent, RunContext } from '../agent.ts';
import { clientCommands } from './client-side.ts';
import { type Answering, type Command, type Turn, usageOf } from './command.ts';
import type { Counter } from './counter.ts';
import { countingCommands } from './counting.ts';
import { failingCommands } from './failing.ts';
import { formCommands } from './form.ts';
import { quote, quotingModes, quotingOptions } from './quotation.ts';
import { readRequest } from './request.ts';
import { sharingCommands } from './sharing.ts';
import { say } from './speech.ts';
import { steeringCommands } from './steering.ts';
import { streamingCommands } from './streaming.ts';
import { toolCommands } from './tools.ts';

/** Needs no key and no network, and exercises everything that an agent can do. */
export class DemoAgent implements Agent {
  readonly card: AgentCard;
  readonly #commands: ReadonlyMap<string, Command>;

  constructor({ id, clock, counter }: { readonly id: AgentId; readonly clock: Clock; readonly counter: Counter }) {
    const commands = [
      ...streamingCommands(clock),
      ...toolCommands,
      ...formCommands,
      ...sharingCommands,
      ...steeringCommands(clock),
      ...failingCommands,
      ...countingCommands(counter),
      ...clientCommands,
    ];
    const help: Command = {
      name: '/help',
      takes: '',
      what: 'lists the commands',
      answer: ({ context }) => say(context, 'answer', helpOn([...commands, help])),
    };
    this.#commands = new Map([...commands, help].map((command) => [command.name, command]));
    this.card = cardOf(id, commands);
  }

  async *run(activation: Activated, context: RunContext): AsyncGenerator<RunEventBody> {
    const request = await readRequest(activation, context);
    switch (request.is) {
      case 'tool-results': {
        yield* say(context, 'answer', request.results.join(' '));
        return;
      }
      case 'text': {
        yield* this.#answer({ activation, context }, request.text);
        return;
      }
    }
  }

  #answer(turn: Turn, text: string): Answering {
    const [name = '', ...args] = text.trim().split(/\s+/);
    const command = this.#commands.get(name);
    if (command === undefined) {
      return say(turn.context, 'answer', text === '' ? 'You said nothing.' : quote(text, turn.activation.settings));
    }
    return command.answer(turn, args) ?? say(turn.context, 'answer', `Usage: ${usageOf(command)}: ${command.what}.`);
  }
}

function helpOn(commands: readonly Command[]): string {
  const lines = commands.map((command) => `- \`${usageOf(command)}\` ${command.what}`);
  return ['I quote what you say, and know these commands:', ...lines].join('\n');
}

function cardOf(id: AgentId, commands: readonly Command[]): AgentCard {
  return {
    id,
    version: '1',
    name: 'Demo',
    description: 'Answers without a model, a key or a network, and shows everything that an agent can do. Say /help.',
    skills: commands.map((command) => ({
      id: command.name.slice(1),
      name: command.name,
      description: command.what,
      examples: [usageOf(command)],
    })),
    capabilities: {
      input: [],
      reasoning: true,
      tools: true,
      clientTools: true,
      state: true,
      approvals: true,
      subagents: false,
      mcp: ['stdio', 'http', 'sse'],
    },
    modes: quotingModes,
    options: quotingOptions,
    commands: commands.map(({ name, takes, what }) => ({
      name: name.slice(1),
      description: what,
      ...(takes === '' ? {} : { hint: takes }),
    })),
    recovery: 'rerun',
    takesInput: true,
  };
}
