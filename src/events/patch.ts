import * as rfc6902 from 'rfc6902';
import type { Json, JsonPatch } from '../../schemas/json.ts';
import { Fault } from '../fault.ts';

/** The value after an RFC 6902 patch: all of it or nothing; the given value is not changed. @throws Fault `agent-protocol` */
export function applyPatch(value: Json, patch: JsonPatch): Json {
  const malformed = patch.flatMap(({ path, from = '' }) => [path, from]).find((pointer) => !/^(\/|$)/.test(pointer));
  if (malformed !== undefined) throw new Fault('agent-protocol', `${malformed} is no JSON Pointer`);
  const holder = { value: structuredClone(value) };
  const operations = patch.map((operation) => ({
    ...operation,
    path: `/value${operation.path}`,
    ...(operation.from === undefined ? {} : { from: `/value${operation.from}` }),
  })) as rfc6902.Patch;
  const failed = rfc6902.applyPatch(holder, operations).find((error) => error !== null);
  if (failed !== undefined) throw new Fault('agent-protocol', `the state patch does not apply: ${failed.message}`);
  return holder.value;
}
