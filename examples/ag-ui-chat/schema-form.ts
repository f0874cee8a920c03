// The fields of a form, from a JSON Schema. The browser checks what it can say of them; the gateway checks all of it.
import { element } from './element.ts';

/** What of JSON Schema is rendered as a field of its own; anything else is asked for as JSON. */
interface Schema {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

type Input = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

interface Field {
  readonly element: HTMLElement;
  readonly input: Input;
  /** Undefined where nothing was entered. */
  value(): unknown;
}

export class SchemaForm {
  readonly elements: readonly HTMLElement[];
  readonly #schema: Schema;
  readonly #fields: ReadonlyMap<string, Field>;

  constructor(schema: object) {
    this.#schema = schema;
    const { properties, required = [], title = 'Answer' } = this.#schema;
    // What is no object has one field, without a name.
    const named = properties === undefined ? [['', { title, ...this.#schema }] as const] : Object.entries(properties);
    const isRequired = (name: string): boolean => properties === undefined || required.includes(name);
    this.#fields = new Map(named.map(([name, of]) => [name, field(name, of, isRequired(name))]));
    this.elements = [...this.#fields.values()].map((one) => one.element);
  }

  /** What was entered, or undefined where some of it is invalid: each such field then says why, and the first has the focus. */
  read(): { readonly value: unknown } | undefined {
    const fields = [...this.#fields];
    const invalid = fields.filter(([, one]) => !check(one));
    invalid[0]?.[1].input.focus();
    if (invalid.length > 0) return undefined;
    const entered = fields
      .map(([name, one]) => [name, one.value()] as const)
      .filter(([, value]) => value !== undefined);
    return { value: this.#schema.properties === undefined ? entered[0]?.[1] : Object.fromEntries(entered) };
  }
}

/** Shows what is wrong with a field beside it, where assistive technology finds it too. */
function check({ element: row, input }: Field): boolean {
  const isValid = input.checkValidity();
  input.ariaInvalid = String(!isValid);
  const error = row.querySelector('.error');
  if (error !== null) error.textContent = input.validationMessage;
  return isValid;
}

let fieldsMade = 0;

function field(name: string, schema: Schema, isRequired: boolean): Field {
  fieldsMade += 1;
  const id = `field-${fieldsMade}`;
  const { input, value } = control(schema, isRequired);
  input.id = id;
  input.name = name;
  input.setAttribute('aria-describedby', `${id}-hint ${id}-error`);
  const label = element('label', { htmlFor: id }, schema.title ?? name, isRequired ? '' : ' (optional)');
  const hint = element('small', { id: `${id}-hint` }, schema.description ?? '');
  const error = element('small', { id: `${id}-error`, className: 'error' });
  const row = element('div', { className: 'field' }, label, input, hint, error);
  const made = { element: row, input, value };
  input.addEventListener('input', () => {
    if (input.ariaInvalid === 'true') check(made);
  });
  return made;
}

function control(schema: Schema, required: boolean): Pick<Field, 'input' | 'value'> {
  if (schema.enum !== undefined) return selectOf(schema, schema.enum, required);
  switch (schema.type) {
    case 'boolean': {
      const input = element('input', { type: 'checkbox', checked: schema.default === true });
      return { input, value: () => input.checked };
    }
    case 'integer':
    case 'number':
      return numberOf(schema, required);
    case 'string':
      return textOf(schema, required);
    default:
      return jsonOf(schema, required);
  }
}

function selectOf({ default: chosen }: Schema, choices: readonly unknown[], required: boolean) {
  const options = choices.map((choice, index) => new Option(String(choice), String(index), false, choice === chosen));
  const input = element('select', { required }, new Option('Choose…', '', chosen === undefined), ...options);
  return { input, value: () => (input.value === '' ? undefined : choices[Number(input.value)]) };
}

function numberOf(schema: Schema, required: boolean) {
  const { type, minimum, maximum } = schema;
  const step = type === 'integer' ? '1' : 'any';
  const input = element('input', { type: 'number', required, step, value: textOfDefault(schema) });
  if (minimum !== undefined) input.min = String(minimum);
  if (maximum !== undefined) input.max = String(maximum);
  return { input, value: () => (input.value === '' ? undefined : input.valueAsNumber) };
}

const inputTypes: Readonly<Record<string, string>> = { email: 'email', uri: 'url', date: 'date' };

function textOf(schema: Schema, required: boolean) {
  const { format = '', pattern, minLength, maxLength } = schema;
  const input = element('input', { type: inputTypes[format] ?? 'text', required, value: textOfDefault(schema) });
  if (minLength !== undefined) input.minLength = minLength;
  if (maxLength !== undefined) input.maxLength = maxLength;
  // A schema's pattern may match anywhere, an input's matches the whole.
  if (pattern !== undefined) input.pattern = `.*(?:${pattern}).*`;
  return { input, value: () => (input.value === '' && !required ? undefined : input.value) };
}

function jsonOf(schema: Schema, required: boolean) {
  const input = element('textarea', { required, rows: 4, placeholder: 'JSON' });
  if (schema.default !== undefined) input.value = JSON.stringify(schema.default, null, 2);
  const parse = (): unknown => (input.value.trim() === '' ? undefined : JSON.parse(input.value));
  input.addEventListener('input', () => {
    try {
      parse();
      input.setCustomValidity('');
    } catch {
      input.setCustomValidity('This is not JSON.');
    }
  });
  return { input, value: parse };
}

function textOfDefault({ default: value }: Schema): string {
  return value === undefined ? '' : String(value);
}
