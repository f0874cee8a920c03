import { setTimeout as delay } from 'node:timers/promises';

/** Waits for a condition, looking often; says what it waited for when it never comes. */
export async function until<Value>(
  what: string,
  look: () => Value | Promise<Value>,
  withinMs = 10_000,
): Promise<NonNullable<Value>> {
  const endsAtMs = Date.now() + withinMs;
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== null && value !== false) return value;
    if (Date.now() > endsAtMs) throw new Error(`waited ${withinMs} ms for: ${what}`);
    await delay(2);
  }
}
