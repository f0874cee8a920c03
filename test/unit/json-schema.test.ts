import { expect, test } from 'vitest';
import { Json, JsonObject } from '../../schemas/json.ts';

test.each([null, true, 0, -1.5, '', 'text', [], {}, [1, ['a', { b: null }]], { a: { b: [{ c: false }] } }])(
  '%j is JSON, and is taken as it is',
  (value) => {
    expect(Json.parse(value)).toEqual(value);
  },
);

test.each<[string, unknown]>([
  ['undefined', undefined],
  ['NaN', Number.NaN],
  ['infinity', Number.POSITIVE_INFINITY],
  ['a bigint', 1n],
  ['a symbol', Symbol('s')],
  ['a function', () => 1],
])('%s is no JSON, at whatever depth', (_, value) => {
  for (const holder of [value, [value], { a: value }, { a: [1, { b: value }] }]) {
    expect(Json.safeParse(holder).success).toBe(false);
    expect(JsonObject.safeParse({ holder }).success).toBe(false);
  }
});
