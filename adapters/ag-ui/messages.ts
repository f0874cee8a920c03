// Messages and content parts as AG-UI writes them. https://docs.ag-ui.com/spec/1.0/basic/messages
import type { ContentPart } from '@ag-ui/core';
import type { Message, ToolCall } from '../../schemas/message.ts';
import { textOf, type Part } from '../../schemas/part.ts';
import { isObject } from './field.ts';
import type { Profile } from './profile.ts';
import { type Lost, vendor, type WireMessage } from './wire.ts';

/** Blobs by id: their bytes as base64, or where to get them. What is not in it is written as a handle of ours. */
export type Blobs = ReadonlyMap<string, string | { readonly url: string }>;

export interface Wording {
  readonly profile: Profile;
  readonly lost: Lost;
  readonly blobs: Blobs;
}

type Snapshotted = Omit<Message, 'seq'>;
type WireToolCall = NonNullable<Extract<WireMessage, { role: 'assistant' }>['toolCalls']>[number];

/** A client knows its own messages by its own names; other protocols' names mean nothing here. */
export function wireId(message: Pick<Message, 'id' | 'clientId' | 'door'>): string {
  return message.door === 'ag-ui' ? (message.clientId ?? message.id) : message.id;
}

/** Undefined: a message that AG-UI has no form for. `encryptedValue` is restated: leaving it out would withdraw it. */
export function encodeMessage(message: Snapshotted, wording: Wording): WireMessage | undefined {
  const { role, parts, name, encrypted, metadata } = message;
  const encryptedValue = encrypted?.value;
  const common = { id: wireId(message), encryptedValue, metadata };
  switch (role) {
    case 'user':
      return { ...common, role, name, content: encodeUserContent(parts, wording) };
    case 'assistant': {
      const toolCalls = message.toolCalls?.map(encodeToolCall);
      const text = textOf(parts);
      return { ...common, role, name, content: text === '' && toolCalls !== undefined ? undefined : text, toolCalls };
    }
    case 'tool': {
      const { toolCallId, error } = message;
      if (toolCallId === undefined) return undefined;
      return { ...common, role, toolCallId, error, content: encodeToolContent(parts, error, wording) };
    }
    case 'system':
    case 'developer':
      return { ...common, role, name, content: textOf(parts) };
    case 'reasoning':
      return { ...common, role, content: textOf(parts) };
    case 'activity': {
      const shown = encodeActivity(message, wording);
      return shown === undefined ? undefined : { id: common.id, metadata, role, ...shown };
    }
  }
}

function encodeActivity(
  { activity, parts }: Snapshotted,
  { blobs }: Wording,
): { activityType: string; content: Record<string, unknown> } | undefined {
  const [only] = parts;
  const json = only?.type === 'data' ? only.json : undefined;
  switch (activity?.shows) {
    case 'plan':
      return { activityType: planType, content: { entries: json } };
    case 'artifact': {
      const { name, description, isComplete } = activity;
      return {
        activityType: artifactType,
        content: { name, description, parts: encodeParts(parts, blobs), isComplete },
      };
    }
    case 'activity':
      return isObject(json) ? { activityType: activity.activityType, content: { ...json } } : undefined;
    case undefined:
      return undefined;
  }
}

/** What AG-UI has no event for. */
export const planType = 'anyport:plan';
export const artifactType = 'anyport:artifact';

function encodeToolCall({ id, name, args, encrypted }: ToolCall): WireToolCall {
  const call: WireToolCall = { id, type: 'function', function: { name, arguments: args } };
  return encrypted === undefined ? call : { ...call, encryptedValue: encrypted.value };
}

/** What a string says as well as parts do; undefined where it would read back as other parts. */
export function plainText(parts: readonly Part[]): string | undefined {
  const [only, second] = parts;
  if (only?.type !== 'text' || second !== undefined || only.metadata !== undefined) return undefined;
  return only.text === '' ? undefined : only.text;
}

/** Read again, it is what it was: a client's whole copy is held against the thread. */
function encodeUserContent(parts: readonly Part[], { profile, lost, blobs }: Wording): string | ContentPart[] {
  if (parts.length === 0) return '';
  return plainText(parts) ?? profile.userParts(encodeParts(parts, blobs), lost);
}

/** A failed call that said nothing but why shows why. */
export function encodeToolContent(
  parts: readonly Part[],
  error: string | undefined,
  { profile, lost, blobs }: Wording,
): string | ContentPart[] {
  return parts.length === 0 && error !== undefined ? error : profile.toolContent(encodeParts(parts, blobs), lost);
}

export function encodeParts(parts: readonly Part[], blobs: Blobs): ContentPart[] {
  return parts.flatMap((part) => encodePart(part, blobs) ?? []);
}

/** Undefined: what only its own client can resolve. */
export function encodePart(part: Part, blobs: Blobs): ContentPart | undefined {
  const { metadata } = part;
  switch (part.type) {
    case 'text':
      return { type: 'text', text: part.text, metadata };
    case 'media': {
      const { kind, filename } = part;
      const described = filename === undefined ? metadata : { ...metadata, filename };
      return { type: kind, source: encodeSource(part, blobs), metadata: described };
    }
    case 'data':
      return { type: 'text', text: JSON.stringify(part.json), metadata };
    case 'link': {
      const { uri, mimeType, name, title, description } = part;
      const source = { type: 'url' as const, value: uri, ...(mimeType === undefined ? {} : { mimeType }) };
      return { type: 'document', source, metadata: { ...metadata, filename: name, title, description } };
    }
    case 'resource': {
      const { content, uri, mimeType = 'application/octet-stream' } = part;
      const described = { ...metadata, uri };
      if (content.as === 'text') return { type: 'text', text: content.text, metadata: described };
      return { type: 'document', source: { type: 'data', value: content.data, mimeType }, metadata: described };
    }
    case 'diff': {
      const { path, oldPath, op, patch, oldText, newText } = part;
      const text = patch ?? JSON.stringify({ oldText, newText });
      return { type: 'text', text, metadata: { ...metadata, path, oldPath, op } };
    }
    case 'terminal':
      return undefined;
  }
}

type WireSource = Extract<ContentPart, { type: 'image' }>['source'];

function encodeSource(part: Extract<Part, { type: 'media' }>, blobs: Blobs): WireSource {
  const { source } = part;
  const mimeType = part.mimeType === undefined ? {} : { mimeType: part.mimeType };
  const inline = (value: string): WireSource => ({
    type: 'data',
    value,
    mimeType: part.mimeType ?? 'application/octet-stream',
  });
  switch (source.at) {
    case 'inline':
      return inline(source.data);
    case 'blob': {
      const found = blobs.get(source.blob);
      if (found === undefined) return { type: 'file', value: source.blob, provider: vendor, ...mimeType };
      return typeof found === 'string' ? inline(found) : { type: 'url', value: found.url, ...mimeType };
    }
    case 'url':
      return { type: 'url', value: source.url, ...mimeType };
    case 'file': {
      const provider = source.provider === undefined ? {} : { provider: source.provider };
      return { type: 'file', value: source.file, ...provider, ...mimeType };
    }
  }
}
