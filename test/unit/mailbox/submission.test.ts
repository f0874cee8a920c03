import { expect, test } from 'vitest';
import type { Submission } from '../../../src/gateway.ts';
import { checkSchema, problemWith } from '../../../src/mailbox/answers.ts';
import { prepare } from '../../../src/mailbox/submission.ts';
import { alice, submission } from '../../support/mailbox-fixture.ts';

test('a thread and a request have names', { tags: 'blank-names-are-refused' }, () => {
  for (const path of ['threadId', 'key']) {
    for (const name of ['', 'x'.repeat(513)]) {
      const wrong = submission('one', { [path]: name });
      expect(() => prepare(alice, wrong)).toThrow(expect.objectContaining({ code: 'invalid-request', path }));
    }
  }
});

test('a thread has a name that URLs can bear', { tags: 'any-name-is-safe' }, () => {
  for (const threadId of ['.', '..', 'a\ud800', '\udfffb']) {
    const refused = expect.objectContaining({ code: 'invalid-request', path: 'threadId' });
    expect(() => prepare(alice, submission('one', { threadId }))).toThrow(refused);
  }
  for (const threadId of ['...', '. ', '.\n', '/', '%2e', '\u0000', '😀']) {
    expect(() => prepare(alice, submission('one', { threadId }))).not.toThrow();
  }
});

test('what is nested too deep is refused by the member that it is in', () => {
  const nested = (levels: number): never => JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as never;
  for (const path of ['state', 'context', 'forwardedProps', 'metadata', 'tools']) {
    const refused = expect.objectContaining({ code: 'invalid-request', path });
    for (const levels of [200, 100_000]) {
      expect(() => prepare(alice, submission('one', { [path]: nested(levels) }))).toThrow(refused);
    }
    expect(() => prepare(alice, submission('one', { [path]: nested(100) }))).not.toThrow();
  }
});

test('a request asks for something', { tags: 'empty-request-is-refused' }, () => {
  const nothing = submission('one', { messages: [] });
  expect(() => prepare(alice, nothing)).toThrow(expect.objectContaining({ code: 'invalid-request', path: 'messages' }));
  for (const something of [
    { decisions: [{ ticketId: 'tkt_1', answer: { type: 'approve' } }] },
    { toolResults: [{ toolCallId: 'call', parts: [] }] },
  ] satisfies Partial<Submission>[]) {
    expect(() => prepare(alice, { ...nothing, ...something })).not.toThrow();
  }
});

test('the trace of a request is no part of its body; the order of its members is', () => {
  const digest = (change: Parameters<typeof submission>[1]): string => prepare(alice, submission('one', change)).digest;
  expect(digest({ trace: { traceparent: 'a' } })).toBe(digest({ trace: { traceparent: 'b' } }));
  expect(digest({ metadata: { a: 1, b: 2 } })).not.toBe(digest({ metadata: { b: 2, a: 1 } }));
});

test('questions whose schemas name the same thing inside do not disturb each other', () => {
  const schemaOf = (type: string) => ({
    type: 'object',
    properties: { inner: { $id: 'https://example.com/inner', type } },
  });
  checkSchema(schemaOf('string'));
  checkSchema(schemaOf('number'));
  const ticket = { schema: schemaOf('string') } as unknown as Parameters<typeof problemWith>[0];
  expect(problemWith(ticket, { type: 'value', value: { inner: 'text' } })).toBeUndefined();
  expect(problemWith(ticket, { type: 'value', value: { inner: 1 } })).toContain('/inner');
});
