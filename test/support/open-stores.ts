import { cp } from 'node:fs/promises';
import type { Clock } from '../../src/clock.ts';
import type { Store } from '../../src/mailbox/store.ts';
import type { Engine } from '../../src/stores/engine.ts';
import { FileEngine, type FileTuning } from '../../src/stores/file-engine.ts';
import { FileStore } from '../../src/stores/file-store.ts';
import { FreeSpace } from '../../src/stores/free-space.ts';
import { MemoryEngine } from '../../src/stores/memory-engine.ts';
import { MemoryStore } from '../../src/stores/memory-store.ts';
import type { CacheLimits } from '../../src/stores/thread-cache.ts';
import { TurnStore } from '../../src/stores/turn-store.ts';
import { temporaryDirectory } from './gateway-process.ts';

export interface OpenOptions {
  readonly clock: Clock;
  readonly cache?: CacheLimits;
  /** Puts something before the engine, for this opening. */
  readonly wrap?: (engine: Engine) => Engine;
}

/** What a store keeps, to be opened again and again. */
export interface Storage extends AsyncDisposable {
  open(options: OpenOptions): Promise<Store & AsyncDisposable>;
  /** What is left if the process that has it open is killed now. */
  killed(): Promise<Storage>;
}

export type NewStorage = () => Promise<Storage>;

/** The texts outlive each store over them. */
export async function memoryStorage(engine = new MemoryEngine()): Promise<Storage> {
  return {
    open: async ({ wrap, ...options }) =>
      wrap === undefined ? new MemoryStore(options, engine) : new TurnStore(wrap(engine), options),
    killed: () => memoryStorage(engine),
    [Symbol.asyncDispose]: async () => {},
  };
}

export async function fileStorage(
  tuning: FileTuning = { generationChars: 100_000, directCommits: 8 },
): Promise<Storage> {
  return storageIn(await temporaryDirectory(), tuning);
}

function storageIn(directory: Awaited<ReturnType<typeof temporaryDirectory>>, tuning: FileTuning): Storage {
  return {
    open: async ({ wrap, ...options }) => {
      if (wrap === undefined) return FileStore.open({ ...options, directory: directory.path, tuning });
      const engine = await FileEngine.open({
        directory: directory.path,
        freeSpace: new FreeSpace(0, () => 0),
        tuning,
      });
      return new TurnStore(wrap(engine), options);
    },
    killed: async () => {
      const copy = await temporaryDirectory();
      await cp(directory.path, copy.path, { recursive: true });
      return storageIn(copy, tuning);
    },
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}
