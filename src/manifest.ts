import { createRequire } from 'node:module';

/** This package's own manifest; by name, because source and build lie at different depths below it. */
export const manifest = createRequire(import.meta.url)('anyport/package.json') as {
  readonly name: string;
  readonly version: string;
  readonly description: string;
};
