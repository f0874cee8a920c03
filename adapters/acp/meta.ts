// `_meta`, where ACP has room for what is between two implementations.
// https://agentclientprotocol.com/protocol/v1/extensibility
import type { JsonObject } from '../../schemas/json.ts';

export function asObject(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

/** The text under this name; undefined: there is none. */
export function metaOf(value: unknown, name: string): string | undefined {
  const found = asObject(asObject(value)['_meta'])[name];
  return typeof found === 'string' && found !== '' ? found : undefined;
}

export function withMeta(value: unknown, meta: JsonObject): JsonObject {
  const object = asObject(value);
  return { ...object, _meta: { ...asObject(object['_meta']), ...meta } };
}

/** Without what is Anyport's own. */
export function withoutMeta(value: unknown): unknown {
  const { _meta: meta, ...rest } = asObject(value);
  if (meta === undefined) return value;
  const others = Object.entries(asObject(meta)).filter(([name]) => !name.startsWith('anyport/'));
  return others.length === 0 ? rest : { ...rest, _meta: Object.fromEntries(others) };
}

/** The session that is named; empty: none is. */
export function sessionIn(value: unknown): string {
  const { sessionId } = asObject(value);
  return typeof sessionId === 'string' ? sessionId : '';
}
