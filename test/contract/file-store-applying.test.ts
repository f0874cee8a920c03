import { fileStorage } from '../support/open-stores.ts';
import { storeContract } from './store-contract.ts';

const tuning = { generationChars: 1000, directCommits: 1 };
storeContract('FileStore by the redo log, applied early', () => fileStorage(tuning));
