import type { ContentPart } from '@ag-ui/core';
import { describe, expect, it } from 'vitest';
import { Field } from '../../adapters/ag-ui/field.ts';
import { chooseProfile, profiles } from '../../adapters/ag-ui/profile.ts';

const image: ContentPart = { type: 'image', source: { type: 'url', value: 'https://example.test/a.png' } };
const handle: ContentPart = { type: 'document', source: { type: 'file', value: 'f' } };
const stopped = {
  threadId: 't',
  runId: 'r',
  code: 'CANCELLED',
  message: 'stopped',
  reason: 'cancelled',
  usage: undefined,
} as const;

function choose(version: unknown): { name: string; warnings: string[] } {
  const warnings: string[] = [];
  const { name } = chooseProfile(new Field(version, warnings));
  return { name, warnings };
}

describe('the profile of a client', () => {
  it.each([
    [undefined, '0.x', 0],
    ['0.9', '0.x', 0],
    ['1.0', '1.x', 0],
    ['1.7', '1.x', 1],
    ['1', '1.x', 1],
    ['1.0.0', '1.x', 1],
    ['soon', '1.x', 1],
  ])('that declares %j is %s, with %i warnings', (version, name, warnings) => {
    expect(choose(version)).toMatchObject({ name, warnings: { length: warnings } });
  });

  it('that declares another major version is refused', () => {
    expect(() => choose('2.0')).toThrow(expect.objectContaining({ code: 'unsupported', path: '$' }));
  });
});

describe('what clients from before 1.0 are not told', () => {
  const lost: string[] = [];
  const note = (what: string): void => {
    lost.push(what);
  };
  const legacy = profiles['0.x'];
  const current = profiles['1.x'];

  it('which calls are theirs', () => {
    expect(current.pendingToolCalls(['c1'], note)).toEqual(['c1']);
    expect(current.pendingToolCalls([], note)).toBeUndefined();
    expect(legacy.pendingToolCalls(['c1'], note)).toBeUndefined();
    expect(lost).toEqual(['which tool calls are left to the client']);
  });

  it('media in tool results', () => {
    const parts: ContentPart[] = [{ type: 'text', text: 'a' }, image, { type: 'text', text: 'b' }];
    expect(current.toolContent(parts, note)).toEqual(parts);
    expect(legacy.toolContent(parts, note)).toBe('ab');
    expect(legacy.toolContent([image], note)).toBe('');
    expect(lost).toContain('media in a tool result');
  });

  it('file handles', () => {
    expect(current.userParts([image, handle], note)).toEqual([image, handle]);
    expect(legacy.userParts([image, handle], note)).toEqual([image]);
    expect(lost).toContain('a file handle in a message');
  });

  it('that a run was cancelled, in a way that they take for a success', () => {
    expect(current.stopped(stopped)).toMatchObject({ type: 'RUN_FINISHED', outcome: { type: 'cancelled' } });
    expect(legacy.stopped(stopped)).toMatchObject({ type: 'RUN_ERROR', code: 'CANCELLED' });
  });
});
