import { extname } from 'node:path';

/** Where the writer's thread starts: beside this file, in TypeScript or compiled as this file is. */
export const sqliteWorkerFile = new URL(`./sqlite-worker${extname(import.meta.url)}`, import.meta.url);
