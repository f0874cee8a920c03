import { closeSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Database, DatabaseSync } from './sqlite.ts';

/** Every row carries the one it was written in; a database is of its newest rows'. */
export const formatVersion = 3;

export const databaseName = 'anyport.db';

/**
 * What new threads commit goes straight to `thread`, `record` and `event`. What older ones do is first one row of `redo`
 * for all of them, as text (see change-text.ts); it is applied later, many commits at a time, and the row goes. What is
 * ready or due by a new lane is in `thread` at once either way. A thread's lane is its record of kind `lane`. Of records
 * that are listed, the scope and where they are filed stand beside their text (see filing.ts).
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
    waiting integer not null,
    v integer not null
  );
  create unique index thread_name on thread (scope, name);
  create index thread_wake on thread (wake_at) where wake_at is not null;
  create index thread_ready on thread (scope, ready_actor, ready_at, id) where ready_at is not null;
  create index thread_held on thread (scope, name) where held = 1;
  create index thread_waiting on thread (waiting) where waiting > 0;

  create table record (
    thread integer not null,
    kind text not null,
    id text not null,
    v integer not null,
    scope text,
    filing_key text,
    filing_label text,
    body text not null,
    primary key (thread, kind, id)
  ) without rowid;
  create index record_filed on record (scope, kind, filing_key) where scope is not null;
  create index record_label on record (scope, kind, filing_label, filing_key) where scope is not null;
  create index record_thread_label on record (thread, kind, filing_label, id) where scope is not null;

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
} as const;

/**
 * A connection that waits, from its first statement on, where another one has the file for a moment. The last one to leave
 * has it so, and with the packaged SQLite that is when a closed one is collected, at any time.
 */
export function connect(file: string, options: { readonly readOnly?: boolean } = {}): Database {
  return new DatabaseSync(file, { ...options, timeout: 5000 });
}

/** Opens the database of a directory to write; makes it if there is none. The caller owns the directory. */
export function openTables(file: string): Database {
  // Conversations are nobody else's to read, also where the directory is open to others; SQLite's own files follow this one.
  closeSync(openSync(file, 'a', 0o600));
  const db = connect(file);
  try {
    const version = versionOf(db, file);
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

/** 0 for a database that was just made. @throws OtherFormat */
export function versionOf(db: Database, file: string): number {
  const version = Number(readPragma(db, 'user_version'));
  if (version !== 0 && version !== formatVersion) throw new OtherFormat(file, version);
  return version;
}

/** A database that only a newer program, or an earlier one, can read. It has not been touched. */
export class OtherFormat extends Error {
  constructor(file: string, version: number) {
    const has = `${file} has format ${version}`;
    super(
      version > formatVersion
        ? `${has}, and this program reads up to format ${formatVersion}: use a newer one`
        : `${has}, made by an earlier version, and this program reads format ${formatVersion} alone: ` +
            `move the directory ${dirname(file)} away to start with an empty one, or use the version that made it`,
    );
  }
}

function readPragma(db: Database, name: string): unknown {
  return Object.values(db.prepare(`pragma ${name}`).get() as object)[0];
}
