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

type ScopeQuery = Pick<ListQuery<ListedKind>, 'scope' | 'kind' | 'label' | 'before' | 'limit'>;

/** What is filed in memory, in the order of its keys: the lists of each kind in a scope, and of each label among them. */
export class FiledIndex<Value> {
  readonly #lists = new Map<string, Entry<Value>[]>();

  add(kind: RecordKind, { scope, key, label }: Filed, value: Value): void {
    const entry = { at: sortableKey(key), value };
    for (const name of [nameOf(scope, kind), nameOf(scope, kind, label)]) {
      const list = this.#lists.get(name) ?? [];
      this.#lists.set(name, list);
      list.splice(firstFrom(list, entry.at), 0, entry);
    }
  }

  remove(kind: RecordKind, { scope, key, label }: Filed, value: Value): void {
    const at = sortableKey(key);
    for (const name of [nameOf(scope, kind), nameOf(scope, kind, label)]) {
      const list = this.#lists.get(name) ?? [];
      for (let place = firstFrom(list, at); list[place]?.at === at; place++) {
        if (list[place]?.value !== value) continue;
        list.splice(place, 1);
        break;
      }
      if (list.length === 0) this.#lists.delete(name);
    }
  }

  /** Newest first. */
  list({ scope, kind, label, before, limit }: ScopeQuery): Value[] {
    const list = this.#lists.get(nameOf(scope, kind, label)) ?? [];
    const end = before === undefined ? list.length : firstFrom(list, sortableKey(before));
    const page = list.slice(Math.max(0, end - limit), end);
    return page.toReversed().map(({ value }) => value);
  }

  count({ scope, kind, labels, from }: Omit<CountQuery, 'threadId'>): number {
    const lists = labels.map((label) => this.#lists.get(nameOf(scope, kind, label)) ?? []);
    return lists.reduce((sum, list) => sum + list.length - firstFrom(list, sortableKey(from)), 0);
  }
}

function nameOf(scope: string, kind: RecordKind, label?: string): string {
  return JSON.stringify(label === undefined ? [scope, kind] : [scope, kind, label]);
}

/** The place of the first entry that is not below. Most are asked for behind all others. */
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
