import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import type { JsonObject } from '../../schemas/json.ts';
import type { Answer, Ticket } from '../../schemas/ticket.ts';
import { Fault } from '../fault.ts';

const ajv = new Ajv2020({ strict: false, allErrors: false, validateSchema: false });
addFormats.default(ajv);

const compiled = new Map<string, ValidateFunction>();
const maxCompiled = 256;

/** @throws Fault `agent-protocol`: it is no JSON Schema */
export function checkSchema(schema: JsonObject): void {
  compile(schema);
}

/** Why an answer breaks its question's schema; undefined when it does not. */
export function problemWith(ticket: Ticket, answer: Answer): string | undefined {
  if (ticket.schema === undefined || answer.type !== 'value') return undefined;
  const validate = compile(ticket.schema);
  if (validate(answer.value)) return undefined;
  const [error] = validate.errors ?? [];
  return `the answer${error?.instancePath ? ` at ${error.instancePath}` : ''} ${error?.message ?? 'breaks its schema'}`;
}

function compile(schema: JsonObject): ValidateFunction {
  const text = JSON.stringify(schema);
  const known = compiled.get(text);
  if (known !== undefined) return known;
  try {
    const { $schema: _, $id: __, ...rest } = schema;
    const validate = ajv.compile(rest);
    if (compiled.size >= maxCompiled) compiled.clear();
    compiled.set(text, validate);
    return validate;
  } catch (error) {
    throw new Fault('agent-protocol', 'a question carries a schema that is no JSON Schema', { cause: error });
  } finally {
    // Each schema is alone: what one names inside itself is nothing to the next, and none is kept twice, or after it failed.
    ajv.removeSchema();
  }
}
