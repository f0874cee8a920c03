import type * as acp from '@agentclientprotocol/sdk';
import { expect, test } from 'vitest';
import { type Deferred, deferred } from '../../src/deferred.ts';
import { Ide } from '../support/acp-client.ts';
import { AcpProcess } from '../support/acp-process.ts';
import { GatewayProcess, temporaryDirectory } from '../support/gateway-process.ts';

async function gatewayAt(path: string, before?: GatewayProcess): Promise<GatewayProcess> {
  return GatewayProcess.start(path, before === undefined ? {} : { port: Number(new URL(before.url).port) });
}

test('an answer that the gateway dies in goes on where it was, with nothing lost and nothing shown twice', async () => {
  await using data = await temporaryDirectory();
  let gateway = await gatewayAt(data.path);
  await using bridge = new AcpProcess(['--url', gateway.url, '--agent', 'demo']);
  await using ide = await Ide.open(bridge.stream);
  const session = await ide.newSession();
  const ended = ide.prompt(session, '/stream 200 10');
  await ide.seen('its middle', () => ide.of(session).length > 30);
  await gateway.kill();
  gateway = await gatewayAt(data.path, gateway);
  expect(await ended).toBe('end_turn');
  const numbers = ide.textOf(session).trim().split(' ').map(Number);
  // A process that dies takes what was not final with it: the next attempt says it anew, in a message of its own.
  expect(numbers.slice(-200)).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
  const first = numbers.slice(0, -200);
  expect(first).toEqual(first.map((_, index) => index + 1));
  expect(await ide.prompt(session, 'hello')).toBe('end_turn');
  await gateway.stop();
});

test('a question is asked once, and answered while the gateway is away', async () => {
  await using data = await temporaryDirectory();
  let gateway = await gatewayAt(data.path);
  await using bridge = new AcpProcess(['--url', gateway.url]);
  const answer: Deferred<acp.RequestPermissionResponse> = deferred();
  await using ide = await Ide.open(bridge.stream, { onPermission: () => answer.promise });
  const session = await ide.newSession();
  const ended = ide.prompt(session, '/approve');
  await ide.seen('the permission', () => ide.permissions.length === 1);
  await gateway.kill();
  const optionId = ide.permissions[0]?.options[0]?.optionId ?? '';
  answer.resolve({ outcome: { outcome: 'selected', optionId } });
  const next = ide.prompt(session, 'meanwhile');
  gateway = await gatewayAt(data.path, gateway);
  expect(await ended).toBe('end_turn');
  expect(await next).toBe('end_turn');
  expect(ide.permissions).toHaveLength(1);
  expect(ide.textOf(session)).toMatch(/Message 1 was sent\.You said: “meanwhile”$/);
  await gateway.stop();
});
