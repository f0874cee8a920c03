import type { IncomingMessage } from 'node:http';
import * as z from 'zod';
import { Fault } from '../../fault.ts';
import { hasBody, isJson, readJson } from '../../json-body.ts';
import { HttpFault } from '../../problem.ts';
import type { Call, Endpoint } from './endpoint.ts';
import { assertSound } from './json-bounds.ts';

/** One request as it arrived. */
export interface Asked {
  readonly request: IncomingMessage;
  /** Decoded. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly query: URLSearchParams;
}

/**
 * The parts of a request, as an endpoint's schemas give them. The body is read last: what is wrong otherwise is said
 * without it.
 * @throws Fault `invalid-request` with the path of the first thing that is wrong; `too-large`
 */
export async function decodeCall(
  endpoint: Endpoint,
  { request, params, query }: Asked,
  maxBodyBytes: number,
): Promise<Pick<Call, 'params' | 'query' | 'headers' | 'body'>> {
  return {
    params: parse(endpoint.params, { ...params }),
    query: parse(endpoint.query, valuesOf(query)),
    headers: parse(endpoint.headers, namedHeaders(endpoint.headers, request)),
    body: parse(endpoint.body ?? noBody, await readBody(request, maxBodyBytes)),
  };
}

const noBody = z.strictObject({});

/** A parameter that stands there twice is a list, which none may be. */
function valuesOf(query: URLSearchParams): Record<string, unknown> {
  const names = [...new Set(query.keys())];
  return Object.fromEntries(
    names.map((name) => {
      const values = query.getAll(name);
      return [name, values.length === 1 ? values[0] : values];
    }),
  );
}

function namedHeaders({ shape }: z.ZodObject, { headers }: IncomingMessage): Record<string, unknown> {
  const names = Object.keys(shape).filter((name) => headers[name.toLowerCase()] !== undefined);
  return Object.fromEntries(names.map((name) => [name, headers[name.toLowerCase()]]));
}

async function readBody(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const { headers } = request;
  if (!hasBody(request)) return {};
  if (!isJson(headers['content-type'])) {
    throw new HttpFault(415, 'invalid-request', 'the body must be application/json');
  }
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') {
    throw new HttpFault(415, 'invalid-request', 'the body must not be compressed');
  }
  const body = await readJson(request, maxBytes);
  assertSound(body);
  return body;
}

function parse(schema: z.ZodType, value: unknown): unknown {
  const result = schema.safeParse(value);
  if (!result.success) throw faultOf(result.error.issues[0]);
  const unknown = findDropped(value, result.data, []);
  if (unknown !== undefined) throw refusal(unknown, 'is not known');
  return result.data;
}

function faultOf(issue: z.core.$ZodIssue | undefined): Fault {
  if (issue === undefined) return refusal([], 'is not as it must be');
  if (issue.code === 'unrecognized_keys') return refusal([...issue.path, issue.keys[0] ?? ''], 'is not known');
  return refusal(issue.path, issue.message);
}

function refusal(keys: readonly PropertyKey[], message: string): Fault {
  const path = z.core.toDotPath(keys);
  if (path === '') return new Fault('invalid-request', message);
  return new Fault('invalid-request', `${path}: ${message}`, { path });
}

/**
 * The first member that a schema left out: what records may keep for later, a caller must not say in vain. Where a
 * schema makes something else of a value, its members are the schema's own.
 */
function findDropped(value: unknown, kept: unknown, path: readonly PropertyKey[]): readonly PropertyKey[] | undefined {
  if (value === kept || typeof value !== 'object' || value === null) return undefined;
  if (typeof kept !== 'object' || kept === null) return undefined;
  for (const [key, member] of Object.entries(value)) {
    const at = [...path, Array.isArray(value) ? Number(key) : key];
    if (!Object.hasOwn(kept, key)) return at;
    const found = findDropped(member, (kept as Record<string, unknown>)[key], at);
    if (found !== undefined) return found;
  }
  return undefined;
}
