import type { Scope } from '../../schemas/id.ts';
import { type Filing, filingOf, type ListedKind } from '../lane/filing.ts';
import type { RecordKind, Records } from '../lane/records.ts';
import type { CountQuery, ListQuery } from '../mailbox/store.ts';
import { compareKeys } from './safe-key.ts';

/** Where a record is found in the lists of a scope. */
export interface Filed extends Filing {
  readonly scope: Scope;
}

/** Undefined for a record that is not listed. */
export function filedIn<Kind extends RecordKind>(scope: Scope, kind: Kind, value: Records[Kind]): Filed | undefined {
  const filing = filingOf(kind, value);
  return filing === undefined ? undefined : { scope, key: filing.key, label: filing.label };
}

/** Whether a query counts what is filed there, its thread aside. */
export function isCounted({ scope, key, label }: Filed, query: Pick<CountQuery, 'scope' | 'labels' | 'from'>): boolean {
  return scope === query.scope && query.labels.includes(label) && compareKeys(key, query.from) >= 0;
}

/** Whether a query is for what is filed there, its thread aside. */
export function isListed(
  { scope, key, label }: Filed,
  query: Pick<ListQuery<ListedKind>, 'scope' | 'label' | 'before'>,
): boolean {
  return (
    scope === query.scope &&
    (query.label === undefined || label === query.label) &&
    (query.before === undefined || compareKeys(key, query.before) < 0)
  );
}
