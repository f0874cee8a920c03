import * as z from 'zod';
import { JsonObject, Json } from './json.ts';

const common = { metadata: JsonObject.optional(), annotations: JsonObject.optional() };

/**
 * Where a media part's bytes are: inline (base64), in the thread's content-addressed blobs (sha-256, hex), at a URL, or
 * behind a provider's own file handle, which is opaque and never fetched.
 */
export const MediaSource = z.discriminatedUnion('at', [
  z.object({ at: z.literal('inline'), data: z.string() }),
  z.object({ at: z.literal('blob'), blob: z.string() }),
  z.object({ at: z.literal('url'), url: z.string() }),
  z.object({ at: z.literal('file'), file: z.string(), provider: z.string().optional() }),
]);
export type MediaSource = z.infer<typeof MediaSource>;

export const MediaKind = z.enum(['image', 'audio', 'video', 'document']);
export type MediaKind = z.infer<typeof MediaKind>;

/** One piece of a message's, a tool result's or an artifact's content. */
export const Part = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string(), ...common }),
  z.object({
    type: z.literal('media'),
    kind: MediaKind,
    source: MediaSource,
    mimeType: z.string().optional(),
    filename: z.string().optional(),
    /** Bytes, where known. */
    size: z.number().int().nonnegative().optional(),
    ...common,
  }),
  z.object({ type: z.literal('data'), json: Json, ...common }),
  z.object({
    type: z.literal('link'),
    uri: z.string(),
    name: z.string(),
    title: z.string().optional(),
    description: z.string().optional(),
    mimeType: z.string().optional(),
    size: z.number().int().nonnegative().optional(),
    ...common,
  }),
  z.object({
    type: z.literal('resource'),
    uri: z.string(),
    mimeType: z.string().optional(),
    content: z.discriminatedUnion('as', [
      z.object({ as: z.literal('text'), text: z.string() }),
      z.object({ as: z.literal('blob'), data: z.string() }),
    ]),
    ...common,
  }),
  z.object({
    type: z.literal('diff'),
    path: z.string(),
    oldPath: z.string().optional(),
    oldText: z.string().optional(),
    newText: z.string().optional(),
    patch: z.string().optional(),
    op: z.enum(['add', 'modify', 'delete', 'move']),
    ...common,
  }),
  z.object({ type: z.literal('terminal'), id: z.string(), ...common }),
]);
export type Part = z.infer<typeof Part>;

/** The text of the parts, joined; other kinds contribute nothing. */
export function textOf(parts: readonly Part[]): string {
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}
