import type { OpenApiDocument, Operation, Schema } from '../../src/server/control/openapi.ts';
import { Random } from './random.ts';

export interface Made {
  readonly operation: Operation;
  /** In capitals. */
  readonly method: string;
  /** Under `/v1`. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Of an operation that takes one. */
  readonly body: unknown;
}

/** What names of this kind look like where the gateway gives them. */
const looks: Readonly<Record<string, RegExp>> = {
  runId: /^run_/,
  expectedRunId: /^run_/,
  ticketId: /^tkt_/,
  activationId: /^control:/,
  activationIds: /^control:/,
  after: /^log_\w+\.\d+$/,
  'Last-Event-ID': /^log_\w+\.\d+$/,
  cursor: /^(log|run|tkt|itm|msg)_|^\d{15}:/,
  base: /^(itm|msg)_/,
  at: /^(itm|msg)_/,
  head: /^(itm|msg)_/,
};
const threads = ['t', 'a/b', 'ü', '%41', '...'];
const words = ['hello', 'ask', 'fail', 'hold'];
const nonsense = [null, -1, 0, 1.5, 1e300, '', '..', 'x'.repeat(600), '\u0000', '\ud800', [], [[]], {}, true];

/** Requests as an OpenAPI document says that they are, and such that are a little wrong. It learns names from answers. */
export class RequestMaker {
  readonly #random: Random;
  readonly #document: OpenApiDocument;
  readonly #operations: readonly { readonly method: string; readonly path: string; readonly operation: Operation }[];
  readonly #names = new Set<string>();

  constructor(document: OpenApiDocument, seed: number) {
    this.#document = document;
    this.#random = new Random(seed);
    this.#operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
    );
  }

  next(): Made {
    const submits = this.#random.below(4) === 0;
    const { method, path, operation } = submits ? this.#named('submitRun') : this.#random.pick(this.#operations);
    const query = new URLSearchParams();
    const headers: Record<string, string> = {};
    let target = path.slice('/v1'.length);
    for (const parameter of operation.parameters ?? []) {
      const { name, in: where, schema } = parameter;
      const value = String(name === 'timeoutMs' ? 1 : this.#spoilt(this.#valueOf(schema, name, 0)));
      if (where === 'path') target = target.replace(`{${name}}`, encodeURIComponent(wellFormed(value) || 'none'));
      else if (name === 'timeoutMs' || this.#random.below(3) === 0) {
        if (where === 'query') query.set(name, wellFormed(value));
        else if (/^[!-~]+$/.test(value)) headers[name] = value;
      }
    }
    const schema = operation.requestBody?.content['application/json']?.schema;
    const body = schema === undefined ? undefined : this.#spoilt(this.#valueOf(schema, '', 0));
    return { operation, method, path: query.size === 0 ? target : `${target}?${query.toString()}`, headers, body };
  }

  /** Remembers what an answer names. */
  learn(answer: unknown): void {
    if (typeof answer === 'string' && Object.values(looks).some((look) => look.test(answer))) this.#names.add(answer);
    else if (typeof answer === 'object' && answer !== null) for (const one of Object.values(answer)) this.learn(one);
  }

  #named(operationId: string) {
    const found = this.#operations.find(({ operation }) => operation.operationId === operationId);
    if (found === undefined) throw new Error(`there is no operation ${operationId}`);
    return found;
  }

  #valueOf(given: Schema, name: string, depth: number): unknown {
    const schema = this.#resolved(given);
    const { type, properties = {}, required = [] } = schema;
    if ('const' in schema) return schema.const;
    if (schema.enum !== undefined) return this.#random.pick(schema.enum);
    const choices = (schema.oneOf ?? schema.anyOf) as readonly Schema[] | undefined;
    if (choices !== undefined)
      return this.#valueOf(depth > 6 ? (choices[0] ?? {}) : this.#random.pick(choices), name, depth + 1);
    switch (type) {
      case 'string':
        return this.#textFor(name);
      case 'integer':
      case 'number':
        return Math.max(schema.minimum ?? 0, 0) + this.#random.below(5);
      case 'boolean':
        return this.#random.below(2) === 0;
      case 'array': {
        const items = Array.from({ length: (schema.minItems ?? 0) + this.#random.below(2) });
        return items.map(() => this.#valueOf(schema.items as Schema, name, depth + 1));
      }
      case 'object': {
        const isMeant = (key: string): boolean => required.includes(key) || this.#random.below(4) === 0;
        const members = Object.entries(properties).filter(([key]) => isMeant(key));
        return Object.fromEntries(members.map(([key, value]) => [key, this.#valueOf(value as Schema, key, depth + 1)]));
      }
      default:
        return this.#random.pick([null, 1, 'any', { a: [true] }]);
    }
  }

  #resolved(schema: Schema): Schema {
    const name = schema.$ref?.split('/').at(-1);
    return name === undefined ? schema : (this.#document.components.schemas[name] ?? {});
  }

  #textFor(name: string): string {
    const look = looks[name];
    const known = look === undefined ? [] : [...this.#names].filter((one) => look.test(one)).slice(-20);
    if (known.length > 0) return this.#random.pick(known);
    return this.#random.pick(
      name === 'threadId' || name === 'id' ? threads : name === 'agentId' ? ['scripted'] : words,
    );
  }

  /** One in four has something wrong somewhere, or something more. */
  #spoilt(value: unknown): unknown {
    return this.#random.below(4) === 0 ? this.#spoil(value) : value;
  }

  #spoil(value: unknown): unknown {
    const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
    if (keys.length === 0 || this.#random.below(4) === 0) return this.#random.pick(nonsense);
    const key = this.#random.below(4) === 0 ? 'more' : this.#random.pick(keys);
    if (Array.isArray(value))
      return value.map((one, index) => (String(index) === key ? this.#spoil(one) : (one as unknown)));
    const members = value as Readonly<Record<string, unknown>>;
    return { ...members, [key]: this.#spoil(members[key]) };
  }
}

function wellFormed(text: string): string {
  return text.replaceAll(/\p{Cs}/gu, '');
}
