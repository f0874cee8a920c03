import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Change } from '../../../src/stores/engine.ts';
import { decodeChanges, encodeChanges, type ChangeSink } from '../../../src/stores/change-text.ts';
import { fromSafeKey } from '../../../src/stores/safe-key.ts';

const name = fc.string({ unit: fc.constantFrom('\u0000', '\t', '\n', 'a', '\\', '"', '\ud83d', '\ude00', 'é') });
const number = fc.nat();
const json = fc.jsonValue().map((value) => JSON.stringify(value));
const key = fc.record({ scope: name, threadId: name });

const named = { kind: fc.constantFrom('run' as const, 'message' as const), id: name };
const filed = fc.record({ scope: name, key: name, label: name });

const turns = fc.record({
  is: fc.constant('turns' as const),
  thread: fc.record({ id: number, key }),
  created: fc.boolean(),
  lane: fc.option(
    fc.record({
      text: json,
      index: fc.record({
        wakeAtMs: fc.option(number, { nil: undefined }),
        ready: fc.option(fc.record({ actor: name, atMs: number }), { nil: undefined }),
        held: fc.boolean(),
        waiting: number,
      }),
      moves: fc.boolean(),
    }),
    { nil: undefined },
  ),
  records: fc.array(
    fc.oneof(
      fc.record({ ...named, text: json, filed: fc.option(filed, { nil: undefined }) }),
      fc.record({ ...named, text: fc.constant(undefined), filed: fc.constant(undefined) }),
    ),
  ),
  chunks: fc.array(fc.record({ first: number, last: number, firstAtMs: number, lastAtMs: number, text: json })),
});
const drop = fc.record({ is: fc.constant('drop' as const), thread: fc.record({ id: number, key }) });

test('changes are read from their text as they were written to it', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(turns, drop)), (changes) => {
      const read: unknown[] = [];
      decodeChanges(encodeChanges(changes), listing(read));
      expect(read).toEqual(changes.flatMap((change) => stepsOf(change as Change)));
    }),
  );
});

test.each(['put\t1\trun', 'unheard\t1\n'])('a line of another form is not passed over: %j', (lines) => {
  expect(() => {
    decodeChanges(lines, listing([]));
  }).toThrow('line of changes');
});

function stepsOf(change: Change): unknown[] {
  const { id, key: of } = change.thread;
  if (change.is === 'drop') return [['drop', id]];
  const { created, lane, records, chunks } = change;
  return [
    ...(created ? [['created', id, of.scope, of.threadId]] : []),
    ...(lane === undefined ? [] : [['lane', id, lane.text, lane.index, lane.moves]]),
    ...records.map((one) =>
      one.text === undefined ? ['remove', id, one.kind, one.id] : ['put', id, one.kind, one.id, one.text, one.filed],
    ),
    ...chunks.map((chunk) => ['events', id, chunk]),
  ];
}

function listing(steps: unknown[]): ChangeSink {
  return {
    created: (id, scope, thread) => steps.push(['created', id, fromSafeKey(scope), fromSafeKey(thread)]),
    lane: (id, text, index, moves) => {
      const ready = index.ready === undefined ? undefined : { ...index.ready, actor: fromSafeKey(index.ready.actor) };
      steps.push(['lane', id, text, { ...index, ready }, moves]);
    },
    put: (id, kind, record, text, where) => {
      const [scope, at, label] = [where?.scope, where?.key, where?.label].map((key) => fromSafeKey(key ?? ''));
      steps.push(['put', id, kind, fromSafeKey(record), text, where && { scope, key: at, label }]);
    },
    remove: (id, kind, record) => steps.push(['remove', id, kind, fromSafeKey(record)]),
    events: (id, chunk) => steps.push(['events', id, chunk]),
    drop: (id) => steps.push(['drop', id]),
  };
}
