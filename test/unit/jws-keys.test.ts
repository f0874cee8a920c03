import { generateKeyPairSync } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLocalJWKSet, decodeProtectedHeader, flattenedVerify, type JSONWebKeySet } from 'jose';
import { expect, it } from 'vitest';
import { JwsKeys } from '../../src/server/jws-keys.ts';
import { temporaryDirectory } from '../support/gateway-process.ts';

const rotateAfterMs = 1000;
const keysOf = (keys: JwsKeys) => createLocalJWKSet(keys.published() as JSONWebKeySet);
const kidsOf = (keys: JwsKeys) => keys.published().keys.map(({ kid }) => kid);
const sign = (keys: JwsKeys) => keys.sign(new TextEncoder().encode('{"a":1}'), { typ: 'JOSE' });

function pem(namedCurve = 'P-256'): string {
  return generateKeyPairSync('ec', { namedCurve }).privateKey.export({ format: 'pem', type: 'pkcs8' }) as string;
}

it('are kept in the data directory for their owner alone, and sign again after a restart', async () => {
  await using directory = await temporaryDirectory();
  const first = await JwsKeys.keep(directory.path, { nowMs: 5000, rotateAfterMs });
  const again = await JwsKeys.keep(directory.path, { nowMs: 5999, rotateAfterMs });
  expect(again.published()).toEqual(first.published());
  expect((await stat(join(directory.path, 'jws-keys.json'))).mode & 0o777).toBe(0o600);
  const { payload, protectedHeader } = await flattenedVerify(await sign(first), keysOf(again));
  expect(new TextDecoder().decode(payload)).toBe('{"a":1}');
  expect(protectedHeader).toEqual({ alg: 'ES256', kid: kidsOf(first)[0], typ: 'JOSE' });
});

it('tell nobody a private half', async () => {
  const { keys } = (await JwsKeys.make(0)).published();
  expect(keys).toEqual([
    {
      kty: 'EC',
      crv: 'P-256',
      x: expect.any(String),
      y: expect.any(String),
      kid: expect.any(String),
      alg: 'ES256',
      use: 'sig',
    },
  ]);
});

it('are replaced at an age, and what three of them have signed can still be checked', async () => {
  await using directory = await temporaryDirectory();
  const made: JwsKeys[] = [];
  for (const nowMs of [1000, 2000, 3000, 4000, 5000]) {
    made.push(await JwsKeys.keep(directory.path, { nowMs, rotateAfterMs }));
  }
  const newest = made.at(-1) as JwsKeys;
  expect(kidsOf(newest)).toEqual(
    made
      .map((keys) => kidsOf(keys)[0])
      .toReversed()
      .slice(0, 4),
  );
  for (const keys of made.slice(1)) await flattenedVerify(await sign(keys), keysOf(newest));
  await expect(flattenedVerify(await sign(made[0] as JwsKeys), keysOf(newest))).rejects.toThrow('no applicable key');
  const kept = JSON.parse(await readFile(join(directory.path, 'jws-keys.json'), 'utf8')) as { keys: { d?: string }[] };
  expect(kept.keys.map(({ d }) => d === undefined)).toEqual([false, true, true, true]);
  expect(kidsOf(await JwsKeys.keep(directory.path, { nowMs: 1e12, rotateAfterMs: 0 }))).toEqual(kidsOf(newest));
});

it('come from the configuration as well: the first signs, and the others are published beside it', async () => {
  const [old, fresh] = [pem(), pem()];
  const before = await JwsKeys.read([old]);
  const after = await JwsKeys.read([fresh, old]);
  expect(kidsOf(after)[1]).toBe(kidsOf(before)[0]);
  await flattenedVerify(await sign(before), keysOf(after));
  expect(decodeProtectedHeader(await sign(after)).kid).toBe(kidsOf(after)[0]);
});

it.each([
  ['nothing of the kind', 'secret'],
  ['on another curve', pem('P-384')],
])('that are %s are refused by their place', async (_, other) => {
  await expect(JwsKeys.read([pem(), other])).rejects.toMatchObject({ code: 'config-invalid', path: 'signing.keys[1]' });
});

it('that cannot be read are not replaced', async () => {
  await using directory = await temporaryDirectory();
  await writeFile(join(directory.path, 'jws-keys.json'), '{"keys":');
  const kept = JwsKeys.keep(directory.path, { nowMs: 1000, rotateAfterMs });
  await expect(kept).rejects.toMatchObject({ code: 'record-unreadable' });
});
