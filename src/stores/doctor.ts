import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../fault.ts';
import { DirectoryLock } from './directory-lock.ts';
import { examine, type Findings } from './examination.ts';
import type { Database } from './sqlite.ts';
import { connect, databaseName, versionOf } from './tables.ts';
import { Writer } from './writer.ts';

/**
 * Looks through a data directory that no process uses, and changes nothing in it: whether every lane, record and event
 * can be read, logs are numbered without gap, threads are found where their lanes say, and records are listed as they say.
 * @throws Fault `not-found` where there is no store, `store-failed` when it is in use or cannot be opened
 */
export async function doctor(directory: string): Promise<Findings> {
  const file = join(directory, databaseName);
  if (!existsSync(file)) throw new Fault('not-found', `there is no store in ${directory}`);
  const lock = DirectoryLock.acquire(directory);
  try {
    return open(file);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Fault('store-failed', `${file} cannot be examined: ${why}`, { cause });
  } finally {
    lock.release();
  }
}

function open(file: string): Findings {
  const reading = connect(file, { readOnly: true });
  try {
    if (versionOf(reading, file) === 0) return { threads: 0, events: 0, records: 0, problems: [] };
    if (reading.prepare('select 1 from redo limit 1').get() === undefined) return examine(reading);
  } finally {
    reading.close();
  }
  const writing = connect(file);
  try {
    return examineRedone(writing);
  } finally {
    writing.close();
  }
}

/** As the next start will find it: with what its last process has left to apply, and then without again. */
function examineRedone(db: Database): Findings {
  db.exec('begin immediate');
  try {
    new Writer(db, Number.POSITIVE_INFINITY).redo();
    return examine(db);
  } finally {
    db.exec('rollback');
  }
}
