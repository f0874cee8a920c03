import * as z from 'zod';

/** Any JSON value. */
export const Json: z.ZodType<Json> = z.any().refine(isJson, 'expected JSON');
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** A JSON object whose keys are open: callers' metadata, settings, vendor extensions. */
export const JsonObject = z.record(z.string(), Json);
export type JsonObject = { [key: string]: Json };

/** RFC 6902 operations; their members are open, as the RFC allows. https://www.rfc-editor.org/rfc/rfc6902 */
export const JsonPatch = z.array(
  z.looseObject({
    op: z.enum(['add', 'remove', 'replace', 'move', 'copy', 'test']),
    path: z.string(),
    from: z.string().optional(),
    value: Json.optional(),
  }),
);
export type JsonPatch = z.infer<typeof JsonPatch>;

function isJson(value: unknown): value is Json {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value);
    case 'object':
      return value === null || (Array.isArray(value) ? value : Object.values(value)).every(isJson);
    default:
      return false;
  }
}
