import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  calculateJwkThumbprint,
  type CryptoKey,
  exportJWK,
  FlattenedSign,
  generateKeyPair,
  importJWK,
  importPKCS8,
  type JWK,
} from 'jose';
import * as z from 'zod';
import { Fault } from '../fault.ts';
import type { Jws, Signer } from '../signer.ts';

/** Where the public halves are found. https://www.rfc-editor.org/rfc/rfc7517#section-5 */
export const jwksPath = '/.well-known/jwks.json';

const name = 'jws-keys.json';
const alg = 'ES256';
/** Beside the one that signs, so many are still published. */
const oldKeys = 3;

/** A key on P-256; one that does not sign any more has no private half. */
const Key = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string(),
  y: z.string(),
  d: z.string().optional(),
  kid: z.string(),
  /** When it was made, in seconds. */
  iat: z.number(),
});
type Key = z.infer<typeof Key>;
const Kept = z.object({ keys: z.array(Key) });

export interface KeepingOptions {
  readonly nowMs: number;
  /** From which age on a key is replaced by a new one; 0: never. */
  readonly rotateAfterMs: number;
}

/** The keys that the gateway signs with in its own name: the first one signs, the public halves of all are published. */
export class JwsKeys implements Signer {
  readonly #keys: readonly Key[];
  readonly #kid: string;
  readonly #signing: CryptoKey;

  private constructor(keys: readonly Key[], kid: string, signing: CryptoKey) {
    this.#keys = keys;
    this.#kid = kid;
    this.#signing = signing;
  }

  /** Of this process alone. */
  static async make(nowMs: number): Promise<JwsKeys> {
    return JwsKeys.#of([await newKey(nowMs)]);
  }

  /** Out of private keys in PEM (PKCS #8). @throws Fault `config-invalid` */
  static async read(pems: readonly string[]): Promise<JwsKeys> {
    return JwsKeys.#of(await Promise.all(pems.map(readKey)));
  }

  /** Those of a data directory, which the caller owns; made at the first use. @throws Fault `record-unreadable` */
  static async keep(directory: string, { nowMs, rotateAfterMs }: KeepingOptions): Promise<JwsKeys> {
    const path = join(directory, name);
    const kept = await load(path);
    const [newest] = kept;
    const isOld = newest === undefined || (rotateAfterMs > 0 && nowMs - newest.iat * 1000 >= rotateAfterMs);
    if (!isOld) return JwsKeys.#of(kept);
    const keys = [await newKey(nowMs), ...kept.slice(0, oldKeys).map(publicHalf)];
    await save(path, keys);
    return JwsKeys.#of(keys);
  }

  static async #of(keys: readonly Key[]): Promise<JwsKeys> {
    const [first] = keys;
    if (first?.d === undefined) throw new Fault('record-unreadable', `the first key of ${name} has no private half`);
    return new JwsKeys(keys, first.kid, (await importJWK(jwkOf(first), alg)) as CryptoKey);
  }

  /** A JWK Set. */
  published(): { readonly keys: readonly JWK[] } {
    return { keys: this.#keys.map(({ kty, crv, x, y, kid }) => ({ kty, crv, x, y, kid, alg, use: 'sig' })) };
  }

  async sign(payload: Uint8Array, header: { readonly typ: string; readonly jku?: string }): Promise<Jws> {
    const protectedHeader = { alg, kid: this.#kid, ...header };
    const signed = await new FlattenedSign(payload).setProtectedHeader(protectedHeader).sign(this.#signing);
    return { protected: signed.protected ?? '', payload: signed.payload, signature: signed.signature };
  }
}

function publicHalf({ kty, crv, x, y, kid, iat }: Key): Key {
  return { kty, crv, x, y, kid, iat };
}

function jwkOf({ kty, crv, x, y, d }: Key): JWK {
  return { kty, crv, x, y, ...(d === undefined ? {} : { d }) };
}

async function newKey(nowMs: number): Promise<Key> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return keyOf(privateKey, nowMs);
}

async function readKey(pem: string, index: number): Promise<Key> {
  try {
    return await keyOf(await importPKCS8(pem, alg, { extractable: true }), 0);
  } catch (cause) {
    const path = `signing.keys[${index}]`;
    throw new Fault('config-invalid', `${path}: is no private key on P-256 in PEM (PKCS #8)`, { path, cause });
  }
}

async function keyOf(key: CryptoKey, nowMs: number): Promise<Key> {
  const jwk = await exportJWK(key);
  return Key.parse({ ...jwk, kid: await calculateJwkThumbprint(jwk), iat: Math.floor(nowMs / 1000) });
}

async function load(path: string): Promise<Key[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return [];
  try {
    return Kept.parse(JSON.parse(text)).keys;
  } catch (cause) {
    throw new Fault('record-unreadable', `${path} does not hold the keys that it is for`, { cause });
  }
}

/** Nothing is signed with a key that a crash could lose, and others may not read it. */
async function save(path: string, keys: readonly Key[]): Promise<void> {
  const unfinished = `${path}.new`;
  await writeFile(unfinished, JSON.stringify({ keys }), { mode: 0o600, flush: true });
  await rename(unfinished, path);
}
