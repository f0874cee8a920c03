import { describe, expect, it } from 'vitest';
import { type AskedQuestion, encodeOwnCall, encodeQuestion, questionInWords } from '../../adapters/acp/questions.ts';
import type { ShownTicket } from '../../schemas/control.ts';
import type { JsonObject } from '../../schemas/json.ts';
import type { TicketOption } from '../../schemas/ticket.ts';
import { answerInWords } from '../../src/answer-in-words.ts';
import { Fault } from '../../src/fault.ts';
import { assertValid } from '../support/acp-schema.ts';
import { shownTicket } from '../support/shown-ticket.ts';

const able = { sessionId: 's1', form: true, url: true };
const unable = { sessionId: 's1', form: false, url: false };
const allowOnce: TicketOption = { id: 'y', name: 'Yes', kind: 'allow-once' };
const allowAlways: TicketOption = { id: 'a', name: 'Always', kind: 'allow-always' };
const rejectOnce: TicketOption = { id: 'n', name: 'No', kind: 'reject-once' };
const other: TicketOption = { id: 'o', name: 'Other', kind: 'other' };

/** What is asked, which is as ACP has it. */
function ask(change: Partial<ShownTicket>, to: Parameters<typeof encodeQuestion>[1] = able): AskedQuestion {
  const asked = encodeQuestion(shownTicket(change), to);
  if (asked === undefined) throw new Error('it was not asked');
  const isPermission = asked.method === 'session/request_permission';
  assertValid(isPermission ? 'RequestPermissionRequest' : 'CreateElicitationRequest', asked.params);
  return asked;
}

function optionsOf({ params }: AskedQuestion): string[] {
  return 'options' in params && Array.isArray(params.options)
    ? params.options.map(({ optionId, kind }: { optionId: string; kind: string }) => `${optionId} ${kind}`)
    : [];
}

function chooses(asked: AskedQuestion, optionId: string): unknown {
  const result = { outcome: { outcome: 'selected', optionId } };
  assertValid('RequestPermissionResponse', result);
  return asked.decode(result);
}

function thrownBy(what: () => unknown): Fault {
  try {
    what();
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown;
  }
  throw new Error('no fault was thrown');
}

describe('an approval', () => {
  it('is asked with the options of its agent, and one to allow and one to reject in any case', () => {
    expect(optionsOf(ask({ options: [allowOnce, allowAlways, rejectOnce] }))).toEqual([
      'y allow_once',
      'a allow_always',
      'n reject_once',
    ]);
    expect(optionsOf(ask({ options: [] }))).toEqual(['anyport:allow allow_once', 'anyport:reject reject_once']);
    expect(optionsOf(ask({ options: [allowOnce] }))).toEqual(['y allow_once', 'anyport:reject reject_once']);
    expect(optionsOf(ask({ options: [other, rejectOnce] }))).toEqual([
      'anyport:allow allow_once',
      'o allow_once',
      'n reject_once',
    ]);
  });

  it('is what was chosen, and nothing that was not offered approves', () => {
    const asked = ask({ options: [other] });
    expect(chooses(asked, 'anyport:allow')).toEqual({ type: 'approve' });
    expect(chooses(asked, 'anyport:reject')).toEqual({ type: 'deny' });
    expect(chooses(asked, 'o')).toEqual({ type: 'option', optionId: 'o' });
    expect(asked.decode({ outcome: { outcome: 'cancelled' } })).toEqual({ type: 'dismiss' });
    expect(thrownBy(() => chooses(asked, 'allow-once'))).toMatchObject({
      code: 'invalid-answer',
      path: 'outcome.optionId',
    });
    // Its own are not offered where the agent has better ones.
    expect(thrownBy(() => chooses(ask({ options: [allowOnce] }), 'anyport:allow')).code).toBe('invalid-answer');
  });

  it.each([undefined, null, 5, {}, { outcome: null }, { outcome: { outcome: 'approved' } }, { outcome: 'selected' }])(
    'is not answered by %j',
    (result) => {
      expect(thrownBy(() => ask({}).decode(result)).code).toBe('invalid-answer');
    },
  );

  it('is asked of its call, by the name that the client knows; else it is one of its own', () => {
    const about = ask({ toolCallId: 'c1' }, { ...able, nameOf: (id) => `${id}~2` });
    expect(about.params).toMatchObject({ toolCall: { toolCallId: 'c1~2', title: 'May I?' } });
    expect(encodeOwnCall(shownTicket({ toolCallId: 'c1' }), able)).toBeUndefined();
    const own = { toolCallId: 'tkt_1', title: 'May I?', kind: 'other', status: 'pending' };
    expect(ask({}).params).toMatchObject({ toolCall: own });
    expect(encodeOwnCall(shownTicket({}), able)).toEqual(own);
  });

  it('is asked again with what was wrong', () => {
    const asked = ask({}, { ...able, problem: 'too late' });
    expect(asked.params).toMatchObject({ toolCall: { title: 'May I?\n(too late)' } });
  });
});

describe('a choice', () => {
  const choice = { kind: 'choice' as const, text: 'Which?', options: [other, { ...other, id: 'p', name: 'Else' }] };

  it('is a form where the client has forms', () => {
    const asked = ask({ ...choice, toolCallId: 'c1' });
    expect(asked.params).toEqual({
      sessionId: 's1',
      toolCallId: 'c1',
      message: 'Which?',
      mode: 'form',
      requestedSchema: {
        type: 'object',
        properties: {
          choice: {
            type: 'string',
            title: 'Which?',
            oneOf: [
              { const: 'o', title: 'Other' },
              { const: 'p', title: 'Else' },
            ],
          },
        },
        required: ['choice'],
      },
    });
    expect(asked.decode({ action: 'accept', content: { choice: 'p' } })).toEqual({ type: 'option', optionId: 'p' });
    expect(asked.decode({ action: 'decline' })).toEqual({ type: 'dismiss' });
    expect(asked.decode({ action: 'cancel' })).toEqual({ type: 'dismiss' });
    expect(asked.decode({ action: '_later', until: 'noon' })).toBeUndefined();
    for (const content of [undefined, null, {}, { choice: 'q' }, { choice: ['p'] }]) {
      expect(thrownBy(() => asked.decode({ action: 'accept', content }))).toMatchObject({ path: 'content.choice' });
    }
  });

  it('is a permission elsewhere, whose rejection dismisses it', () => {
    const asked = ask(choice, unable);
    expect(optionsOf(asked)).toEqual(['o allow_once', 'p allow_once', 'anyport:dismiss reject_once']);
    expect(chooses(asked, 'p')).toEqual({ type: 'option', optionId: 'p' });
    expect(chooses(asked, 'anyport:dismiss')).toEqual({ type: 'dismiss' });
    expect(optionsOf(ask({ ...choice, options: [other, rejectOnce] }, unable))).toEqual([
      'o allow_once',
      'n reject_once',
    ]);
    expect(optionsOf(ask({ ...choice, options: [rejectOnce] }, unable))).toEqual([
      'n allow_once',
      'anyport:dismiss reject_once',
    ]);
  });

  it('of nothing is not asked', () => {
    expect(encodeQuestion(shownTicket({ kind: 'choice' }), able)).toBeUndefined();
  });
});

const fields: [string, JsonObject, object][] = [
  [
    'text',
    { type: 'string', title: 'A', minLength: 1, maxLength: 9, pattern: '^a', format: 'email', default: 'a', x: 1 },
    { type: 'string', title: 'A', minLength: 1, maxLength: 9, pattern: '^a', format: 'email', default: 'a' },
  ],
  ['text of a format that ACP lacks', { type: 'string', format: 'hostname' }, { type: 'string' }],
  ['numbers', { type: 'number', minimum: 0.5, multipleOf: 2 }, { type: 'number', minimum: 0.5 }],
  [
    'whole numbers',
    { type: 'integer', minimum: 0.5, maximum: 9.5, default: 1.5 },
    { type: 'integer', minimum: 1, maximum: 9 },
  ],
  [
    'yes or no',
    { type: 'boolean', default: false, description: 'Sure?' },
    { type: 'boolean', default: false, description: 'Sure?' },
  ],
  ['an enumeration', { enum: ['a', 'b'] }, { type: 'string', enum: ['a', 'b'] }],
  [
    'a titled enumeration',
    { oneOf: [{ const: 'a', title: 'A' }, { const: 'b' }] },
    {
      type: 'string',
      oneOf: [
        { const: 'a', title: 'A' },
        { const: 'b', title: 'b' },
      ],
    },
  ],
  [
    'some of an enumeration',
    { type: 'array', items: { enum: ['a', 'b'] }, minItems: 1, uniqueItems: true },
    { type: 'array', items: { type: 'string', enum: ['a', 'b'] }, minItems: 1 },
  ],
  [
    'some of a titled enumeration',
    { type: 'array', items: { oneOf: [{ const: 'a', title: 'A' }] } },
    { type: 'array', items: { anyOf: [{ const: 'a', title: 'A' }] } },
  ],
];

const unrepresentable: [string, JsonObject][] = [
  ['an object', { type: 'object' }],
  ['any list', { type: 'array', items: { type: 'string' } }],
  ['numbers to choose from', { type: 'integer', enum: [1, 2] }],
  ['one of several types', { type: ['string', 'null'] }],
  ['one of several schemas', { anyOf: [{ type: 'string' }, { type: 'null' }] }],
  ['a reference', { $ref: '#/$defs/a' }],
  ['a constant', { const: 5 }],
  ['mixed values to choose from', { enum: ['a', 1] }],
  ['anything', {}],
];

describe('a form', () => {
  const form = (schema?: JsonObject): Partial<ShownTicket> => ({
    kind: 'form',
    text: 'Who?',
    ...(schema && { schema }),
  });

  it.each(fields)('asks for %s', (_, schema, field) => {
    const asked = ask(form({ type: 'object', properties: { a: schema }, required: ['a'] }));
    expect(asked.params).toEqual({
      sessionId: 's1',
      message: 'Who?',
      mode: 'form',
      requestedSchema: { type: 'object', properties: { a: field }, required: ['a'] },
    });
    const result = { action: 'accept', content: { a: 'x', b: ['y'] } };
    assertValid('CreateElicitationResponse', result);
    expect(asked.decode(result)).toEqual({ type: 'value', value: { a: 'x', b: ['y'] } });
  });

  it.each(fields)('asks for %s alone', (_, schema, field) => {
    const asked = ask(form(schema));
    expect(asked.params).toMatchObject({ requestedSchema: { properties: { answer: field }, required: ['answer'] } });
    expect(asked.decode({ action: 'accept', content: { answer: 5 } })).toEqual({ type: 'value', value: 5 });
    expect(asked.decode({ action: 'accept' })).toEqual({ type: 'value', value: null });
  });

  it('is no call', () => {
    expect(encodeOwnCall(shownTicket({ kind: 'form' }), able)).toBeUndefined();
    expect(encodeOwnCall(shownTicket({ kind: 'form' }), unable)).toBeUndefined();
    expect(encodeOwnCall(shownTicket({ kind: 'form', options: [allowOnce] }), unable)).toBeDefined();
  });

  it('that says nothing of its answer asks for a text', () => {
    expect(ask(form()).params).toMatchObject({ requestedSchema: { properties: { answer: { type: 'string' } } } });
  });

  it('that is left empty is an answer for its schema to judge', () => {
    const asked = ask(form({ type: 'object', properties: { a: { type: 'string' } } }));
    expect(asked.decode({ action: 'accept', content: null })).toEqual({ type: 'value', value: {} });
    expect(asked.decode({ action: 'decline' })).toEqual({ type: 'dismiss' });
    expect(thrownBy(() => asked.decode({ action: 'accept', content: 'Ada' })).path).toBe('result.content');
  });

  it.each(unrepresentable)('that needs %s is not asked', (_, schema) => {
    const asForm = (properties: JsonObject): ShownTicket => shownTicket(form({ type: 'object', properties }));
    expect(encodeQuestion(asForm({ good: { type: 'string' }, bad: schema }), able)).toBeUndefined();
    expect(encodeQuestion(shownTicket(form(schema)), able)).toBeUndefined();
  });

  it('is not asked when what it requires could not be filled in, when it is a secret, and without forms', () => {
    const properties = { a: { type: 'string' } };
    const asks = (change: Partial<ShownTicket>, to = able): boolean =>
      encodeQuestion(shownTicket({ ...form({ type: 'object', properties }), ...change }), to) !== undefined;
    expect(asks({})).toBe(true);
    expect(asks(form({ type: 'object', properties, required: ['b'] }))).toBe(false);
    expect(asks(form({ type: 'object', properties, anyOf: [{ required: ['a'] }] }))).toBe(false);
    expect(asks({ secret: true })).toBe(false);
    expect(asks({}, unable)).toBe(false);
  });

  it('with options falls back to them', () => {
    expect(optionsOf(ask({ ...form(), options: [other] }, unable))).toEqual([
      'o allow_once',
      'anyport:dismiss reject_once',
    ]);
  });
});

describe.each(['sign-in', 'url'] as const)('a question of kind %s', (kind) => {
  const ticket = { kind, subject: 'https://example.test/sign-in?a=b' };

  it('leads elsewhere, and stays open when its client goes there', () => {
    const asked = ask(ticket);
    expect(asked.params).toEqual({
      sessionId: 's1',
      message: 'May I?',
      mode: 'url',
      elicitationId: 'tkt_1',
      url: ticket.subject,
    });
    expect(asked.decode({ action: 'accept' })).toBeUndefined();
    expect(asked.decode({ action: 'decline' })).toEqual({ type: 'dismiss' });
  });

  it.each([undefined, 'the shop', 'javascript:alert(1)', 'file:///etc/passwd'])('is not asked with %j', (subject) => {
    expect(encodeQuestion(shownTicket({ kind, subject }), able)).toBeUndefined();
  });

  it('is not asked of a client that opens no pages', () => {
    expect(encodeQuestion(shownTicket(ticket), unable)).toBeUndefined();
  });
});

describe('a question in words', () => {
  const properties = { name: { type: 'string', title: 'Name' }, age: { type: 'integer' }, any: {} };
  const form = shownTicket({ kind: 'form', text: 'Who?', schema: { type: 'object', properties, required: ['age'] } });
  const choice = shownTicket({ kind: 'choice', text: 'Which?', options: [other, rejectOnce] });

  it('names its options or fields, and where it can be answered', () => {
    expect(questionInWords(form)).toBe(
      'Who?\n\n- name: Name (string)\n- age (integer, required)\n- any\n\n' +
        'Answer with a JSON object of these fields in your next message, or in another client.',
    );
    expect(questionInWords(choice)).toBe(
      'Which?\n\n- Other\n- No\n\nAnswer with the name of one of them in your next message, or in another client.',
    );
    const page = shownTicket({ kind: 'url', subject: 'https://example.test' });
    expect(questionInWords(page)).toMatch(/^May I\?\n\nhttps:\/\/example\.test\n\nThis happens elsewhere/);
    expect(questionInWords({ ...form, secret: true })).toMatch(/do not write it here\.$/);
    expect(questionInWords(shownTicket())).toMatch(/words do not approve\.$/);
  });

  it('is answered by the words that it asks for', () => {
    expect(answerInWords('{"name":"Ada","age":36}', form)).toMatchObject({ type: 'value', value: { age: 36 } });
    expect(answerInWords('Other', choice)).toEqual({ type: 'option', optionId: 'o' });
    const single = shownTicket({ kind: 'form', schema: { type: 'object', properties: { age: { type: 'integer' } } } });
    expect(questionInWords(single)).toContain('Answer with the value in your next message');
    expect(answerInWords('36', single)).toEqual({ type: 'value', value: { age: 36 } });
  });
});
