import { describe, expect, it } from 'vitest';
import { answerOf, decide } from '../../adapters/ag-ui/resume.ts';
import type { Json } from '../../schemas/json.ts';
import type { Ticket, TicketKind } from '../../schemas/ticket.ts';
import { approval } from '../support/ag-ui-arbitrary.ts';

const ticket = (kind: TicketKind, id: string = kind): Ticket => ({ ...approval, id, kind });

describe('an answer to an interrupt', () => {
  it.each<[Json | undefined, object]>([
    [{ approved: true }, { type: 'approve' }],
    [
      { approved: true, editedArgs: { a: 1 } },
      { type: 'approve', args: { a: 1 } },
    ],
    [
      { approved: true, editedArgs: {} },
      { type: 'approve', args: {} },
    ],
    [{ approved: true, editedArgs: null }, { type: 'deny' }],
    [{ approved: true, editedArgs: ['a'] }, { type: 'deny' }],
    [{ approved: 'true' }, { type: 'deny' }],
    [{ approved: false }, { type: 'deny' }],
    [{}, { type: 'deny' }],
    [true, { type: 'deny' }],
    ['yes', { type: 'deny' }],
    [null, { type: 'deny' }],
    [undefined, { type: 'deny' }],
  ])('to an approval: %j', (payload, answer) => {
    expect(answerOf(ticket('approval'), payload)).toEqual(answer);
  });

  it.each<[Json | undefined, object]>([
    ['red', { type: 'option', optionId: 'red' }],
    [{ optionId: 'red' }, { type: 'option', optionId: 'red' }],
    [{ optionId: 1 }, { type: 'value', value: { optionId: 1 } }],
    [undefined, { type: 'value', value: null }],
  ])('to a choice: %j', (payload, answer) => {
    expect(answerOf(ticket('choice'), payload)).toEqual(answer);
  });

  it.each<TicketKind>(['form', 'sign-in', 'url'])('to a %s is its value', (kind) => {
    expect(answerOf(ticket(kind), { name: 'Ada' })).toEqual({ type: 'value', value: { name: 'Ada' } });
    expect(answerOf(ticket(kind), undefined)).toEqual({ type: 'value', value: null });
  });
});

describe('the decisions of a request', () => {
  const tickets = new Map([ticket('approval'), ticket('form')].map((one) => [one.id, one]));
  const find = async (id: string): Promise<Ticket | undefined> => tickets.get(id);

  it('dismiss what was cancelled, of any kind', async () => {
    const resume = ['approval', 'form'].map((interruptId) => ({ interruptId, status: 'cancelled' as const }));
    const { decisions } = await decide({ resume, legacyResume: undefined }, find);
    expect(decisions).toEqual([
      { ticketId: 'approval', answer: { type: 'dismiss' } },
      { ticketId: 'form', answer: { type: 'dismiss' } },
    ]);
  });

  it('leave out what names no ticket, with a warning', async () => {
    const resume = [
      { interruptId: 'nobody', status: 'resolved' as const, payload: { approved: true } },
      { interruptId: 'form', status: 'resolved' as const, payload: 1 },
    ];
    const { decisions, warnings } = await decide({ resume, legacyResume: undefined }, find);
    expect(decisions).toEqual([{ ticketId: 'form', answer: { type: 'value', value: 1 } }]);
    expect(warnings).toEqual(['no open interrupt has the id "nobody"; its answer is ignored']);
  });

  it('are read from a LangGraph map of answers by interrupt', async () => {
    const { decisions } = await decide({ resume: [], legacyResume: { approval: { approved: true } } }, find);
    expect(decisions).toEqual([{ ticketId: 'approval', answer: { type: 'approve' } }]);
  });

  it('are not guessed from a bare LangGraph answer', async () => {
    for (const legacyResume of ['yes', true, { approved: true }]) {
      expect((await decide({ resume: [], legacyResume }, find)).decisions).toEqual([]);
    }
  });
});
