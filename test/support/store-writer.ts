// A process that writes to a file store until it is killed: turns and appends on several threads at once. It prints a
// line for each that was acknowledged, after that, and never otherwise.
import { systemClock } from '../../src/clock.ts';
import type { Store } from '../../src/mailbox/store.ts';
import { FileStore } from '../../src/stores/file-store.ts';
import { change, claimed, memory, note, notice, openRun, running, threadOf } from './turns.ts';

const [directory = '', round = '', generationChars = '', directCommits = ''] = process.argv.slice(2);
const threads = ['a', 'b', 'c', 'd', 'e', 'f'];

function say(line: object): void {
  // Not a plain write to the descriptor: starting a worker made that one non-blocking, and it throws when a reader lags.
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Turns on one thread, several at a time, each with a record beside its event. */
async function turns(store: Store, name: string): Promise<never> {
  const thread = threadOf(name);
  for (let n = 0; ; n += 3) {
    await Promise.all(
      [n, n + 1, n + 2].map(async (call) => {
        const text = `${round}.${call} ${'x'.repeat((call * 37) % 500)}`;
        await store.update(thread, note(thread, text));
        say({ thread: name, texts: [text] });
      }),
    );
  }
}

/** Claims of one thread, each with some appends and a closing turn. */
async function appends(store: Store, name: string): Promise<never> {
  const thread = threadOf(name);
  for (let run = 0; ; run++) {
    const id = `${round}.${run}`;
    const claim = await claimed(store, thread, id, id);
    for (let ordinal = 1; ordinal <= 4; ordinal++) {
      const texts = Array.from({ length: ordinal }, (_, at) => `${id}.${ordinal}.${at}`);
      await store.append(claim, ordinal, texts.map(notice));
      say({ thread: name, texts });
    }
    await store.update(thread, (lane, found, nowMs) => {
      const step = change(thread, { open: run % 3 === 0 ? openRun(id, running(id)) : undefined })(lane, found, nowMs);
      return { ...step, writes: [memory('last run', id)] };
    });
    say({ thread: name, texts: [], lastRun: id });
  }
}

say({ opening: directory });
const tuning = { generationChars: Number(generationChars), directCommits: Number(directCommits) };
const store = await FileStore.open({ directory, clock: systemClock, tuning });
say({ opened: directory });
await Promise.all(threads.map((name, at) => (at % 2 === 0 ? turns(store, name) : appends(store, name))));
