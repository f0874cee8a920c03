import type * as Sqlite from '@photostructure/sqlite';

// Before 3.51.3, two connections that reset a WAL at once could corrupt it: https://sqlite.org/wal.html#walresetbug
const [major = 0, minor = 0, patch = 0] = (process.versions['sqlite'] ?? '').split('.').map(Number);
const builtInIsSafe = major * 1_000_000 + minor * 1_000 + patch >= 3_051_003;
// Before Node 24 it is an experiment, and every thread that loads it prints a warning that it is.
const builtInIsStable = Number.parseInt(process.versions.node, 10) >= 24;
const builtIn = builtInIsSafe && builtInIsStable ? process.getBuiltinModule('node:sqlite') : undefined;

/** Node's own SQLite where it is good enough, otherwise the packaged one: the same API. */
export const { DatabaseSync } = (builtIn ?? (await import('@photostructure/sqlite'))) as typeof Sqlite;
export type Database = InstanceType<typeof DatabaseSync>;
