import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../fault.ts';
import { type Database, DatabaseSync } from './sqlite.ts';

/**
 * Owns a directory for as long as this process lives: an exclusive lock of the operating system, through SQLite since
 * Node has none of its own, which is gone with the process however that ends. It also keeps out a second owner in this
 * process.
 */
export class DirectoryLock {
  readonly directory: string;
  readonly #db: Database;

  private constructor(directory: string, db: Database) {
    this.directory = directory;
    this.#db = db;
  }

  /** @throws Fault `store-failed` when it is owned, or cannot be */
  static acquire(directory: string): DirectoryLock {
    let db: Database | undefined;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      db = new DatabaseSync(join(directory, 'lock.db'));
      db.exec('pragma busy_timeout = 0; pragma locking_mode = exclusive; begin exclusive');
      writeFileSync(ownerFile(directory), `${process.pid}\n`);
      return new DirectoryLock(directory, db);
    } catch (cause) {
      db?.close();
      throw new Fault('store-failed', refusal(directory, cause), { cause, retryable: isBusy(cause) });
    }
  }

  release(): void {
    this.#db.close();
  }
}

function refusal(directory: string, cause: unknown): string {
  if (isBusy(cause)) return `the data directory ${directory} is in use by another store${ownerOf(directory)}`;
  return `the data directory ${directory} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`;
}

function isBusy(cause: unknown): boolean {
  return cause instanceof Error && cause.message.includes('database is locked');
}

/** For the message alone: the lock is what counts. */
function ownerOf(directory: string): string {
  try {
    return `, of process ${readFileSync(ownerFile(directory), 'utf8').trim()}`;
  } catch {
    return '';
  }
}

function ownerFile(directory: string): string {
  return join(directory, 'owner.pid');
}
