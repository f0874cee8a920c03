import { FileEngine, type FileTuning } from './file-engine.ts';
import { FreeSpace, freeBytesOf } from './free-space.ts';
import { TurnStore, type TurnStoreOptions } from './turn-store.ts';

export interface FileStoreOptions extends Omit<TurnStoreOptions, 'protect'> {
  /** Made if it is not there; held by a lock of the operating system until the store is closed or the process ends. */
  readonly directory: string;
  /** With less free on its disk, updates are refused with `disk-low`. Default 64 MiB. */
  readonly minFreeDiskBytes?: number;
  /** How much is free. Default: what the operating system says. */
  readonly freeBytes?: () => number;
  /** Default: 12 Mi characters, and as many commits as a run takes and a few more. */
  readonly tuning?: FileTuning;
}

const mebi = 1024 * 1024;
const defaultTuning: FileTuning = { generationChars: 12 * mebi, directCommits: 8 };

/** Keeps everything in a directory, durably: what it has told a caller survives any end of the process and power. */
export class FileStore extends TurnStore {
  /** @throws Fault `store-failed` when the directory is in use, cannot be written, or has another format */
  static async open(options: FileStoreOptions): Promise<FileStore> {
    const { directory, minFreeDiskBytes = 64 * mebi, tuning = defaultTuning } = options;
    const freeSpace = new FreeSpace(minFreeDiskBytes, options.freeBytes ?? (() => freeBytesOf(directory)));
    return new FileStore(await FileEngine.open({ directory, freeSpace, tuning }), options);
  }
}
