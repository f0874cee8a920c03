import type { Json, JsonObject } from '../schemas/json.ts';
import type { Answer, Ticket } from '../schemas/ticket.ts';

/**
 * What a person's words say to one question, if that is beyond doubt: the name of a choice, the only field of a form, a
 * form as JSON. Never an approval.
 */
export function answerInWords(text: string, ticket: Pick<Ticket, 'kind' | 'options' | 'schema'>): Answer | undefined {
  if (text === '') return undefined;
  switch (ticket.kind) {
    case 'choice': {
      const isMeant = (name: string): boolean => name.trim().toLowerCase() === text.toLowerCase();
      const meant = ticket.options.filter(({ id, name, kind }) => kind === 'other' && (isMeant(id) || isMeant(name)));
      const [option, ...others] = meant;
      return option === undefined || others.length > 0 ? undefined : { type: 'option', optionId: option.id };
    }
    case 'form': {
      const value = decodeForm(text, ticket.schema ?? {});
      return value === undefined ? undefined : { type: 'value', value };
    }
    case 'approval':
    case 'sign-in':
    case 'url':
      return undefined;
  }
}

function decodeForm(text: string, schema: JsonObject): Json | undefined {
  const whole = decodeObject(text);
  if (whole !== undefined) return whole;
  const { type, properties } = schema;
  if (type !== 'object') return decodeScalar(text, schema);
  const fields = Object.entries((properties ?? {}) as Record<string, JsonObject>);
  const [field, ...others] = fields;
  if (field === undefined || others.length > 0) return undefined;
  const [name, about] = field;
  const value = decodeScalar(text, about);
  return value === undefined ? undefined : { [name]: value };
}

function decodeObject(text: string): Json | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

function decodeScalar(text: string, { type, enum: values }: JsonObject): Json | undefined {
  if (Array.isArray(values)) return values.find((value) => nameOf(value) === text.toLowerCase());
  if (type === 'string') return text;
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined;
  const isNumber = type === 'number' || type === 'integer';
  return isNumber && Number.isFinite(Number(text)) ? Number(text) : undefined;
}

function nameOf(value: Json): string {
  return (typeof value === 'string' ? value : JSON.stringify(value)).toLowerCase();
}
