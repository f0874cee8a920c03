import { describe } from 'vitest';
import type { NewStorage } from '../support/open-stores.ts';
import { storeAppends } from './store-appends.ts';
import { storeFailures } from './store-failures.ts';
import { storeLists } from './store-lists.ts';
import { storeReads } from './store-reads.ts';
import { storeSearches } from './store-searches.ts';
import { storeTurns } from './store-turns.ts';

/** What every store promises the mailbox, said by running it. */
export function storeContract(name: string, newStorage: NewStorage): void {
  describe(name, () => {
    describe('turns', () => {
      storeTurns(newStorage);
    });
    describe('appends', () => {
      storeAppends(newStorage);
    });
    describe('reads', () => {
      storeReads(newStorage);
    });
    describe('lists', () => {
      storeLists(newStorage);
    });
    describe('searches', () => {
      storeSearches(newStorage);
    });
    describe('failures', () => {
      storeFailures(newStorage);
    });
  });
}
