import type { Schema } from './openapi.ts';

/** A piece of text, or the name of another schema. */
export type Piece = { readonly text: string } | { readonly ref: string };

/** A JSON Schema in the words of a type, for people: `{ name: string; parts?: Part[] }`. */
export function textOfSchema(schema: Schema, indent: string): readonly Piece[] {
  if (schema.$ref !== undefined) return [{ ref: schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1) }];
  if ('const' in schema) return [{ text: JSON.stringify(schema.const) }];
  if (schema.enum !== undefined) return [{ text: schema.enum.map((value) => JSON.stringify(value)).join(' | ') }];
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices !== undefined) return choicesText(choices.map(schemaOf), indent);
  if (schema.allOf !== undefined) {
    return joined(
      schema.allOf.map((part) => textOfSchema(schemaOf(part), indent)),
      ' & ',
    );
  }
  if (schema.contentSchema !== undefined) {
    return [{ text: 'events of ' }, ...textOfSchema(schemaOf(schema.contentSchema), indent)];
  }
  switch (schema.type) {
    case 'array':
      return listText(schemaOf(Array.isArray(schema.items) ? undefined : schema.items), indent);
    case 'object':
      return objectText(schema, indent);
    case undefined:
      return [{ text: 'any' }];
    default:
      return [{ text: `${[schema.type].flat().join(' | ')}${boundsOf(schema)}` }];
  }
}

function schemaOf(schema: unknown): Schema {
  return typeof schema === 'object' && schema !== null ? (schema as Schema) : {};
}

function choicesText(choices: readonly Schema[], indent: string): readonly Piece[] {
  const separator = choices.some((choice) => choice.type === 'object') ? `\n${indent}| ` : ' | ';
  return joined(
    choices.map((choice) => textOfSchema(choice, indent)),
    separator,
  );
}

function listText(items: Schema, indent: string): readonly Piece[] {
  const inner = textOfSchema(items, indent);
  const isOne = inner.length === 1 && inner.every((piece) => 'ref' in piece || /^[\w]+$/.test(piece.text));
  return isOne ? [...inner, { text: '[]' }] : [{ text: '(' }, ...inner, { text: ')[]' }];
}

function objectText({ properties, required = [], additionalProperties }: Schema, indent: string): readonly Piece[] {
  if (properties === undefined) {
    return [{ text: '{ [name]: ' }, ...textOfSchema(schemaOf(additionalProperties), indent), { text: ' }' }];
  }
  const inner = `${indent}  `;
  const members = Object.entries(properties).flatMap(([name, property]): Piece[] => {
    const schema = schemaOf(property);
    const note = schema.description === undefined || schema.$ref !== undefined ? '' : `  // ${schema.description}`;
    const mark = required.includes(name) ? '' : '?';
    return [{ text: `${inner}${name}${mark}: ` }, ...textOfSchema(schema, inner), { text: `${note}\n` }];
  });
  return members.length === 0 ? [{ text: '{}' }] : [{ text: '{\n' }, ...members, { text: `${indent}}` }];
}

function boundsOf({ minimum, maximum, minLength, maxLength, format }: Schema): string {
  const largest = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  const bounds = [
    format,
    minimum !== undefined && minimum !== Number.MIN_SAFE_INTEGER ? `from ${minimum}` : undefined,
    largest === undefined ? undefined : `to ${largest}`,
    minLength === undefined || minLength < 2 ? undefined : `at least ${minLength} characters`,
    maxLength === undefined ? undefined : `at most ${maxLength} characters`,
  ].filter((bound) => bound !== undefined);
  return bounds.length === 0 ? '' : ` (${bounds.join(' ')})`;
}

function joined(lists: readonly (readonly Piece[])[], separator: string): readonly Piece[] {
  return lists.flatMap((pieces, index) => (index === 0 ? pieces : [{ text: separator }, ...pieces]));
}
