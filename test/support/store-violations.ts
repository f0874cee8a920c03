import { systemClock } from '../../src/clock.ts';
import { doctor } from '../../src/stores/doctor.ts';
import { FileStore } from '../../src/stores/file-store.ts';
import { checkStore, type Transcript } from './checker.ts';

/** What breaks the invariants in a data directory that nobody serves any more, and in what its clients saw. */
export async function violations(
  directory: string,
  options: { readonly scopes?: readonly string[]; readonly transcripts?: readonly Transcript[] } = {},
): Promise<string[]> {
  const { problems } = await doctor(directory);
  const store = await FileStore.open({ directory, clock: systemClock });
  try {
    return [...problems, ...(await checkStore(store, options.scopes ?? ['local'], options.transcripts))];
  } finally {
    await store.close();
  }
}
