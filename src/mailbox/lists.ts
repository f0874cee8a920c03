import { Fault } from '../fault.ts';
import type { Page, PageRequest } from '../gateway.ts';
import { isKeyOf, type ListedKind } from '../lane/filing.ts';
import type { Records } from '../lane/records.ts';
import type { ListQuery, Store } from './store.ts';

/** How many records one page may look at: a filter that fits few of them gets short pages, not slow ones. */
const maxLooks = 1000;

/**
 * A page of what a list holds, newest first, as `pick` shows it; what it returns undefined for is left out.
 * @throws Fault `invalid-request` for a cursor that is none of its places
 */
export async function pageOf<Kind extends ListedKind, Item>(
  store: Store,
  query: Omit<ListQuery<Kind>, 'before' | 'limit'>,
  { cursor, limit }: PageRequest,
  pick: (value: Records[Kind]) => Item | undefined,
): Promise<Page<Item>> {
  if (cursor !== undefined && !isKeyOf(query.kind, cursor)) throw strangeCursor();
  const items: Item[] = [];
  let before = cursor;
  for (let looks = 0; looks < maxLooks;) {
    const most = Math.min(limit + 1, maxLooks - looks);
    const listed = await store.list({ ...query, before, limit: most });
    for (const { key, value } of listed) {
      if (items.length === limit) return { items, next: before };
      const item = pick(value);
      if (item !== undefined) items.push(item);
      before = key;
    }
    if (listed.length < most) return { items, next: undefined };
    looks += listed.length;
  }
  return { items, next: before };
}

export function strangeCursor(): Fault {
  return new Fault('invalid-request', 'the cursor is not of this list', { path: 'cursor' });
}
