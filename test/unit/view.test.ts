import { expect, test } from 'vitest';
import type { EventBody } from '../../schemas/run-event.ts';
import { applyPatch } from '../../src/events/patch.ts';
import { emptyView, foldBody, messagesOf } from '../../src/events/view.ts';

test('a call that names its message before that begins is part of it', () => {
  const view = emptyView('run');
  const events: EventBody[] = [
    { type: 'tool.started', id: 'call', name: 'look', parentMessageId: 'words', runBy: 'agent' },
    { type: 'tool.called', id: 'call', args: '{}' },
    { type: 'text.started', id: 'words', role: 'assistant' },
    { type: 'text.delta', id: 'words', delta: 'I look' },
    { type: 'text.ended', id: 'words' },
    { type: 'tool.result', id: 'call', messageId: 'result', status: 'ok', parts: [], origin: 'agent' },
  ];
  for (const event of events) foldBody(view, event);
  const messages = messagesOf(view, 'agent');
  expect(messages.map(({ id, parentId }) => ({ id, parentId }))).toEqual([
    { id: 'words', parentId: undefined },
    { id: 'result', parentId: 'words' },
  ]);
  expect(messages[0]).toMatchObject({ parts: [{ type: 'text', text: 'I look' }], toolCalls: [{ id: 'call' }] });
});

test('a patch applies whole or not at all, and only with JSON Pointers', () => {
  const state = { a: 1 };
  expect(applyPatch(state, [{ op: 'replace', path: '/a', value: 2 }])).toEqual({ a: 2 });
  expect(applyPatch(state, [{ op: 'replace', path: '', value: 2 }])).toBe(2);
  const half = [
    { op: 'replace' as const, path: '/a', value: 2 },
    { op: 'remove' as const, path: '/b' },
  ];
  expect(() => applyPatch(state, half)).toThrow('does not apply');
  expect(() => applyPatch(state, [{ op: 'add', path: 'a', value: 2 }])).toThrow('no JSON Pointer');
  expect(state).toEqual({ a: 1 });
});
