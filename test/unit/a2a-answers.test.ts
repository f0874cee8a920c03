import { describe, expect, it } from 'vitest';
import { decodeReply } from '../../adapters/a2a/answers.ts';
import type { ShownTicket } from '../../schemas/control.ts';
import type { JsonObject } from '../../schemas/json.ts';
import type { Part } from '../../schemas/part.ts';
import { shownTicket } from '../support/shown-ticket.ts';

const text = (words: string): Part[] => [{ type: 'text', text: words }];
const data = (json: JsonObject): Part[] => [{ type: 'data', json }];
const form = (schema: JsonObject): ShownTicket => shownTicket({ kind: 'form', schema });
const choice = shownTicket({
  kind: 'choice',
  options: [
    { id: 'a', name: 'Apples', kind: 'other' },
    { id: 'b', name: 'Bananas', kind: 'other' },
    { id: 'yes', name: 'Yes', kind: 'allow-once' },
  ],
});
const answered = (answer: object, rest: Part[] = []) => ({
  is: 'answers',
  decisions: [{ ticketId: 'tkt_1', answer }],
  rest,
});

describe('a data part answers', () => {
  it.each([
    [
      { ticketId: 'tkt_1', approved: true, args: { n: 1 } },
      { type: 'approve', args: { n: 1 } },
    ],
    [
      { approved: false, note: 'no' },
      { type: 'deny', note: 'no' },
    ],
    [
      { ticketId: 'tkt_1', optionId: 'a' },
      { type: 'option', optionId: 'a' },
    ],
    [
      { ticketId: 'tkt_1', value: [1] },
      { type: 'value', value: [1] },
    ],
    [{ ticketId: 'tkt_1', dismissed: true }, { type: 'dismiss' }],
    [{ ticketId: 'tkt_1', answer: { type: 'deny' } }, { type: 'deny' }],
  ])('%j', (json, answer) => {
    expect(decodeReply(data(json), [shownTicket({})])).toEqual(answered(answer));
  });

  it('a form with what it says itself, and leaves other parts alone', () => {
    const parts = [...data({ name: 'Ada' }), ...text('as you asked')];
    const reply = decodeReply(parts, [form({ type: 'object' })]);
    expect(reply).toEqual(answered({ type: 'value', value: { name: 'Ada' } }, text('as you asked')));
  });

  it('or is refused, when it names a question and says nothing to it', () => {
    expect(() => decodeReply(data({ ticketId: 'tkt_1' }), [shownTicket({})])).toThrow(
      'message.parts[0].data answers with',
    );
  });
});

describe('text', () => {
  it.each([
    ['apples', choice, { type: 'option', optionId: 'a' }],
    [' B ', choice, { type: 'option', optionId: 'b' }],
    ['{"n":1}', form({ type: 'object' }), { type: 'value', value: { n: 1 } }],
    ['36', form({ type: 'object', properties: { age: { type: 'integer' } } }), { type: 'value', value: { age: 36 } }],
    ['Ada', form({ type: 'string' }), { type: 'value', value: 'Ada' }],
    ['RED', form({ enum: ['red', 'green'] }), { type: 'value', value: 'red' }],
  ])('%j answers', (words, asked, answer) => {
    expect(decodeReply(text(words), [asked])).toEqual(answered(answer));
  });

  it.each([
    ['yes', shownTicket({ options: [{ id: 'yes', name: 'Yes', kind: 'allow-once' }] })],
    ['approved', shownTicket({})],
    ['yes', choice],
    ['pears', choice],
    ['Ada, 36', form({ type: 'object', properties: { name: { type: 'string' }, age: { type: 'integer' } } })],
    ['many', form({ type: 'object', properties: { age: { type: 'integer' } } })],
    ['done', shownTicket({ kind: 'sign-in' })],
    ['', choice],
  ])('%j answers nothing for certain', (words, asked) => {
    expect(decodeReply(text(words), [asked])).toMatchObject({ is: 'unclear' });
  });

  it('answers none of several questions', () => {
    expect(decodeReply(text('apples'), [choice, shownTicket({ id: 'tkt_2' })])).toMatchObject({ is: 'unclear' });
  });
});
