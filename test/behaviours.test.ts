import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { behaviours, later, notHeld } from './behaviours.ts';
import { citationsOf } from './support/citations.ts';

const here = fileURLToPath(new URL('.', import.meta.url));

/** Where tests are: in files of their own, and in what every store must do alike. */
const citations = readdirSync(here, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.test.ts') || /^contract\/.*\.ts$/.test(path))
  .flatMap((path) => citationsOf(path, readFileSync(join(here, path), 'utf8')));

describe('the behaviours', () => {
  const held = Object.entries(behaviours);

  it('are each shown by a test', () => {
    const cited = new Set(citations.map(({ id }) => id));
    expect(held.map(([id]) => id).filter((id) => !cited.has(id))).toEqual([]);
  });

  it('are named by tests that run, and by nothing else', () => {
    const wrong = citations.filter(({ id, problem }) => problem !== undefined || !Object.hasOwn(behaviours, id));
    expect(wrong).toEqual([]);
  });

  it('cover the checklist, each of its numbers once', () => {
    const numbers = [...held.map(([, behaviour]) => behaviour), ...notHeld, ...later].flatMap(({ from }) => [...from]);
    expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 238 }, (_, index) => index + 1));
  });

  it('have an id in kebab-case and say what they are in one line', () => {
    for (const [id, { says }] of held) {
      expect(id).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(says).toMatch(/^[A-Z].*\.$/);
    }
  });
});

describe('a citation', () => {
  const problems = (text: string): unknown[] =>
    citationsOf('some.test.ts', text).map(({ id, problem }) => [id, problem]);

  it.each([
    [`test('x', { tags: 'a' }, () => {});`, [['a', undefined]]],
    [
      `it('x', { timeout: 1, tags: ['a', 'b'] }, () => {});`,
      [
        ['a', undefined],
        ['b', undefined],
      ],
    ],
    [`it.each([1])('x', { tags: 'a' }, () => {});`, [['a', undefined]]],
    [`it.for([1])('x', { tags: 'a' }, () => {});`, [['a', undefined]]],
    [`submit('x', { tags: 'a' }, 1);`, []],
    [`test('x', () => ({ tags: 'a' }));`, []],
  ])('stands on a test: %s', (text, found) => {
    expect(problems(text)).toEqual(found);
  });

  it.each([
    [`test.skip('x', { tags: 'a' }, () => {});`, 'its test is marked skip'],
    [`test('x', { skip: true, tags: 'a' }, () => {});`, 'its test is marked skip'],
    [`it.skipIf(true)('x', { tags: 'a' }, () => {});`, 'its test is marked skipIf'],
    [`it.skip.each([1])('x', { tags: 'a' }, () => {});`, 'its test is marked skip'],
    [`it('x', { fails: true, tags: 'a' }, () => {});`, 'its test is marked fails'],
    [`test.todo('x', { tags: 'a' });`, 'its test is marked todo'],
    [`test('x', { tags: 'a' });`, 'its test has no body'],
    [`describe('x', { tags: 'a' }, () => {});`, 'it stands on a group of tests'],
  ])('shows nothing: %s', (text, problem) => {
    expect(problems(text)).toEqual([['a', problem]]);
  });

  it('is a text', () => {
    expect(problems(`test('x', { tags: computed }, () => {});`)).toEqual([['', 'it is no text']]);
  });
});
