import { expect, test } from 'vitest';
import { Unapplied, type UnappliedRecord } from '../../../src/stores/unapplied.ts';

function run(id: string, label: string | undefined): UnappliedRecord {
  if (label === undefined) return { kind: 'run', id, text: undefined, filed: undefined };
  return { kind: 'run', id, text: `{"status":"${label}"}`, filed: { scope: 'local', key: id, label } };
}

test('records of a kind are as they were written last, each once, though an older writing is being applied', () => {
  const unapplied = new Unapplied();
  for (const id of ['kept', 'changed', 'removed']) unapplied.addRecord(1, run(id, 'created'));
  unapplied.addRecord(2, run('changed', 'created'));
  unapplied.freeze();
  unapplied.addRecord(1, run('changed', 'done'));
  unapplied.addRecord(1, run('removed', undefined));
  unapplied.addRecord(1, { kind: 'memory', id: 'kept', text: '{}', filed: undefined });
  unapplied.addRecord(3, run('new', 'created'));
  const ofFirst = [run('kept', 'created'), run('changed', 'done'), run('removed', undefined)];
  expect([...unapplied.ofKind('run', 1)]).toEqual(ofFirst.map((record) => [1, record]));
  expect([...unapplied.ofKind('run')]).toHaveLength(5);
  expect([...unapplied.ofKind('run')]).toContainEqual([2, run('changed', 'created')]);
  expect([...unapplied.ofKind('run')]).toContainEqual([3, run('new', 'created')]);
  unapplied.drop(1);
  unapplied.thaw();
  expect([...unapplied.ofKind('run')]).toEqual([[3, run('new', 'created')]]);
});
