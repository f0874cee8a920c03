import { randomBytes } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const name = 'signing-key';
const keyBytes = 32;

/** A secret of this process alone. */
export function newSigningKey(): Uint8Array {
  return randomBytes(keyBytes);
}

/** The secret that a data directory's links are signed with; made at the first start. The caller owns the directory. */
export async function loadSigningKey(directory: string): Promise<Uint8Array> {
  const path = join(directory, name);
  const kept = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  // One that was cut off while it was written has signed nothing yet.
  if (kept?.length === keyBytes) return kept;
  const key = newSigningKey();
  await using file = await open(path, 'w', 0o600);
  await file.writeFile(key);
  await file.sync();
  return key;
}
