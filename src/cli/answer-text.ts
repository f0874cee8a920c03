import type { RunEvent } from '../../schemas/run-event.ts';
import type { Ticket } from '../../schemas/ticket.ts';
import { detailOf, outcomeText } from './event-line.ts';
import { harmless, oneLine } from './harmless.ts';
import { type Terminal, note, typed } from './terminal.ts';

/** A run as a reader sees it: what the agent says on `out` as it comes, all else a person should know on `err`. */
export class AnswerText {
  readonly #terminal: Terminal;
  /** Texts that are not the agent's words. */
  readonly #others = new Set<string>();
  /** What tools and artifacts are called, by item. */
  readonly #names = new Map<string, string>();
  #isMidLine = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  async show(event: RunEvent): Promise<void> {
    switch (event.type) {
      case 'text.started':
        if (event.role !== 'assistant') this.#others.add(event.id);
        return;
      case 'text.delta':
        return this.#others.has(event.id) ? undefined : this.#say(event.delta);
      case 'text.ended':
        return this.#endLine();
      case 'tool.started':
        this.#names.set(event.id, event.title ?? event.name);
        return;
      case 'tool.called':
        return this.#note(`! ${this.#names.get(event.id) ?? event.id} ${oneLine(event.args)}`);
      case 'artifact':
        if (event.name !== undefined) this.#names.set(event.id, event.name);
        return event.last ? this.#note(`! made ${this.#names.get(event.id) ?? event.id}`) : undefined;
      case 'notice':
        return this.#note(`! ${detailOf(event)}`);
      case 'ticket.opened':
        return this.#note(questionText(this.#terminal, event.ticket));
      case 'ticket.closed':
        return this.#note(`! ${detailOf(event)}`);
      case 'run.stopping':
      case 'run.retrying':
        await this.#endLine();
        return this.#note(`! ${event.type === 'run.retrying' ? 'tries again: ' : 'stopping: '}${detailOf(event)}`);
      case 'attempt.discarded':
        await this.#endLine();
        return event.itemIds.length === 0 ? undefined : this.#note('! what the broken attempt said is void');
      case 'run.finished':
        await this.#endLine();
        return event.outcome.type === 'completed' ? undefined : this.#note(`! ${outcomeText(event.outcome)}`);
      default:
        return;
    }
  }

  async #say(text: string): Promise<void> {
    if (text === '') return;
    this.#isMidLine = !text.endsWith('\n');
    await this.#terminal.out.write(harmless(text));
  }

  async #endLine(): Promise<void> {
    if (this.#isMidLine) await this.#say('\n');
  }

  /** Begins a line of its own where both go to one terminal; the text goes on after it. */
  async #note(text: string): Promise<void> {
    const { out, err } = this.#terminal;
    if (this.#isMidLine && out.columns !== undefined) await err.write('\n');
    await note(this.#terminal, text);
  }
}

/** A question and the commands that answer it. */
export function questionText(terminal: Terminal, ticket: Omit<Ticket, 'closed'>): string {
  const { id, text, kind, options, schema } = ticket;
  const answers =
    kind === 'approval'
      ? [typed(terminal, 'approve', id), typed(terminal, 'deny', id)]
      : schema !== undefined || options.length === 0
        ? [
            `${typed(terminal, 'answer', id)} --value JSON${schema === undefined ? '' : `    ${JSON.stringify(schema)}`}`,
          ]
        : options.map((option) => `${typed(terminal, 'answer', id, '--option', option.id)}    ${oneLine(option.name)}`);
  return [`? ${oneLine(text)}`, ...answers.map((answer) => `  ${answer}`)].join('\n');
}
