import type { Store } from '../../src/mailbox/store.ts';

const never = new Promise<never>(() => undefined);
/** What is no question to the disk. */
const unaware: ReadonlySet<string | symbol> = new Set(['health', 'watch', 'waiting']);

/** A process’s store: when the process dies, nothing it asked for is answered any more. */
export interface ProcessStore {
  readonly store: Store;
  /** Whether the process is dead. */
  readonly isDead: () => boolean;
}

/**
 * The process dies at its n-th write: that one is lost, or kept without anybody being told. What the process does from
 * then on never reaches the store.
 */
export function dyingAt(store: Store, write: number, isKept: boolean): ProcessStore {
  let writes = 0;
  const of = store as unknown as Record<string | symbol, (...args: unknown[]) => unknown>;
  const call = (name: string | symbol, args: unknown[]): unknown => {
    const isWrite = name === 'update' || name === 'append';
    if (isWrite) writes += 1;
    if (writes > write || (writes === write && isWrite && !isKept)) return never;
    const result = of[name]?.apply(store, args);
    return writes === write && isWrite ? never : result;
  };
  const dying = new Proxy(store, {
    get: (_, name) => {
      if (unaware.has(name)) return (...args: unknown[]) => of[name]?.apply(store, args);
      return (...args: unknown[]) => call(name, args);
    },
  });
  return { store: dying, isDead: () => writes >= write };
}

/** The process dies when it is told to. */
export function mortal(store: Store): { readonly store: Store; readonly kill: () => void } {
  let isDead = false;
  const of = store as unknown as Record<string | symbol, (...args: unknown[]) => unknown>;
  const dying = new Proxy(store, {
    get:
      (_, name) =>
      (...args: unknown[]) =>
        isDead && !unaware.has(name) ? never : of[name]?.apply(store, args),
  });
  return {
    store: dying,
    kill: () => {
      isDead = true;
    },
  };
}
