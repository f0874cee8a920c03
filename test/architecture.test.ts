import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { computedImport, parseSourceFile, type SourceFile } from './support/source-file.ts';

/** The parts of the tree, from the outside in. A part is found by the first pattern that matches a path. */
const parts = [
  ['main', /^src\/main\.ts$/],
  ['serve', /^src\/(serve|serve-editor|bridge-editor|open-mailbox)\.ts$/],
  ['cli', /^src\/cli\//],
  ['client', /^src\/client\//],
  ['index', /^src\/index\.ts$/],
  ['manifest', /^package\.json$/],
  ['adapter client', /^adapters\/[^/]+\/client\//],
  ['adapter', /^adapters\/[^/]+\//],
  ['server', /^src\/server\//],
  ['store port', /^src\/mailbox\/store\.ts$/],
  ['mailbox', /^src\/mailbox\//],
  ['events', /^src\/events\//],
  ['push', /^src\/push\//],
  ['agents', /^src\/agents\//],
  ['stores', /^src\/stores\//],
  ['lane', /^src\/lane\//],
  ['adapter port', /^src\/adapter\.ts$/],
  ['gateway port', /^src\/gateway\.ts$/],
  ['noun', /^src\/[^/]+\.ts$/],
  ['schemas', /^schemas\//],
] as const;

type Part = (typeof parts)[number][0];

interface Row {
  /** What of ours it may import beside itself: a part, or one file. */
  readonly ours: readonly (Part | `src/${string}.ts`)[];
  /** Which npm packages. */
  readonly packages: 'any' | readonly string[];
  readonly nodeModules: boolean;
}

const anything = { packages: 'any', nodeModules: true } as const;
const inside = ['events', 'push', 'store port', 'agents', 'lane', 'noun', 'schemas'] as const;
const everythingInSrc = ['server', 'mailbox', 'stores', 'adapter port', 'gateway port', ...inside] as const;

/** Who may import what. Every arrow points inward: a row names only parts that are further in. */
const table: Readonly<Record<Part, Row>> = {
  main: { ours: ['serve', 'cli', 'client', ...everythingInSrc], ...anything },
  serve: { ours: ['cli', 'client', 'manifest', 'adapter', ...everythingInSrc], ...anything },
  cli: { ours: ['client', 'manifest', ...everythingInSrc], ...anything },
  // Runs in browsers too.
  client: {
    ours: ['src/fault.ts', 'src/clock.ts', 'schemas'],
    packages: ['eventsource-parser'],
    nodeModules: false,
  },
  index: { ours: everythingInSrc, packages: [], nodeModules: false },
  adapter: {
    ours: [
      'adapter port',
      'gateway port',
      'src/answer-in-words.ts',
      'src/attachment.ts',
      'src/clock.ts',
      'src/deferred.ts',
      'src/exchange-signal.ts',
      'src/fault.ts',
      'src/json-body.ts',
      'src/log-position.ts',
      'src/manifest.ts',
      'src/problem.ts',
      'src/signer.ts',
      'src/sse.ts',
      'src/trace-context.ts',
      'src/url-path.ts',
      'schemas',
    ],
    ...anything,
  },
  // Runs in browsers too. The adapter itself is the only other that may import it.
  'adapter client': { ours: [], packages: ['@ag-ui/client'], nodeModules: false },
  server: { ours: ['mailbox', 'adapter port', 'gateway port', ...inside], ...anything },
  mailbox: { ours: ['gateway port', ...inside], ...anything },
  events: { ours: ['store port', 'agents', 'lane', 'gateway port', 'noun', 'schemas'], ...anything },
  push: { ours: ['noun', 'schemas'], ...anything },
  agents: { ours: ['noun', 'schemas'], ...anything },
  stores: { ours: ['store port', 'lane', 'noun', 'schemas'], ...anything },
  'store port': { ours: ['lane', 'noun', 'schemas'], packages: [], nodeModules: false },
  lane: { ours: ['noun', 'schemas'], packages: [], nodeModules: false },
  'adapter port': { ours: ['gateway port', 'noun', 'schemas'], ...anything },
  'gateway port': { ours: ['noun', 'schemas'], packages: [], nodeModules: false },
  noun: { ours: ['schemas'], ...anything },
  schemas: { ours: [], packages: ['zod'], nodeModules: false },
  manifest: { ours: [], packages: [], nodeModules: false },
};

const root = fileURLToPath(new URL('..', import.meta.url));
const ownName = 'anyport';

function partOf(path: string): Part | undefined {
  return parts.find(([, pattern]) => pattern.test(path))?.[0];
}

/** The unit that may always import from itself: one adapter, its client, one folder of src, all nouns. */
function unitOf(path: string): string | undefined {
  const part = partOf(path);
  if (part === 'adapter client') return path.split('/', 3).join('/');
  return part === 'adapter' ? path.split('/', 2).join('/') : part;
}

/** Whether a unit is another one, or inside it. */
function isWithin(inner: string | undefined, outer: string | undefined): boolean {
  return inner === outer || inner?.startsWith(`${outer}/`) === true;
}

function isAllowed(file: SourceFile, specifier: string): boolean {
  const part = partOf(file.path);
  if (part === undefined) return false;
  if (specifier === computedImport) return part === 'main' || part === 'cli';
  const row = table[part];
  if (specifier.startsWith('.')) {
    const target = posix.join(posix.dirname(file.path), specifier);
    const targetPart = partOf(target);
    if (targetPart === undefined) return false;
    return (
      isWithin(unitOf(target), unitOf(file.path)) || row.ours.some((ours) => ours === targetPart || ours === target)
    );
  }
  if (isBuiltin(specifier)) return row.nodeModules;
  const packageName = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  return packageName !== ownName && (row.packages === 'any' || row.packages.includes(packageName));
}

function outwardArrows(file: SourceFile): string[] {
  if (partOf(file.path) === undefined) return [`${file.path} has no place in the table`];
  return file.imports
    .filter((specifier) => !isAllowed(file, specifier))
    .map((specifier) => `${file.path} must not import ${specifier}`);
}

function environmentReads(file: SourceFile): string[] {
  return file.readsEnvironment && file.path !== 'src/main.ts' ? [`${file.path} must not read process.env`] : [];
}

function codeInIndex(file: SourceFile): string[] {
  const isIndex = posix.basename(file.path) === 'index.ts';
  return isIndex && !file.onlyReexports ? [`${file.path} must only re-export`] : [];
}

const files = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && ['src', 'adapters', 'schemas'].includes(entry.name))
  .flatMap((folder) =>
    readdirSync(join(root, folder.name), { recursive: true, encoding: 'utf8' }).map((path) => `${folder.name}/${path}`),
  )
  .filter((path) => path.endsWith('.ts'))
  .toSorted()
  .map((path) => parseSourceFile(path, readFileSync(join(root, path), 'utf8')));

describe('the tree', () => {
  it('has files to check', () => {
    expect(files.length).toBeGreaterThan(0);
  });

  it('imports inward only', () => {
    expect(files.flatMap(outwardArrows)).toEqual([]);
  });

  it('reads the environment in main.ts alone', () => {
    expect(files.flatMap(environmentReads)).toEqual([]);
  });

  it('has index files that only re-export', () => {
    expect(files.flatMap(codeInIndex)).toEqual([]);
  });
});

describe('the table', () => {
  it.each([
    ['src/lane/step.ts', `import { z } from '../../schemas/run.ts'; import type { Fault } from '../fault.ts';`],
    [
      'src/stores/file-store.ts',
      `import type { Store } from '../mailbox/store.ts'; import { DatabaseSync } from '@photostructure/sqlite';`,
    ],
    ['src/server/http.ts', `import { accept } from '../mailbox/accept.ts'; import { createServer } from 'node:http';`],
    [
      'adapters/ag-ui/decode.ts',
      `import { a } from './encode.ts'; import { b } from '../../src/gateway.ts'; import '@ag-ui/core';`,
    ],
    ['adapters/ag-ui/streams.ts', `import { streamHeader } from './client/stream-header.ts';`],
    ['adapters/ag-ui/client/agent.ts', `import { a } from './fetch.ts'; import '@ag-ui/client';`],
    ['src/main.ts', `const { serve } = await import('./serve.ts');`],
    ['src/serve.ts', `import { agUi } from '../adapters/ag-ui/index.ts';`],
    ['schemas/run.ts', `import { z } from 'zod'; import { RunId } from './id.ts';`],
    ['src/client/follow.ts', `import 'eventsource-parser'; import { Fault } from '../fault.ts';`],
    ['src/cli/send.ts', `import { AnyportClient } from '../client/index.ts';`],
  ])('lets %s import inward', (path, text) => {
    expect(outwardArrows(parseSourceFile(path, text))).toEqual([]);
  });

  it.each([
    ['src/lane/step.ts', `import { open } from '../stores/file-store.ts';`, '../stores/file-store.ts'],
    ['src/lane/step.ts', `import { randomUUID } from 'node:crypto';`, 'node:crypto'],
    ['src/lane/step.ts', `import type { Store } from '../mailbox/store.ts';`, '../mailbox/store.ts'],
    ['src/lane/step.ts', `import { z } from 'zod';`, 'zod'],
    ['src/events/view.ts', `export * from '../mailbox/accept.ts';`, '../mailbox/accept.ts'],
    ['src/stores/file-store.ts', `const m = await import('../mailbox/accept.ts');`, '../mailbox/accept.ts'],
    ['src/server/http.ts', `export { agUi } from '../../adapters/ag-ui/index.ts';`, '../../adapters/ag-ui/index.ts'],
    ['src/agents/agent.ts', `type M = import('../mailbox/accept.ts').M;`, '../mailbox/accept.ts'],
    ['src/fault.ts', `import { step } from './lane/step.ts';`, './lane/step.ts'],
    ['src/client/wait.ts', `import { setTimeout } from 'node:timers/promises';`, 'node:timers/promises'],
    ['src/client/wait.ts', `import { deferred } from '../deferred.ts';`, '../deferred.ts'],
    ['src/fault.ts', `import { main } from './main.ts';`, './main.ts'],
    ['src/main.ts', `import { agUi } from '../adapters/ag-ui/index.ts';`, '../adapters/ag-ui/index.ts'],
    ['adapters/ag-ui/encode.ts', `import { a } from '../a2a/encode.ts';`, '../a2a/encode.ts'],
    ['adapters/a2a/agent.ts', `import { a } from '../ag-ui/client/index.ts';`, '../ag-ui/client/index.ts'],
    ['adapters/ag-ui/client/agent.ts', `import { a } from '../streams.ts';`, '../streams.ts'],
    ['adapters/ag-ui/client/agent.ts', `import 'node:http';`, 'node:http'],
    ['adapters/ag-ui/encode.ts', `import { a } from '../../src/ids.ts';`, '../../src/ids.ts'],
    ['adapters/ag-ui/encode.ts', `import { a } from 'anyport';`, 'anyport'],
    ['schemas/run.ts', `import { Fault } from '../src/fault.ts';`, '../src/fault.ts'],
    ['schemas/run.ts', `import { EventSchemas } from '@ag-ui/core';`, '@ag-ui/core'],
    ['src/server/http.ts', `import { fake } from '../../test/support/fake.ts';`, '../../test/support/fake.ts'],
    ['src/server/http.ts', 'await import(`../${name}.ts`);', computedImport],
  ])('refuses %s: %s', (path, text, specifier) => {
    expect(outwardArrows(parseSourceFile(path, text))).toEqual([`${path} must not import ${specifier}`]);
  });

  it('refuses a file without a place', () => {
    expect(outwardArrows(parseSourceFile('src/utils/misc.ts', ''))).toEqual([
      'src/utils/misc.ts has no place in the table',
    ]);
  });

  it.each([
    `const home = process.env['HOME'];`,
    `const home = globalThis.process.env.HOME;`,
    `const { env } = process;`,
    `import { env } from 'node:process';`,
  ])('refuses the environment outside main.ts: %s', (text) => {
    const path = 'src/cli/send.ts';
    expect(environmentReads(parseSourceFile(path, text))).toEqual([`${path} must not read process.env`]);
    expect(environmentReads(parseSourceFile('src/main.ts', text))).toEqual([]);
  });

  it('refuses code in an index file', () => {
    const path = 'adapters/ag-ui/index.ts';
    expect(codeInIndex(parseSourceFile(path, `export { a } from './adapter.ts';`))).toEqual([]);
    expect(codeInIndex(parseSourceFile(path, `export const a = 1;`))).toEqual([`${path} must only re-export`]);
  });
});
