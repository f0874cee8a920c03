// Parts of messages and artifacts. https://a2a-protocol.org/v1.0.1/specification/#416-part
import type { Part as WirePart } from '@a2a-js/sdk';
import type { Json, JsonObject } from '../../schemas/json.ts';
import type { MediaKind, Part } from '../../schemas/part.ts';

type Content = NonNullable<WirePart['content']>;

export function textPart(text: string): WirePart {
  return wirePart({ $case: 'text', value: text });
}

export function dataPart(value: Json): WirePart {
  return wirePart({ $case: 'data', value }, { mediaType: 'application/json' });
}

function wirePart(
  content: Content,
  about: { filename?: string | undefined; mediaType?: string | undefined; metadata?: JsonObject | undefined } = {},
): WirePart {
  const { filename = '', mediaType = '', metadata } = about;
  return { content, filename, mediaType, metadata };
}

/** Undefined for a part that holds nothing. */
export function decodePart({ content, filename, mediaType, metadata }: WirePart): Part | undefined {
  const common: { metadata?: JsonObject } = metadata === undefined ? {} : { metadata };
  const named = {
    ...(mediaType === '' ? {} : { mimeType: mediaType }),
    ...(filename === '' ? {} : { filename }),
    ...common,
  };
  switch (content?.$case) {
    case undefined:
      return undefined;
    case 'text':
      return { type: 'text', text: content.value, ...common };
    case 'data':
      return { type: 'data', json: (content.value ?? null) as Json, ...common };
    case 'raw': {
      const data = Buffer.from(content.value).toString('base64');
      return { type: 'media', kind: kindOf(mediaType), source: { at: 'inline', data }, ...named };
    }
    case 'url':
      return { type: 'media', kind: kindOf(mediaType), source: { at: 'url', url: content.value }, ...named };
  }
}

function kindOf(mediaType: string): MediaKind {
  const [type] = mediaType.split('/', 1);
  return type === 'image' || type === 'audio' || type === 'video' ? type : 'document';
}

/** What has no form of its own in A2A goes as data. */
export function encodePart(part: Part): WirePart {
  const { metadata } = part;
  switch (part.type) {
    case 'text':
      return wirePart({ $case: 'text', value: part.text }, { metadata });
    case 'data':
      return wirePart({ $case: 'data', value: part.json }, { mediaType: 'application/json', metadata });
    case 'media':
      return encodeMedia(part);
    case 'link':
      return wirePart({ $case: 'url', value: part.uri }, { filename: part.name, mediaType: part.mimeType, metadata });
    case 'resource': {
      const about = { filename: part.uri, mediaType: part.mimeType, metadata };
      return part.content.as === 'text'
        ? wirePart({ $case: 'text', value: part.content.text }, about)
        : wirePart({ $case: 'raw', value: Buffer.from(part.content.data, 'base64') }, about);
    }
    case 'diff':
    case 'terminal': {
      const { metadata: _, ...json } = part;
      return wirePart({ $case: 'data', value: json }, { mediaType: 'application/json', metadata });
    }
  }
}

/** Bytes that are kept apart, or are behind a provider's own handle, are named and not carried. */
function encodeMedia({ source, mimeType: mediaType, filename, metadata }: Part & { type: 'media' }): WirePart {
  const about = { mediaType, filename, metadata };
  switch (source.at) {
    case 'inline':
      return wirePart({ $case: 'raw', value: Buffer.from(source.data, 'base64') }, about);
    case 'url':
      return wirePart({ $case: 'url', value: source.url }, about);
    case 'blob':
    case 'file':
      return wirePart({ $case: 'data', value: { type: 'media', source } }, { filename, metadata });
  }
}
