// AG-UI messages and their content, as a client sends them. https://docs.ag-ui.com/spec/1.0/basic/run-input
import type { JsonObject } from '../../schemas/json.ts';
import type { MessageInput, Role, ToolCall } from '../../schemas/message.ts';
import type { MediaKind, MediaSource, Part } from '../../schemas/part.ts';
import { type Field, isObject } from './field.ts';
import { vendor } from './wire.ts';

const common = ['id', 'role', 'subagentRunId', 'metadata'];
const members = {
  developer: new Set([...common, 'content', 'name', 'encryptedValue']),
  system: new Set([...common, 'content', 'name', 'encryptedValue']),
  assistant: new Set([...common, 'content', 'name', 'encryptedValue', 'toolCalls']),
  user: new Set([...common, 'content', 'name', 'encryptedValue']),
  tool: new Set([...common, 'content', 'toolCallId', 'error', 'encryptedValue']),
  activity: new Set([...common, 'activityType', 'content']),
  reasoning: new Set([...common, 'content', 'encryptedValue']),
} as const satisfies Record<Role, ReadonlySet<string>>;
const toolCallMembers = new Set(['id', 'type', 'function', 'encryptedValue', 'metadata']);
const functionMembers = new Set(['name', 'arguments']);
const textMembers = new Set(['type', 'id', 'text', 'metadata']);
const mediaMembers = new Set(['type', 'id', 'source', 'metadata']);
const sourceMembers = new Set(['type', 'value', 'mimeType', 'provider']);
const binaryMembers = new Set(['type', 'id', 'mimeType', 'data', 'url', 'filename', 'metadata']);

const mediaKinds: ReadonlySet<unknown> = new Set<MediaKind>(['image', 'audio', 'video', 'document']);

/** Undefined: a message that is not for the agent, or that we do not know, set aside with a warning. */
export function decodeMessage(field: Field): MessageInput | undefined {
  const role = field.at('role').string();
  if (!isRole(role)) {
    field.at('role').warn('is not known; the message is left out');
    return undefined;
  }
  field.warnOfOthers(members[role]);
  const id = messageId(field.at('id'));
  const subagentId = field.at('subagentRunId').optional((tag) => tag.string());
  const metadata = field.at('metadata').optional((data) => data.jsonObject());
  if (role === 'activity') {
    field.at('activityType').string();
    field.at('content').object();
    field.warn('is an activity, which is the client’s own display; left out');
    return undefined;
  }
  return { id, role, ...decodeContent(field, role), subagentId, encrypted: encrypted(field), metadata };
}

type Content = Pick<MessageInput, 'name' | 'parts' | 'toolCalls' | 'toolCallId' | 'error'>;

function decodeContent(field: Field, role: Exclude<Role, 'activity'>): Content {
  const content = field.at('content');
  switch (role) {
    case 'user':
      return { name: senderName(field), parts: decodeParts(content) };
    case 'tool': {
      const error = field.at('error').optional((why) => why.string());
      return { parts: decodeParts(content), toolCallId: field.at('toolCallId').id(), error };
    }
    case 'assistant': {
      const parts = content.optional((said) => text(said.string())) ?? [];
      const toolCalls = field.at('toolCalls').optional((calls) => calls.list().map(decodeToolCall));
      return { name: senderName(field), parts, toolCalls };
    }
    case 'developer':
    case 'system':
      return { name: senderName(field), parts: text(content.string()) };
    case 'reasoning':
      return { parts: text(content.string()) };
  }
}

function isRole(role: string): role is Role {
  return Object.hasOwn(members, role);
}

/** Any text is an id in AG-UI; an empty one names nothing here. */
function messageId(field: Field): string | undefined {
  if (field.value !== '') return field.id();
  field.warn('is empty; the message gets an id');
  return undefined;
}

function senderName(field: Field): string | undefined {
  return field.at('name').optional((value) => value.string());
}

function encrypted(field: Field): MessageInput['encrypted'] {
  return field.at('encryptedValue').optional((value) => ({ value: value.string() }));
}

function text(value: string): Part[] {
  return value === '' ? [] : [{ type: 'text', text: value }];
}

function decodeToolCall(field: Field): ToolCall {
  field.warnOfOthers(toolCallMembers);
  field.at('type').oneOf(['function']);
  field.at('metadata').optional((data) => data.object());
  const called = field.at('function');
  called.warnOfOthers(functionMembers);
  const call = { id: field.at('id').id(), name: called.at('name').string(), args: called.at('arguments').string() };
  return { ...call, encrypted: encrypted(field) };
}

function decodeParts(content: Field): Part[] {
  if (typeof content.value === 'string') return text(content.value);
  const parts = content.list();
  return parts.flatMap((part) => decodePart(part, parts) ?? []);
}

function decodePart(field: Field, siblings: readonly Field[]): Part | undefined {
  const type = field.at('type').string();
  if (type === 'text') {
    field.warnOfOthers(textMembers);
    return { type: 'text', text: field.at('text').string(), metadata: partMetadata(field) };
  }
  if (type === 'binary') return decodeBinary(field, siblings);
  if (!isMediaKind(type)) {
    field.warn(`is of the unknown type ${JSON.stringify(type.slice(0, 64))}; left out`);
    return undefined;
  }
  field.warnOfOthers(mediaMembers);
  const source = decodeSource(field.at('source'));
  if (source === undefined) return undefined;
  return { type: 'media', kind: type, ...source, ...splitFilename(partMetadata(field)) };
}

type Source = Pick<Extract<Part, { type: 'media' }>, 'source' | 'mimeType'>;

function decodeSource(field: Field): Source | undefined {
  const type = field.at('type').string();
  const value = (): string => field.at('value').string();
  const mimeType = (): string | undefined => field.at('mimeType').optional((mime) => mime.string());
  switch (type) {
    case 'data':
      field.warnOfOthers(sourceMembers);
      return { source: { at: 'inline', data: value() }, mimeType: field.at('mimeType').string() };
    case 'url':
      field.warnOfOthers(sourceMembers);
      return { source: { at: 'url', url: value() }, mimeType: mimeType() };
    case 'file':
      field.warnOfOthers(sourceMembers);
      return { source: fileSource(field, value()), mimeType: mimeType() };
    default:
      field.warn(`is of the unknown type ${JSON.stringify(type.slice(0, 64))}; its part is left out`);
      return undefined;
  }
}

/** A handle of ours comes back from a snapshot that was too large for the bytes themselves. */
function fileSource(field: Field, value: string): MediaSource {
  const provider = field.at('provider').optional((name) => name.string());
  if (provider === vendor) return { at: 'blob', blob: value };
  return { at: 'file', file: value, provider };
}

/** The `binary` part of clients up to 0.0.47; they may send its modern form beside it. */
function decodeBinary(field: Field, siblings: readonly Field[]): Part | undefined {
  field.warnOfOthers(binaryMembers);
  const mimeType = field.at('mimeType').string();
  const [data, url, id, filename] = ['data', 'url', 'id', 'filename'].map((key) =>
    field.at(key).optional((member) => member.string()),
  );
  const value = data ?? url ?? id;
  if (value === undefined) field.refuse('has neither data, url nor id');
  const kind = kindOf(mimeType);
  if (siblings.some((sibling) => isModernForm(sibling.value, { kind, value, mimeType }))) return undefined;
  return { type: 'media', kind, source: binarySource({ data, url, value }), mimeType, filename };
}

function binarySource(from: { data: string | undefined; url: string | undefined; value: string }): MediaSource {
  if (from.data !== undefined) return { at: 'inline', data: from.data };
  return from.url === undefined ? { at: 'file', file: from.value } : { at: 'url', url: from.url };
}

function isModernForm(part: unknown, of: { kind: MediaKind; value: string; mimeType: string }): boolean {
  if (!isObject(part) || part['type'] !== of.kind) return false;
  const source = part['source'];
  return isObject(source) && source['value'] === of.value && source['mimeType'] === of.mimeType;
}

function kindOf(mimeType: string): MediaKind {
  const [kind] = mimeType.split('/', 1);
  return isMediaKind(kind) && kind !== 'document' ? kind : 'document';
}

function isMediaKind(kind: unknown): kind is MediaKind {
  return mediaKinds.has(kind);
}

/** A part's metadata may be any JSON in AG-UI. */
function partMetadata(field: Field): JsonObject | undefined {
  field.at('id').optional((id) => id.string());
  return field.at('metadata').optional((data) => (isObject(data.value) ? data.jsonObject() : { value: data.json() }));
}

/** AG-UI has no place of its own for a file's name; by convention it is in the metadata. */
function splitFilename(given: JsonObject | undefined): { filename?: string; metadata?: JsonObject | undefined } {
  const { filename, ...metadata } = given ?? {};
  if (typeof filename !== 'string') return { metadata: given };
  return Object.keys(metadata).length === 0 ? { filename } : { filename, metadata };
}
