import { MemoryEngine } from './memory-engine.ts';
import { TurnStore, type TurnStoreOptions } from './turn-store.ts';

/** Keeps everything for as long as its engine is kept, by the rules of the file store. Lanes it shows are frozen. */
export class MemoryStore extends TurnStore {
  constructor(options: Omit<TurnStoreOptions, 'protect'>, engine = new MemoryEngine()) {
    super(engine, { ...options, protect: freeze });
  }
}

function freeze(value: object): void {
  if (Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) freeze(inner as object);
}
