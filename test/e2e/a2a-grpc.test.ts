import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TaskState } from '@a2a-js/sdk';
import { expect, test } from 'vitest';
import { cardOf } from '../support/a2a-grpc-client.ts';
import { artifactText, connect, Followed, follow, message, sendTask } from '../support/a2a-server.ts';
import { GatewayProcess, temporaryDirectory } from '../support/gateway-process.ts';
import { until } from '../support/until.ts';

const withoutGrpc = new URL('../support/without-grpc.mjs', import.meta.url).href;

test('a task that was streamed over gRPC when its gateway stopped is there after it', async () => {
  await using directory = await temporaryDirectory();
  const config = join(directory.path, 'anyport.yaml');
  const token = 'tokens: [{ token: ada, actor: ada }, { token: eve, scope: elsewhere, actor: eve }]';
  await writeFile(config, `${token}\na2a: { grpc: { port: 0 } }\n`);
  const args = ['--config', config];
  const dataDir = join(directory.path, 'data');
  const first = await GatewayProcess.start(dataDir, { args });
  const followed = new Followed();
  const cut = follow(
    (await connect(first.url, 'GRPC')).sendMessageStream(message('/stream 100 20', { contextId: 'mine' })),
    followed,
  ).catch((thrown: unknown) => thrown);
  await until('some of the answer', () => followed.text !== '');
  expect(await first.stop()).toBe(0);
  expect(await cut).toMatchObject({ message: expect.stringContaining('subscribe to it again') });

  const second = await GatewayProcess.start(dataDir, { args });
  const id = followed.task?.id ?? '';
  const client = await connect(second.url, 'GRPC');
  const rest = await follow(client.resubscribeTask({ tenant: '', id }));
  expect(rest.states.at(-1)).toBe(TaskState.TASK_STATE_COMPLETED);
  expect(rest.text).toBe(artifactText(await (await connect(second.url)).getTask({ tenant: '', id })));
  const eve = await connect(second.url, 'GRPC', 'eve');
  await expect(eve.getTask({ tenant: '', id })).rejects.toThrow(id);
  const mallory = await connect(second.url, 'GRPC', 'mallory');
  await expect(sendTask(mallory, message('hello'))).rejects.toThrow('not known');
  expect(await second.stop()).toBe(0);
});

test('the packages of gRPC are needed by those who serve it alone', async () => {
  await using directory = await temporaryDirectory();
  const environment = { NODE_OPTIONS: `--import=${withoutGrpc}` };
  const dataDir = join(directory.path, 'data');
  const gateway = await GatewayProcess.start(dataDir, { environment });
  expect(artifactText(await sendTask(await connect(gateway.url), message('hello')))).toContain('hello');
  expect(await gateway.stop()).toBe(0);

  const config = join(directory.path, 'anyport.yaml');
  await writeFile(config, 'a2a: { grpc: { port: 0 } }\n');
  const refused = GatewayProcess.start(dataDir, { environment, args: ['--config', config] });
  await expect(refused).rejects.toThrow(
    /ended with 2 .*\n.*a2a\.grpc needs @\S+: npm install @grpc\/grpc-js @bufbuild\/protobuf/,
  );
});

test.each([
  ['its own host', '', /^127\.0\.0\.1:\d+$/],
  ['the host that callers know', 'publicUrl: https://agents.example.com/x', /^agents\.example\.com:\d+$/],
  [
    'what the configuration says',
    'publicUrl: https://agents.example.com',
    /^rpc\.example\.com:443$/,
    'rpc.example.com:443',
  ],
])('the card names gRPC at %s', async (_what, line, url, publicAddress?: string) => {
  await using directory = await temporaryDirectory();
  const config = join(directory.path, 'anyport.yaml');
  const address = publicAddress === undefined ? '' : `, publicAddress: '${publicAddress}'`;
  await writeFile(config, `${line}\na2a: { grpc: { port: 0${address} } }\n`);
  const gateway = await GatewayProcess.start(join(directory.path, 'data'), { args: ['--config', config] });
  const { supportedInterfaces } = await cardOf(gateway);
  expect(supportedInterfaces.at(-1)).toMatchObject({ protocolBinding: 'GRPC', url: expect.stringMatching(url) });
  await gateway.stop();
});
