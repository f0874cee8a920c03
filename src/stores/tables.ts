import { type Database, DatabaseSync } from './sqlite.ts';

/** Every row carries the one it was written in; a database is of its newest rows'. */
export const formatVersion = 1;

export const databaseName = 'anyport.db';

/**
 * What new threads commit goes straight to `thread`, `record` and `event`. What older ones do is first one row of `redo`
 * for all of them, as text (see change-text.ts); it is applied later, many commits at a time, and the row goes. What is
 * ready or due by a new lane is in `thread` at once either way. A thread's lane is its record of kind `lane`.
 */
const tables = `
  create table thread (
    id integer primary key,
    scope text not null,
    name text not null,
    wake_at integer,
    ready_at integer,
    ready_actor text,
    held integer not null,
    v integer not null
  );
  create unique index thread_name on thread (scope, name);
  create index thread_wake on thread (wake_at) where wake_at is not null;
  create index thread_ready on thread (scope, ready_actor, ready_at, id) where ready_at is not null;
  create index thread_held on thread (scope, name) where held = 1;

  create table record (
    thread integer not null,
    kind text not null,
    id text not null,
    v integer not null,
    body text not null,
    primary key (thread, kind, id)
  ) without rowid;
  create index record_place on record (id, kind) where kind in ('run', 'ticket');

  create table event (
    thread integer not null,
    last integer not null,
    first integer not null,
    first_at integer not null,
    last_at integer not null,
    v integer not null,
    body text not null,
    primary key (thread, last)
  ) without rowid;

  create table redo (n integer primary key, v integer not null, body text not null);
`;

/** Set when a database is opened to write, read back, and refused when they are not what they should be. */
const pragmas = {
  page_size: 8192,
  journal_mode: 'wal',
  /** FULL: a commit is on disk when it returns. */
  synchronous: 2,
  /** Pages are copied into the database a few at a time, so that no commit waits for many. */
  wal_autocheckpoint: 500,
  busy_timeout: 5000,
} as const;

/** Opens the database of a directory to write; makes it if there is none. The caller owns the directory. */
export function openTables(file: string): Database {
  const db = new DatabaseSync(file);
  try {
    const version = versionOf(db);
    if (version > formatVersion) throw new NewerFormat(file, version);
    for (const [name, value] of Object.entries(pragmas)) {
      db.exec(`pragma ${name} = ${value}`);
      if (readPragma(db, name) !== value)
        throw new Error(`pragma ${name} is ${String(readPragma(db, name))}, not ${value}`);
    }
    db.exec('pragma cache_size = -65536');
    if (version === 0) db.exec(`begin immediate; ${tables} pragma user_version = ${formatVersion}; commit`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** 0 for a database that was just made. */
export function versionOf(db: Database): number {
  return Number(readPragma(db, 'user_version'));
}

/** A database that only a newer program can read. It has not been touched. */
export class NewerFormat extends Error {
  constructor(file: string, version: number) {
    super(`${file} has format ${version}, and this program reads up to format ${formatVersion}: use a newer one`);
  }
}

function readPragma(db: Database, name: string): unknown {
  return Object.values(db.prepare(`pragma ${name}`).get() as object)[0];
}
