// OpenAPI 3.1: https://spec.openapis.org/oas/v3.1.1.html
import * as z from 'zod';
import { type FaultCode, faults } from '../../../schemas/fault.ts';
import { manifest } from '../../manifest.ts';
import { isPassing, statusOf } from '../../problem.ts';
import { components } from './components.ts';
import type { Answer, Endpoint, Method } from './endpoint.ts';

/** JSON Schema 2020-12, as far as `z.toJSONSchema` writes it. */
export type Schema = z.core.JSONSchema.BaseSchema;

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly description?: string;
  readonly schema: Schema;
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>;

export interface Response {
  readonly description: string;
  readonly headers?: Readonly<Record<string, { readonly description: string; readonly schema: Schema }>>;
  readonly content?: Content;
}

export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, Response>>;
}

export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Partial<Record<Method, Operation>>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly securitySchemes: object;
  };
  readonly security: readonly object[];
}

const description = [
  'Threads, runs, requests, questions and events of this gateway.',
  'Members that are not listed are refused in requests, and may appear in answers.',
  'A refusal is `application/problem+json`; its `code` is stable.',
  'A token is needed where the gateway has any.',
].join(' ');

/** The document of a table of endpoints. */
export function openApiOf(endpoints: readonly Endpoint[]): OpenApiDocument {
  const schemas = new Schemas(endpoints);
  const paths: Record<string, Partial<Record<Method, Operation>>> = {};
  for (const endpoint of endpoints) {
    paths[endpoint.path] = { ...paths[endpoint.path], [endpoint.method]: operationOf(endpoint, schemas) };
  }
  return {
    openapi: '3.1.1',
    info: { title: 'Anyport control API', version: manifest.version, description },
    tags: [...new Set(endpoints.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: schemas.named,
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
    // Either: nobody is asked for a token where none is configured.
    security: [{ token: [] }, {}],
  };
}

function operationOf(endpoint: Endpoint, schemas: Schemas): Operation {
  const { operationId, tag, summary, description: more, params, query, headers, body, answers } = endpoint;
  const parameters = [
    ...parametersOf('path', schemas.input(params)),
    ...parametersOf('query', schemas.input(query)),
    ...parametersOf('header', schemas.input(headers)),
  ];
  const successes = Object.entries(answers).map(([status, answer]) => [status, responseOf(answer, schemas)] as const);
  return {
    operationId,
    tags: [tag],
    summary,
    ...(more !== undefined && { description: more }),
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && {
      requestBody: {
        required: !body.safeParse({}).success,
        content: { 'application/json': { schema: schemas.input(body) } },
      },
    }),
    responses: { ...Object.fromEntries(successes), ...refusalsOf(endpoint) },
  };
}

function parametersOf(where: Parameter['in'], { properties = {}, required = [] }: Schema): Parameter[] {
  return Object.entries(properties).map(([name, property]) => {
    const { description: what, ...schema } = property as Schema;
    const isRequired = where === 'path' || required.includes(name);
    return { name, in: where, required: isRequired, ...(what !== undefined && { description: what }), schema };
  });
}

function responseOf({ what, body, stream, type, headers }: Answer, schemas: Schemas): Response {
  const content: Record<string, { schema: Schema }> = {};
  if (body !== undefined) content['application/json'] = { schema: schemas.output(body) };
  if (type !== undefined) content[type] = { schema: { type: 'string' } };
  if (stream !== undefined) {
    const data = schemas.output(stream);
    content['text/event-stream'] = {
      schema: { type: 'string', contentMediaType: 'application/json', contentSchema: data },
    };
  }
  const names = Object.entries(headers ?? {}).map(
    ([name, says]) => [name, { description: says, schema: { type: 'string' } }] as const,
  );
  return {
    description: what,
    ...(names.length > 0 && { headers: Object.fromEntries(names) }),
    ...(Object.keys(content).length > 0 && { content }),
  };
}

/** What any request may meet. */
const everywhere = [
  'invalid-request',
  'unauthenticated',
  'forbidden',
  'store-failed',
  'shutting-down',
  'record-unreadable',
  'internal',
] as const satisfies readonly FaultCode[];

function refusalsOf({ faults: own, statuses, body }: Endpoint): Record<string, Response> {
  const byStatus = new Map<number, string[]>();
  const add = (status: number, what: string): void => {
    byStatus.set(status, [...(byStatus.get(status) ?? []), what]);
  };
  const withBody: readonly FaultCode[] = body === undefined ? [] : ['too-large'];
  for (const code of new Set([...everywhere, ...withBody, ...own])) {
    add(statusOf(code, statuses), `\`${code}\`: ${faults[code].what}.`);
  }
  if (body !== undefined) add(415, '`invalid-request`: the body is not `application/json`.');
  return Object.fromEntries([...byStatus].map(([status, codes]) => [status, refusalOf(status, codes)]));
}

function refusalOf(status: number, codes: readonly string[]): Response {
  const seconds = { description: 'How many seconds to wait.', schema: { type: 'integer' } } as const;
  return {
    description: codes.join(' '),
    ...(isPassing(status) && { headers: { 'Retry-After': seconds } }),
    content: { 'application/problem+json': { schema: { $ref: refTo('Problem') } } },
  };
}

function refTo(name: string): string {
  return `#/components/schemas/${name}`;
}

/** The JSON Schemas of a table, as its callers write what goes in and read what comes out. */
class Schemas {
  /** Those with a name, which the others refer to. */
  readonly named: Readonly<Record<string, Schema>>;
  readonly #inputs: Converted;
  readonly #outputs: Converted;

  constructor(endpoints: readonly Endpoint[]) {
    this.#inputs = convert(endpoints.flatMap(requestSchemas), 'input');
    this.#outputs = convert(endpoints.flatMap(answerSchemas), 'output');
    this.named = Object.fromEntries(
      Object.entries(components).map(([name, [schema, what]]) => [
        name,
        { description: what, ...this.#same(schema, name) },
      ]),
    );
  }

  input(schema: z.ZodType): Schema {
    return refOf(schema) ?? this.#inputs.get(schema) ?? {};
  }

  output(schema: z.ZodType): Schema {
    return refOf(schema) ?? this.#outputs.get(schema) ?? {};
  }

  /** A name stands for one thing, whichever way it goes. */
  #same(schema: z.ZodType, name: string): Schema {
    const output = this.#outputs.get(schema) ?? {};
    if (JSON.stringify(output) === JSON.stringify(this.#inputs.get(schema))) return output;
    throw new TypeError(`${name} differs between requests and answers: it needs two names`);
  }
}

type Converted = ReadonlyMap<z.ZodType, Schema>;

const nameOf: ReadonlyMap<z.ZodType, string> = new Map(
  Object.entries(components).map(([name, [schema]]) => [schema, name]),
);

function refOf(schema: z.ZodType): Schema | undefined {
  const name = nameOf.get(schema);
  return name === undefined ? undefined : { $ref: refTo(name) };
}

function requestSchemas({ params, query, headers, body }: Endpoint): z.ZodType[] {
  return body === undefined ? [params, query, headers] : [params, query, headers, body];
}

function answerSchemas({ answers }: Endpoint): z.ZodType[] {
  return Object.values(answers).flatMap(({ body, stream }) => [body, stream].filter((schema) => schema !== undefined));
}

/** These schemas, and those with a name. */
function convert(schemas: readonly z.ZodType[], io: 'input' | 'output'): Converted {
  const registry = z.registry<{ id: string }>();
  const ids = new Map<z.ZodType, string>();
  for (const [id, [schema]] of Object.entries(components)) {
    registry.add(schema, { id });
    ids.set(schema, id);
  }
  for (const schema of schemas) {
    if (ids.has(schema)) continue;
    const id = `#${ids.size}`;
    registry.add(schema, { id });
    ids.set(schema, id);
  }
  const converted = z.toJSONSchema(registry, { io, uri: refTo, override: openAnswers }).schemas;
  return new Map([...ids].map(([schema, id]) => [schema, withoutAddress(converted[id] ?? {})]));
}

function withoutAddress(schema: Schema): Schema {
  const { $schema: _, $id: __, ...rest } = schema;
  return rest;
}

/** An object that is not strict may get further members one day. */
function openAnswers({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: Schema }): void {
  if (zodSchema instanceof z.ZodObject && zodSchema.def.catchall === undefined) {
    delete jsonSchema.additionalProperties;
  }
}
