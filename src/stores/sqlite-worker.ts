import { parentPort, workerData } from 'node:worker_threads';
import type { WriterAnswer, WriterData, WriterRequest } from './sqlite-messages.ts';
import type { Database } from './sqlite.ts';
import { openTables, OtherFormat } from './tables.ts';
import { Writer } from './writer.ts';

// The thread that writes: it opens the database, says so, and answers requests in order. It loads only what it needs, so
// that a process starts quickly.

if (parentPort === null) throw new Error('this file is the start of a worker thread');
const port = parentPort;
const { file, generationChars } = workerData as WriterData;

function start(): void {
  let db: Database;
  let writer: Writer;
  try {
    db = openTables(file);
    writer = new Writer(db, generationChars);
    writer.recover();
  } catch (error) {
    answer(failed(error, 'be opened'));
    return;
  }
  answer({ is: 'opened', lastThread: writer.lastThread() });
  let failure: WriterAnswer | undefined;
  port.on('message', (request: WriterRequest) => {
    if (request.is === 'close') {
      close(db, failure === undefined ? writer : undefined);
      return;
    }
    try {
      answer(failure ?? perform(writer, request));
    } catch (error) {
      failure = failed(error, 'be written');
      answer(failure);
    }
  });
}

/**
 * Has the database file hold everything. To close the last connection would do so too, and the packaged SQLite keeps a
 * closed one until its statements are collected. A log that stays could come to hold more than was ever read from it:
 * while any connection is left, nobody looks for what a process wrote just before it was killed. Waits for nobody who reads.
 */
const emptyLog = 'pragma busy_timeout = 0; pragma wal_checkpoint(truncate)';

function perform(writer: Writer, request: Exclude<WriterRequest, { is: 'close' }>): WriterAnswer {
  return request.is === 'commit'
    ? { is: 'committed', ...writer.commit(request.direct, request.redo) }
    : { is: 'purged', events: writer.purge(request.olderThanMs, request.limit) };
}

function close(db: Database, writer: Writer | undefined): void {
  try {
    writer?.settle();
    if (writer !== undefined) db.exec(emptyLog);
  } catch {
    // What could not be applied is in the redo log, and is applied at the next start.
  }
  db.close();
  answer({ is: 'closed' });
  port.close();
}

function failed(error: unknown, what: string): WriterAnswer {
  if (error instanceof OtherFormat) return { is: 'failed', why: error.message, retryable: false };
  const why = error instanceof Error ? error.message : String(error);
  return { is: 'failed', why: `the database ${file} cannot ${what}: ${why}`, retryable: true };
}

function answer(message: WriterAnswer): void {
  port.postMessage(message);
}

start();
