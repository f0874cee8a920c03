import { AgentCard, verifyAgentCardSignature } from '@a2a-js/sdk';
import { DefaultAgentCardResolver } from '@a2a-js/sdk/client';
import { decodeProtectedHeader, flattenedVerify, type JWK } from 'jose';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { canonicalJson, type CardSigning } from '../../adapters/a2a/card-signatures.ts';
import { JwsKeys } from '../../src/server/jws-keys.ts';
import { connect, rpc, serveA2a } from '../support/a2a-server.ts';
import { scripted } from '../support/mailbox-fixture.ts';

// The SDK tells of each signature that it passes over.
beforeEach(() => {
  vi.spyOn(console, 'debug').mockImplementation(() => undefined);
});

const keysUrl = 'https://agents.example.com/.well-known/jwks.json';
const keys = await JwsKeys.make(0);
const [key = {}] = keys.published().keys;
const signing: CardSigning = { signer: keys, keysUrl: () => keysUrl };
const retrieve = (kid: string, jku?: string): Promise<JWK> => {
  expect({ kid, jku }).toEqual({ kid: key.kid, jku: keysUrl });
  return Promise.resolve(key);
};
/** As the official SDK checks. */
const verify = verifyAgentCardSignature(retrieve);

interface Signed {
  readonly signatures?: { readonly protected: string; readonly signature: string }[];
}

async function fetchCard(url: string, version?: string): Promise<Signed> {
  const headers: Record<string, string> = version === undefined ? {} : { 'a2a-version': version };
  return (await (await fetch(`${url}/a2a/demo/.well-known/agent-card.json`, { headers })).json()) as Signed;
}

/** How many of a card's signatures are of exactly what was served. */
async function ofWhatIsServed({ signatures = [], ...served }: Signed): Promise<number> {
  const payload = Buffer.from(canonicalJson(served)).toString('base64url');
  const results = await Promise.allSettled(signatures.map((one) => flattenedVerify({ ...one, payload }, key)));
  return results.filter(({ status }) => status === 'fulfilled').length;
}

const empty = scripted(async function* () {}, { id: 'demo', name: 'Nobody', description: '', version: '' });

describe.each([
  ['that says much', undefined],
  ['that says nothing', [empty]],
])('the card of an agent %s', (_, agents) => {
  it.each([['1.0'], ['0.3']])('is signed as it is served to who speaks %s', async (version) => {
    await using server = await serveA2a({ signing, needsToken: true }, agents);
    const card = await fetchCard(server.url, version);
    expect(await ofWhatIsServed(card)).toBe(1);
    expect(await ofWhatIsServed({ ...card, name: 'Mallory' } as Signed)).toBe(0);
    expect(card).toMatchObject({ description: expect.any(String), version: expect.any(String) });
    for (const signature of card.signatures ?? []) {
      expect(decodeProtectedHeader(signature)).toEqual({ alg: 'ES256', kid: key.kid, typ: 'JOSE', jku: keysUrl });
    }
  });

  it('is accepted by the official client in either version, and not when it was changed', async () => {
    for (const [version, needsToken] of [
      ['1.0', true],
      ['1.0', false],
      ['0.3', true],
      ['0.3', false],
    ] as const) {
      await using server = await serveA2a({ signing, needsToken }, agents);
      const fetchImpl: typeof fetch = (input, init) => {
        const headers = new Headers(init?.headers);
        headers.set('a2a-version', version);
        return fetch(input, { ...init, headers });
      };
      const resolver = new DefaultAgentCardResolver({ fetchImpl });
      const card = await resolver.resolve(server.url, '/a2a/demo/.well-known/agent-card.json');
      await verify(card);
      await expect(verify({ ...card, name: 'Mallory' })).rejects.toThrow('No valid signatures');
    }
  });

  it('is signed in its extended form, as it is served to who speaks either version', async () => {
    await using server = await serveA2a({ signing, needsToken: true }, agents);
    for (const binding of ['JSONRPC', 'HTTP+JSON'] as const) {
      const client = await connect(server.url, binding);
      await verify(await client.getAgentCard());
    }
    const { body } = await rpc(server.url, { jsonrpc: '2.0', id: 1, method: 'GetExtendedAgentCard' });
    await verify(AgentCard.fromJSON(body['result']));
    const headers = { 'a2a-version': '1.0' };
    const extended = await fetch(`${server.url}/a2a/demo/extendedAgentCard`, { headers });
    expect(await ofWhatIsServed((await extended.json()) as Signed)).toBe(1);
    const method = 'agent/getAuthenticatedExtendedCard';
    const old = await rpc(server.url, { jsonrpc: '2.0', id: 1, method }, { 'a2a-version': '0.3' });
    expect(old.body['result']).toMatchObject({ protocolVersion: '0.3' });
    expect(await ofWhatIsServed(old.body['result'] as Signed)).toBe(1);
    const oldRest = (await (await fetch(`${server.url}/a2a/demo/v1/card`)).json()) as Signed;
    expect(oldRest).toMatchObject({ protocolVersion: '0.3' });
    expect(await ofWhatIsServed(oldRest)).toBe(1);
  });
});

it('a card bears no signatures unless they are asked for', async () => {
  await using server = await serveA2a();
  expect(await fetchCard(server.url, '1.0')).not.toHaveProperty('signatures');
  expect(await fetchCard(server.url)).not.toHaveProperty('signatures');
});

it.each([
  [
    'members by their code units',
    { b: 1, a: 2, '\u20ac': 3, '\r': 4, '\ud83d\ude00': 5, '\ufb33': 6 },
    '{"\\r":4,"a":2,"b":1,"\u20ac":3,"\ud83d\ude00":5,"\ufb33":6}',
  ],
  ['numbers as they are shortest', [1e30, 4.5, 2e-3, 1e-27, -0], '[1e+30,4.5,0.002,1e-27,0]'],
  ['what is not there not at all', { a: undefined, b: [null, true, { c: {} }] }, '{"b":[null,true,{"c":{}}]}'],
])('the canonical form has %s', (_, value, text) => {
  expect(canonicalJson(value)).toBe(text);
});
