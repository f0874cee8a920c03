import { A2AService } from '@a2a-js/sdk/server/grpc';
import { status as codes } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { metadataOf, sendBytes } from '../support/a2a-grpc-client.ts';
import { message, rpc, serveA2a } from '../support/a2a-server.ts';

const odd = [5, 'x', null, [], {}, [5], true];
const whole = { messageId: 'm', role: 'ROLE_USER', parts: [{ text: 'hello' }] };
const old = { kind: 'message', messageId: 'm', role: 'user', parts: [{ kind: 'text', text: 'hello' }] };

const members = ['messageId', 'role', 'parts', 'metadata', 'extensions', 'referenceTaskIds', 'taskId', 'contextId'];
const contents = ['text', 'raw', 'url', 'data'];
const about = ['metadata', 'filename', 'mediaType'];
const settings = ['historyLength', 'returnImmediately', 'acceptedOutputModes', 'taskPushNotificationConfig'];

const requests = odd.flatMap((value): object[] => [
  { message: value },
  { message: whole, configuration: value },
  { message: whole, metadata: value },
  ...members.map((key) => ({ message: { ...whole, [key]: value } })),
  ...contents.map((key) => ({ message: { ...whole, parts: [{ [key]: value }] } })),
  ...about.map((key) => ({ message: { ...whole, parts: [{ text: 'hello', [key]: value }] } })),
  ...settings.map((key) => ({ message: whole, configuration: { [key]: value } })),
]);
const oldRequests = [undefined, ...odd].flatMap((value): object[] => [
  { message: value },
  { message: old, configuration: value },
  { message: old, metadata: value },
  ...['messageId', 'role', 'parts', 'metadata', 'extensions'].map((key) => ({ message: { ...old, [key]: value } })),
  { message: { ...old, parts: [value] } },
  { message: { ...old, parts: [{ kind: 'file', file: value }] } },
  { message: { ...old, parts: [{ kind: 'text', text: value }] } },
  { message: { ...old, parts: [{ kind: 'data', data: value }] } },
]);

it.each([
  ['1.0', 'SendMessage', requests],
  ['0.3', 'message/send', oldRequests],
] as const)('whatever a message of %s holds, it is taken or refused for what it is', async (version, method, all) => {
  await using server = await serveA2a();
  for (const params of all) {
    const { status, body } = await rpc(
      server.url,
      { jsonrpc: '2.0', id: 1, method, params },
      { 'a2a-version': version },
    );
    const { error } = body as { error?: { code: number; message: string } };
    expect({ params, status, code: error?.code }).toMatchObject({ status: 200 });
    expect([undefined, -32602, -32001, -32003, -32005], JSON.stringify({ params, error })).toContain(error?.code);
  }
  expect(server.logged.filter(({ message: said }) => said.includes('failed'))).toEqual([]);
});

const nested = (levels: number): string => `${'{"a":'.repeat(levels)}0${'}'.repeat(levels)}`;

it.each([
  [
    'message.parts[0].data',
    (deep: string) => `{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"data":${deep}}]}}`,
  ],
  [
    'message.parts[0].metadata',
    (deep: string) => `{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"x","metadata":${deep}}]}}`,
  ],
  [
    'message.metadata',
    (deep: string) => `{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"x"}],"metadata":${deep}}}`,
  ],
  [
    'metadata',
    (deep: string) => `{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"x"}]},"metadata":${deep}}`,
  ],
])('%s is refused when it is nested too deep', { tags: 'ill-formed-message-is-refused' }, async (field, params) => {
  await using server = await serveA2a();
  const send = async (levels: number) => {
    const asked = `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":${params(nested(levels))}}`;
    return (await rpc(server.url, asked)).body;
  };
  expect(await send(128)).toHaveProperty('result');
  for (const levels of [129, 5000, 200_000]) {
    const fieldViolations = [{ field, description: 'is nested more than 128 levels deep' }];
    expect(await send(levels)).toMatchObject({ error: { code: -32602, data: [{}, { fieldViolations }] } });
  }
  expect(server.logged.filter(({ message: said }) => said.includes('failed'))).toEqual([]);
});

it('what is nested too deep is refused in 0.3 as well', { tags: 'ill-formed-message-is-refused' }, async () => {
  await using server = await serveA2a();
  const headers = { 'content-type': 'application/json', 'a2a-version': '0.3' };
  for (const levels of [129, 5000, 200_000]) {
    const part = `{"kind":"data","data":${nested(levels)}}`;
    const params = `{"message":{"kind":"message","messageId":"m","role":"user","parts":[${part}]}}`;
    const asked = `{"jsonrpc":"2.0","id":1,"method":"message/send","params":${params}}`;
    expect((await rpc(server.url, asked, headers)).body).toMatchObject({ error: { code: -32602 } });
    const content = `[{"data":{"data":${nested(levels)}}}]`;
    const body = `{"message":{"messageId":"m","role":"ROLE_USER","content":${content}}}`;
    const response = await fetch(`${server.url}/a2a/demo/v1/message:send`, { method: 'POST', headers, body });
    expect({ levels, status: response.status }).toEqual({ levels, status: 400 });
    await response.arrayBuffer();
  }
  expect(server.logged.filter(({ message: said }) => said.includes('failed'))).toEqual([]);
});

it('a body of HTTP+JSON that cannot be read is refused', async () => {
  await using server = await serveA2a();
  for (const params of requests) {
    const response = await fetch(`${server.url}/a2a/demo/message:send`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'a2a-version': '1.0' },
      body: JSON.stringify(params),
    });
    expect([200, 400, 404], JSON.stringify(params)).toContain(response.status);
    await response.arrayBuffer();
  }
});

it('whatever the bytes of a message are, they are taken or refused for what they are', async () => {
  await using server = await serveA2a({ grpc: {} });
  const bytes = A2AService.sendMessage.requestSerialize(message('hello', { contextId: 'c', data: { a: [1, 'x'] } }));
  const foreseen = [undefined, codes.INVALID_ARGUMENT, codes.NOT_FOUND, codes.FAILED_PRECONDITION];
  for (const at of bytes.keys()) {
    const changed = [0, 1, 0x7f, 0xff].map((byte) =>
      Buffer.concat([bytes.subarray(0, at), Buffer.from([byte]), bytes.subarray(at + 1)]),
    );
    for (const wrong of [bytes.subarray(0, at), ...changed]) {
      const [error] = await sendBytes(server, wrong, metadataOf());
      expect(foreseen, `${wrong.toString('hex')}: ${error?.message}`).toContain(error?.code);
    }
  }
  expect(server.logged.filter(({ message: said }) => said.includes('failed'))).toEqual([]);
});
