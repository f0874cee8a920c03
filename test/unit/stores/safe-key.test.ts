import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareKeys, fromSafeKey, sortByKey, toSafeKey } from '../../../src/stores/safe-key.ts';

/** Any sequence of code units, lone surrogates and control characters among them. */
const anyText = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) });
const oddText = fc.string({
  unit: fc.constantFrom('\u0000', '\u0001', '\t', '\n', 'a', '0', '\ud83d', '\ude00', '\uffff'),
});

test('any text comes back from its safe key', { tags: 'any-name-is-safe' }, () => {
  fc.assert(
    fc.property(fc.oneof(anyText, oddText), (text) => {
      expect(fromSafeKey(toSafeKey(text))).toBe(text);
    }),
  );
});

test('a safe key survives UTF-8 and has none of the characters that end a text or a field', () => {
  fc.assert(
    fc.property(fc.oneof(anyText, oddText), (text) => {
      const key = toSafeKey(text);
      expect(Buffer.from(key).toString()).toBe(key);
      expect(key).not.toMatch(/[\0\t\n]/);
    }),
  );
});

test('an ordinary text is its own key', () => {
  for (const text of ['', 'thread-1', 'ag-ui:run/4', 'déjà vu', '😀', '漢字']) expect(toSafeKey(text)).toBe(text);
});

test('keys are ordered by the bytes of their UTF-8', () => {
  fc.assert(
    fc.property(fc.oneof(anyText, oddText), fc.oneof(anyText, oddText), (a, b) => {
      const bytes = Buffer.compare(Buffer.from(toSafeKey(a)), Buffer.from(toSafeKey(b)));
      expect(Math.sign(compareKeys(a, b))).toBe(bytes);
    }),
  );
});

test('many are sorted as two are compared', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(anyText, oddText, fc.string())), (keys) => {
      const named = keys.map((key, at) => ({ key, at }));
      expect(sortByKey(named, ({ key }) => key)).toEqual(named.toSorted((a, b) => compareKeys(a.key, b.key)));
    }),
  );
});
