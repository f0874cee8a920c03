import type { Scope } from '../../schemas/id.ts';
import type { ListedKind } from '../lane/filing.ts';
import type { RecordKind } from '../lane/records.ts';
import type { CountQuery, ListQuery } from '../mailbox/store.ts';
import type { Filed } from './filed.ts';
import { sortableKey } from './safe-key.ts';

interface Entry<Value> {
  /** @see sortableKey */
  readonly at: string;
  readonly value: Value;
}

/** Of one kind in a scope, each in the order of its keys. */
interface Lists<Value> {
  readonly all: Entry<Value>[];
  readonly byLabel: Map<string, Entry<Value>[]>;
}

type ScopeQuery = Pick<ListQuery<ListedKind>, 'scope' | 'kind' | 'label' | 'before' | 'limit'>;

/** What is filed in memory, so that a page of it is found without looking at the rest. */
export class FiledIndex<Value> {
  readonly #scopes = new Map<Scope, Map<RecordKind, Lists<Value>>>();

  /** Files a record that was filed otherwise before, or not at all. */
  move(kind: RecordKind, before: Filed | undefined, after: Filed | undefined, value: Value): void {
    if (before?.key === after?.key && before?.label === after?.label) return;
    const staysInAll = before?.key === after?.key;
    if (before !== undefined) this.#remove(kind, before, value, staysInAll);
    if (after !== undefined) this.#add(kind, after, value, staysInAll);
  }

  #add(kind: RecordKind, { scope, key, label }: Filed, value: Value, isInAll: boolean): void {
    const entry = { at: sortableKey(key), value };
    const { all, byLabel } = this.#listsOf(scope, kind);
    if (!isInAll) insert(all, entry);
    const labelled = byLabel.get(label) ?? [];
    byLabel.set(label, labelled);
    insert(labelled, entry);
  }

  #remove(kind: RecordKind, { scope, key, label }: Filed, value: Value, staysInAll: boolean): void {
    const at = sortableKey(key);
    const { all, byLabel } = this.#listsOf(scope, kind);
    if (!staysInAll) drop(all, at, value);
    const labelled = byLabel.get(label);
    if (labelled === undefined) return;
    drop(labelled, at, value);
    if (labelled.length === 0) byLabel.delete(label);
  }

  /** Newest first. */
  list({ scope, kind, label, before, limit }: ScopeQuery): Value[] {
    const { all, byLabel } = this.#listsOf(scope, kind);
    const list = label === undefined ? all : (byLabel.get(label) ?? []);
    const end = before === undefined ? list.length : firstFrom(list, sortableKey(before));
    const page = list.slice(Math.max(0, end - limit), end);
    return page.toReversed().map(({ value }) => value);
  }

  count({ scope, kind, labels, from }: Omit<CountQuery, 'threadId'>): number {
    const { byLabel } = this.#listsOf(scope, kind);
    const lists = labels.map((label) => byLabel.get(label) ?? []);
    return lists.reduce((sum, list) => sum + list.length - firstFrom(list, sortableKey(from)), 0);
  }

  #listsOf(scope: Scope, kind: RecordKind): Lists<Value> {
    const kinds = this.#scopes.get(scope) ?? new Map<RecordKind, Lists<Value>>();
    this.#scopes.set(scope, kinds);
    const lists = kinds.get(kind) ?? { all: [], byLabel: new Map<string, Entry<Value>[]>() };
    kinds.set(kind, lists);
    return lists;
  }
}

/** Most come last, where a splice would copy the whole list. */
function insert<Value>(list: Entry<Value>[], entry: Entry<Value>): void {
  const place = firstFrom(list, entry.at);
  if (place === list.length) list.push(entry);
  else list.splice(place, 0, entry);
}

function drop<Value>(list: Entry<Value>[], at: string, value: Value): void {
  for (let place = firstFrom(list, at); list[place]?.at === at; place++) {
    if (list[place]?.value !== value) continue;
    if (place === list.length - 1) list.pop();
    else list.splice(place, 1);
    return;
  }
}

/** The place of the first entry that is not below. */
function firstFrom(list: readonly Entry<unknown>[], at: string): number {
  let [low, high] = [0, list.length];
  const last = list[high - 1];
  if (last === undefined || last.at < at) return high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle] as Entry<unknown>).at < at) low = middle + 1;
    else high = middle;
  }
  return low;
}
