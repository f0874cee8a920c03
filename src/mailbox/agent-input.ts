import type { ZodType } from 'zod';
import { Fault } from '../fault.ts';

/**
 * What an agent hands over, as JSON of our own and as its schema says: what the agent does to its object later changes
 * nothing here, and what the schema has no word for is left out. @throws Fault `agent-protocol`
 */
export function copyOf<Value>(schema: ZodType<Value>, given: unknown, what: string): Value {
  const parsed = schema.safeParse(jsonOf(given, what));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
  throw new Fault('agent-protocol', `the agent gave ${what} that is none: ${issue?.message ?? 'invalid'}${where}`);
}

function jsonOf(given: unknown, what: string): unknown {
  try {
    return JSON.parse(JSON.stringify(given));
  } catch (error) {
    throw new Fault('agent-protocol', `the agent gave ${what} that is no JSON`, { cause: error });
  }
}
