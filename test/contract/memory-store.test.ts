import { memoryStorage } from '../support/open-stores.ts';
import { storeContract } from './store-contract.ts';

storeContract('MemoryStore', () => memoryStorage());
