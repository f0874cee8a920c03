import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import schema from '@agentclientprotocol/sdk/schema/v1/schema.json' with { type: 'json' };

/** What a message of ACP v1 is called in its schema: `SessionNotification`, `PromptResponse`, … */
export type Definition = keyof (typeof schema)['$defs'];

const integers = Object.fromEntries(['uint16', 'uint32', 'uint64', 'int32', 'int64'].map((name) => [name, true]));
const ajv = new Ajv2020({ strict: false, formats: { ...integers, double: true } });
addFormats.default(ajv);
ajv.addSchema(schema, 'acp');

/** @throws Error: the value breaks the schema of ACP v1, as the SDK publishes it */
export function assertValid(definition: Definition, value: unknown): void {
  // As it is on the wire: what is undefined is not there.
  const told: unknown = JSON.parse(JSON.stringify(value));
  const validate = ajv.getSchema(`acp#/$defs/${definition}`);
  if (validate === undefined) throw new Error(`ACP v1 has no ${definition}`);
  if (validate(told) === true) return;
  throw new Error(`no ${definition}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(told)}`);
}
