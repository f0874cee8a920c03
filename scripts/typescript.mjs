// `node --import ./scripts/typescript.mjs FILE.ts` runs TypeScript, in worker threads too:
// on Node 20 tsx's own preload leaves them out, a registration of our own does not.
import { register } from 'tsx/esm/api';

register();
