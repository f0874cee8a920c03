import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AgentCard, verifyAgentCardSignature } from '@a2a-js/sdk';
import { DefaultAgentCardResolver } from '@a2a-js/sdk/client';
import { createRemoteJWKSet, type JWK, jwtVerify } from 'jose';
import { expect, test, vi } from 'vitest';
import { connect, message, sendTask } from '../support/a2a-server.ts';
import { GatewayProcess, temporaryDirectory } from '../support/gateway-process.ts';
import { until } from '../support/until.ts';
import { receiveWebhooks } from '../support/webhook-receiver.ts';

const signing = `
webhooks: { allow: [127.0.0.1] }
tokens: [{ token: ada, actor: ada }]
signing: { notifications: true }
`;

async function serve(directory: string, settings: string): Promise<GatewayProcess> {
  const config = join(directory, 'anyport.yaml');
  await writeFile(config, settings);
  return GatewayProcess.start(join(directory, 'data'), { args: ['--config', config] });
}

function fetchCard(url: string): Promise<AgentCard> {
  return new DefaultAgentCardResolver().resolve(url);
}

/** Has a webhook told of a task from its start to its end; resolves with the task's id. */
async function delegate(url: string, to: { readonly url: string; readonly authentication?: object }): Promise<string> {
  const request = message('hello');
  const { configuration } = request;
  const target = { tenant: '', id: '', taskId: '', token: '', authentication: undefined, ...to };
  if (configuration !== undefined) configuration.taskPushNotificationConfig = target as never;
  return (await sendTask(await connect(url), request)).id;
}

test('a notification says who sent it and that it is whole, and can be checked by what is published', async () => {
  await using directory = await temporaryDirectory();
  await using receiver = await receiveWebhooks(1);
  const first = await serve(directory.path, signing);
  const taskId = await delegate(first.url, receiver);
  await until('the end to be told', () => receiver.accepted.length === 2);
  expect(await first.stop()).toBe(0);

  const second = await serve(directory.path, signing);
  const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', second.url));
  const ids = new Set<unknown>();
  for (const { headers, body } of receiver.accepted) {
    const [scheme, token = ''] = (headers.authorization ?? '').split(' ');
    expect(scheme).toBe('Bearer');
    const about = { issuer: first.url, audience: receiver.url, typ: 'JWT', algorithms: ['ES256'] };
    const { payload } = await jwtVerify(token, keys, about);
    expect(payload).toMatchObject({
      taskId,
      request_body_sha256: createHash('sha256').update(body).digest('hex'),
      exp: (payload.iat ?? 0) + 300,
    });
    ids.add(payload.jti);
  }
  expect(ids.size).toBe(receiver.accepted.length);

  const authentication = { scheme: 'Basic', credentials: 'YTpi' };
  await delegate(second.url, { url: receiver.url, authentication });
  await until('the end to be told', () => receiver.accepted.length === 4);
  const headers = receiver.accepted.at(-1)?.headers;
  expect(headers?.authorization).toBe('Basic YTpi');
  await jwtVerify(String(headers?.['anyport-notification-jwt']), keys, { issuer: second.url, audience: receiver.url });
  expect(await second.stop()).toBe(0);
});

test('a card can be checked by what it says of its key, after a restart too', async () => {
  await using directory = await temporaryDirectory();
  // Each signature that it passes over is told there.
  vi.spyOn(console, 'debug').mockImplementation(() => undefined);
  const publicUrl = 'https://agents.example.com';
  const settings = `publicUrl: ${publicUrl}\ntokens: [{ token: ada, actor: ada }]\nsigning: { cards: true }\n`;
  const first = await serve(directory.path, settings);
  const card = await fetchCard(first.url);
  expect(await first.stop()).toBe(0);
  const second = await serve(directory.path, settings);
  const retrieve = async (kid: string, jku = ''): Promise<JWK> => {
    const published = await fetch(jku.replace(publicUrl, second.url));
    const { keys } = (await published.json()) as { keys: JWK[] };
    return keys.find((key) => key.kid === kid) ?? {};
  };
  await verifyAgentCardSignature(retrieve)(card);
  await verifyAgentCardSignature(retrieve)(await fetchCard(second.url));
  expect(await second.stop()).toBe(0);
});

test('nothing is signed, and nothing published, unless it is asked for', async () => {
  await using directory = await temporaryDirectory();
  await using receiver = await receiveWebhooks();
  const gateway = await serve(directory.path, 'webhooks: { allow: [127.0.0.1] }\n');
  await delegate(gateway.url, receiver);
  await until('the end to be told', () => receiver.accepted.length === 2);
  expect(receiver.accepted.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
  expect((await fetch(`${gateway.url}/.well-known/jwks.json`)).status).toBe(404);
  expect(await gateway.stop()).toBe(0);
});
