import { Fault } from '../../fault.ts';
import { maxJsonDepth as maxDepth } from '../../json-body.ts';

/** Values in a body, inner ones included: each wrong one costs more to refuse than it takes to send. */
const maxValues = 100_000;

/** @throws Fault `too-large`: it is nested too deep, or says too much in too little */
export function assertSound(body: unknown): void {
  let values = 0;
  const visit = (value: unknown, depth: number): void => {
    values += 1;
    if (values > maxValues) throw new Fault('too-large', `the body has more than ${maxValues} values`);
    if (typeof value !== 'object' || value === null) return;
    if (depth === maxDepth) throw new Fault('too-large', `the body is nested more than ${maxDepth} levels deep`);
    if (Array.isArray(value)) for (const item of value) visit(item, depth + 1);
    else for (const key in value) visit((value as Record<string, unknown>)[key], depth + 1);
  };
  visit(body, 0);
}
