import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits for a condition, looking often; says what it waited for when it never comes. How long is no judgement: on a machine
 * that is busy a process may take many seconds to start.
 */
export async function until<Value>(
  what: string,
  look: () => Value | Promise<Value>,
  withinMs = 40_000,
): Promise<NonNullable<Value>> {
  const endsAtMs = Date.now() + withinMs;
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== null && value !== false) return value;
    if (Date.now() > endsAtMs) throw new Error(`waited ${withinMs} ms for: ${what}`);
    await delay(2);
  }
}
