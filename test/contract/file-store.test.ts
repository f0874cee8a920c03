import { fileStorage } from '../support/open-stores.ts';
import { storeContract } from './store-contract.ts';

storeContract('FileStore', () => fileStorage());
