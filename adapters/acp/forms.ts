// What a form may ask in ACP: one flat object of plain fields.
// https://agentclientprotocol.com/protocol/v1/elicitation#form-mode
import type * as acp from '@agentclientprotocol/sdk';
import * as z from 'zod';
import type { Json, JsonObject } from '../../schemas/json.ts';
import { lenient } from './parts.ts';

export interface Form {
  readonly requestedSchema: acp.ElicitationSchema;
  /** What was filled in, as the question's own schema has it. */
  decode(content: JsonObject): Json;
}

/** A question that says nothing of its answer takes a text. */
const anyText: JsonObject = { type: 'string' };

/**
 * Undefined where ACP cannot ask for it. What a schema demands beyond that of a field may be lost: the answer is held
 * against the schema itself.
 */
export function encodeForm(schema: JsonObject = anyText): Form | undefined {
  const { success, data } = Fields.safeParse(schema);
  if (success) return encodeFields(data);
  const field = encodeField(schema);
  if (field === undefined) return undefined;
  const requestedSchema = { type: 'object' as const, properties: { answer: field }, required: ['answer'] };
  return { requestedSchema, decode: ({ answer = null }) => answer };
}

function encodeFields({ title, description, properties, required = [] }: z.infer<typeof Fields>): Form | undefined {
  const encoded: Record<string, acp.ElicitationPropertySchema> = {};
  for (const [name, schema] of Object.entries(properties)) {
    const field = encodeField(schema);
    if (field === undefined) return undefined;
    encoded[name] = field;
  }
  if (required.some((name) => !Object.hasOwn(encoded, name))) return undefined;
  const requestedSchema = { type: 'object' as const, title, description, properties: encoded, required };
  return { requestedSchema: withoutAbsent(requestedSchema), decode: (content) => content };
}

/** Keywords that make one schema of several; a field is none of them. */
const combining = Object.fromEntries(
  ['$ref', 'allOf', 'not', 'if', 'const', 'dependentSchemas'].map((key) => [key, z.undefined().optional()]),
);
const alone = { ...combining, anyOf: z.undefined().optional() };
const plain = { ...alone, oneOf: z.undefined().optional(), enum: z.undefined().optional() };

const about = { title: lenient(z.string()), description: lenient(z.string()) };

const Fields = z.object({
  ...plain,
  ...about,
  type: z.literal('object').optional(),
  properties: z.record(z.string(), z.json()),
  required: z.array(z.string()).optional(),
});

const count = lenient(z.number().int().nonnegative());
const Choice = z
  .object({ const: z.string(), title: z.string().optional(), description: lenient(z.string()) })
  .transform(({ title, ...choice }) => ({ ...choice, title: title ?? choice.const }));
const choices = { enum: z.array(z.string()).optional(), oneOf: z.array(Choice).optional() };

const Items = z.union([
  z.object({ type: z.literal('string').default('string'), enum: z.array(z.string()) }),
  z.object({ anyOf: z.array(Choice) }),
  z.object({ oneOf: z.array(Choice) }).transform(({ oneOf }) => ({ anyOf: oneOf })),
]);

const fields = {
  string: z.object({
    ...alone,
    ...about,
    ...choices,
    type: z.literal('string').default('string'),
    minLength: count,
    maxLength: count,
    pattern: lenient(z.string()),
    format: lenient(z.enum(['email', 'uri', 'date', 'date-time'])),
    default: lenient(z.string()),
  }),
  number: z.object({
    ...plain,
    ...about,
    type: z.literal('number'),
    minimum: lenient(z.number()),
    maximum: lenient(z.number()),
    default: lenient(z.number()),
  }),
  integer: z.object({
    ...plain,
    ...about,
    type: z.literal('integer'),
    minimum: lenient(z.number().transform(Math.ceil)),
    maximum: lenient(z.number().transform(Math.floor)),
    default: lenient(z.number().int()),
  }),
  boolean: z.object({ ...plain, ...about, type: z.literal('boolean'), default: lenient(z.boolean()) }),
  array: z.object({
    ...plain,
    ...about,
    type: z.literal('array'),
    items: Items,
    minItems: count,
    maxItems: count,
    default: lenient(z.array(z.string())),
  }),
};

const Typed = z.looseObject({ type: z.string().optional() });

function encodeField(schema: Json): acp.ElicitationPropertySchema | undefined {
  const { type = isEnumeration(schema) ? 'string' : '' } = Typed.safeParse(schema).data ?? {};
  if (!isField(type)) return undefined;
  const { data } = fields[type].safeParse(schema);
  return data === undefined ? undefined : withoutAbsent(data);
}

/** An enumeration of strings need not say that it is one. */
function isEnumeration(schema: Json): boolean {
  return typeof schema === 'object' && schema !== null && ('enum' in schema || 'oneOf' in schema);
}

function isField(type: string): type is keyof typeof fields {
  return Object.hasOwn(fields, type);
}

type Present<Members> = { [Key in keyof Members]: Exclude<Members[Key], undefined> };

/** The members that are there. */
function withoutAbsent<Members extends object>(members: Members): Present<Members> {
  const kept = Object.entries(members).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(kept) as Present<Members>;
}
