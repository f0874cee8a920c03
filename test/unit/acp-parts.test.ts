import type * as acp from '@agentclientprotocol/sdk';
import { describe, expect, it } from 'vitest';
import { hasBlobs, withMedia } from '../../adapters/acp/blobs.ts';
import { decodeBlock, encodePart, encodeToolContent } from '../../adapters/acp/parts.ts';
import { Part } from '../../schemas/part.ts';
import type { EventBody, RunEvent } from '../../schemas/run-event.ts';
import { Fault } from '../../src/fault.ts';
import { assertValid } from '../support/acp-schema.ts';

const everything = { image: true, audio: true, embeddedContext: true };
const data = 'iVBORw0KGgo=';
const blocks: acp.ContentBlock[] = [
  { type: 'text', text: 'hi', annotations: { audience: ['user'], priority: 0.5 }, _meta: { 'a.b/c': 1 } },
  { type: 'image', data, mimeType: 'image/png', uri: 'file:///a.png', _meta: { mine: true } },
  { type: 'image', data, mimeType: 'image/png' },
  { type: 'audio', data, mimeType: 'audio/wav' },
  { type: 'resource_link', uri: 'file:///a.ts', name: 'a.ts', mimeType: 'text/plain', size: 3, title: 'A' },
  { type: 'resource', resource: { uri: 'file:///a.ts', text: 'let a', mimeType: 'text/plain' } },
  { type: 'resource', resource: { uri: 'file:///a.bin', blob: data } },
];

function thrownBy(what: () => unknown): Fault {
  try {
    what();
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown;
  }
  throw new Error('no fault was thrown');
}

describe('a block of a prompt', () => {
  it.each(blocks.map((block) => [block.type, block] as const))('of type %s is read, and told as it was', (_, block) => {
    assertValid('ContentBlock', block);
    const part = decodeBlock(block, 'prompt.0', everything);
    expect(Part.parse(part)).toEqual(part);
    expect(encodePart(part)).toEqual(block);
  });

  it('is taken without what is null or ill-formed beside its content', () => {
    const block = { type: 'resource_link', uri: 'u', name: 'n', title: null, size: 'big', annotations: 5, _meta: null };
    expect(decodeBlock(block, 'prompt.0', {})).toEqual({ type: 'link', uri: 'u', name: 'n' });
  });

  it.each([
    [{ type: 'image', data, mimeType: 'image/png' }, 'promptCapabilities.image'],
    [{ type: 'audio', data, mimeType: 'audio/wav' }, 'promptCapabilities.audio'],
    [{ type: 'resource', resource: { uri: 'u', text: '' } }, 'promptCapabilities.embeddedContext'],
  ])('that was not advertised is refused: %j', (block, named) => {
    const fault = thrownBy(() => decodeBlock(block, 'prompt.2', { image: false }));
    expect(fault).toMatchObject({ code: 'invalid-request', path: 'prompt.2' });
    expect(fault.message).toContain(named);
  });

  it.each([
    [5, 'prompt.0'],
    [{}, 'prompt.0.type'],
    [{ type: 'video', data }, 'prompt.0.type'],
    [{ type: 'text' }, 'prompt.0.text'],
    [{ type: 'image', data: 5, mimeType: 'image/png' }, 'prompt.0.data'],
    [{ type: 'resource', resource: { uri: 'u' } }, 'prompt.0.resource'],
  ])('that is none is refused with the path of what is wrong: %j', (block, path) => {
    expect(thrownBy(() => decodeBlock(block, 'prompt.0', everything))).toMatchObject({ code: 'invalid-request', path });
  });
});

const parts: [string, Part, acp.ContentBlock | undefined][] = [
  ['data', { type: 'data', json: { a: '`' } }, { type: 'text', text: '\n```json\n{"a":"`"}\n```\n' }],
  ['data with a fence inside', { type: 'data', json: '```' }, { type: 'text', text: '\n````json\n"```"\n````\n' }],
  [
    'media at a URL',
    {
      type: 'media',
      kind: 'image',
      source: { at: 'url', url: 'https://example.test/a/b.png?c' },
      mimeType: 'image/png',
    },
    { type: 'resource_link', uri: 'https://example.test/a/b.png?c', name: 'b.png', mimeType: 'image/png' },
  ],
  [
    'media at something that is no URL',
    { type: 'media', kind: 'video', source: { at: 'url', url: 'no url' }, size: 3 },
    { type: 'resource_link', uri: 'no url', name: 'video', size: 3 },
  ],
  [
    'a document',
    {
      type: 'media',
      kind: 'document',
      source: { at: 'inline', data },
      mimeType: 'application/pdf',
      filename: 'a b\ud800.pdf',
    },
    {
      type: 'resource',
      resource: { uri: 'attachment:///a%20b%EF%BF%BD.pdf', blob: data, mimeType: 'application/pdf' },
    },
  ],
  [
    'an image of an unknown type',
    { type: 'media', kind: 'image', source: { at: 'inline', data } },
    { type: 'resource', resource: { uri: 'attachment:///image', blob: data } },
  ],
  [
    "a provider's file",
    { type: 'media', kind: 'document', source: { at: 'file', file: 'file-1' }, filename: 'a.pdf' },
    { type: 'text', text: '[document a.pdf]' },
  ],
  [
    'a blob that is gone',
    { type: 'media', kind: 'image', source: { at: 'blob', blob: 'hash' } },
    { type: 'text', text: '[image]' },
  ],
  [
    'annotations of another door',
    { type: 'text', text: 'hi', annotations: { audience: ['everybody'], priority: 1, colour: 'red' } },
    { type: 'text', text: 'hi', annotations: { priority: 1 } },
  ],
  [
    'a diff',
    { type: 'diff', op: 'modify', path: '/a', patch: '-a\n+b' },
    { type: 'text', text: 'changes /a\n\n```diff\n-a\n+b\n```\n' },
  ],
  ['a move', { type: 'diff', op: 'move', oldPath: '/a', path: '/b' }, { type: 'text', text: 'moves /a to /b' }],
  ['a terminal', { type: 'terminal', id: 'term-1' }, undefined],
];

describe('a part', () => {
  it.each(parts)('%s is told', (_, part, block) => {
    const told = encodePart(part);
    expect(told).toEqual(block);
    if (told !== undefined) assertValid('ContentBlock', told);
  });

  const contents: [Part, acp.ToolCallContent][] = [
    [
      { type: 'text', text: 'hi' },
      { type: 'content', content: { type: 'text', text: 'hi' } },
    ],
    [
      { type: 'diff', op: 'add', path: '/a', newText: 'new' },
      { type: 'diff', path: '/a', oldText: null, newText: 'new' },
    ],
    [
      { type: 'diff', op: 'delete', path: '/a', oldText: 'old' },
      { type: 'diff', path: '/a', oldText: 'old', newText: '' },
    ],
    [
      { type: 'diff', op: 'modify', path: '/a', patch: '+b' },
      { type: 'content', content: { type: 'text', text: 'changes /a\n\n```diff\n+b\n```\n' } },
    ],
    [
      { type: 'terminal', id: 'term-1' },
      { type: 'terminal', terminalId: 'term-1' },
    ],
  ];
  it.each(contents)('of a tool call is told: %j', (part, content) => {
    expect(encodeToolContent(part)).toEqual(content);
    assertValid('ToolCallContent', content);
  });
});

describe('media that are kept apart', () => {
  const media = (blob: string): Part => ({ type: 'media', kind: 'image', source: { at: 'blob', blob } });
  const inline: Part = { type: 'media', kind: 'image', source: { at: 'inline', data } };
  const read = async (blob: string): Promise<string> => {
    if (blob === 'here') return data;
    throw new Fault(blob === 'gone' ? 'not-found' : 'store-failed', blob);
  };
  const eventOf = (body: EventBody): RunEvent => ({ ...body, seq: 1, atMs: 0, threadId: 't' });
  const message = (parts: Part[]): EventBody & { type: 'message.added' } => ({
    type: 'message.added',
    message: { id: 'm', seq: 1, role: 'user', actor: 'ada', parts },
  });

  it.each([
    [message([media('here'), { type: 'text', text: 'x' }]), message([inline, { type: 'text', text: 'x' }])],
    [
      { type: 'part.added', messageId: 'm', part: media('here') },
      { type: 'part.added', messageId: 'm', part: inline },
    ],
    [
      { type: 'tool.updated', id: 'c', content: [media('here')] },
      { type: 'tool.updated', id: 'c', content: [inline] },
    ],
    [
      { type: 'tool.result', id: 'c', messageId: 'x', status: 'ok', origin: 'agent', parts: [media('here')] },
      { type: 'tool.result', id: 'c', messageId: 'x', status: 'ok', origin: 'agent', parts: [inline] },
    ],
    [
      { type: 'artifact', id: 'a', append: false, last: true, parts: [media('here')] },
      { type: 'artifact', id: 'a', append: false, last: true, parts: [inline] },
    ],
  ] as [EventBody, EventBody][])('are read into an event: %j', async (before, after) => {
    expect(hasBlobs(eventOf(before))).toBe(true);
    expect(await withMedia(eventOf(before), read)).toEqual(eventOf(after));
    expect(hasBlobs(eventOf(after))).toBe(false);
  });

  it('are read into a message, and are named where they are gone', async () => {
    const stored = { id: 'm', role: 'user' as const, actor: 'ada', parts: [media('here'), media('gone')] };
    expect(hasBlobs(stored)).toBe(true);
    expect(await withMedia(stored, read)).toEqual({ ...stored, parts: [inline, media('gone')] });
    await expect(withMedia({ ...stored, parts: [media('broken')] }, read)).rejects.toThrow('broken');
  });

  it('are none in words', async () => {
    const event = eventOf({ type: 'text.delta', id: 't', delta: 'hi' });
    expect(hasBlobs(event)).toBe(false);
    expect(await withMedia(event, read)).toEqual(event);
  });
});
