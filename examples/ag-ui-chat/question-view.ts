// A question to the person at this page: an approval, or a form. https://docs.ag-ui.com/concepts/interrupts
import type { Interrupt, ResumeEntry } from '@ag-ui/client';
import { element, type View } from './element.ts';
import { SchemaForm } from './schema-form.ts';

/** One of the thread's open questions, and what was chosen here so far. */
export interface Question {
  readonly key: string;
  readonly interrupt: Interrupt;
  readonly chosen: Reply | undefined;
}

export type Reply = Pick<ResumeEntry, 'status' | 'payload'>;

export function questionView({ interrupt }: Question, choose: (reply: Reply) => void): View<Question> {
  return isApproval(interrupt) ? approvalView(interrupt, choose) : formView(interrupt, choose);
}

/** The reasons with which an agent asks whether it may do something. */
function isApproval({ reason }: Interrupt): boolean {
  return reason === 'tool_call' || reason === 'confirmation';
}

function approvalView({ message }: Interrupt, choose: (reply: Reply) => void): View<Question> {
  const pick = (approved: boolean) => () => choose({ status: 'resolved', payload: { approved } });
  const allow = element('button', { type: 'button', onclick: pick(true) }, 'Allow');
  const deny = element('button', { type: 'button', onclick: pick(false) }, 'Deny');
  const title = message ?? 'May the agent go on?';
  return {
    element: element('article', { className: 'card question', role: 'group', ariaLabel: title }, title, allow, deny),
    update({ chosen }) {
      const approved = (chosen?.payload as { approved: boolean } | undefined)?.approved;
      allow.ariaPressed = String(approved === true);
      deny.ariaPressed = String(approved === false);
    },
  };
}

function formView({ message, responseSchema }: Interrupt, choose: (reply: Reply) => void): View<Question> {
  const fields = new SchemaForm(responseSchema ?? { type: 'string' });
  const title = message ?? 'The agent asks';
  const answer = element('button', { type: 'submit' }, 'Answer');
  const skip = element('button', { type: 'button', onclick: () => choose({ status: 'cancelled' }) }, 'Skip');
  // The fields themselves say what is wrong with them.
  const form = element('form', { className: 'card question', noValidate: true, ariaLabel: title });
  form.append(element('h2', {}, title), ...fields.elements, answer, ' ', skip);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const read = fields.read();
    if (read !== undefined) choose({ status: 'resolved', payload: read.value });
  });
  return {
    element: form,
    update({ chosen }) {
      answer.ariaPressed = String(chosen?.status === 'resolved');
      skip.ariaPressed = String(chosen?.status === 'cancelled');
    },
  };
}
