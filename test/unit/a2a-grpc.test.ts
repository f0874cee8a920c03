import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeErrorInfo, decodeStatus, grpcStatusFor, type GrpcA2AError } from '@a2a-js/sdk/errors/grpc';
import * as errors from '@a2a-js/sdk/errors';
import { type Task, TaskState } from '@a2a-js/sdk';
import { A2AService } from '@a2a-js/sdk/server/grpc';
import { credentials, type ServiceError, status as codes } from '@grpc/grpc-js';
import { describe, expect, it, vi } from 'vitest';
import { faultTable } from '../../adapters/a2a/faults.ts';
import { encodeGrpcStatus } from '../../adapters/a2a/grpc-status.ts';
import { deferred } from '../../src/deferred.ts';
import { Fault } from '../../src/fault.ts';
import {
  type A2aServer,
  artifactText,
  connect,
  type Connection,
  Followed,
  follow,
  message,
  sendTask,
  serveA2a,
} from '../support/a2a-server.ts';
import { cardOf, metadataOf, raw, sendBytes } from '../support/a2a-grpc-client.ts';
import { temporaryDirectory } from '../support/gateway-process.ts';
import { certificate, privateKey } from '../support/localhost-certificate.ts';
import { say, scripted } from '../support/mailbox-fixture.ts';
import { until } from '../support/until.ts';

const ada = { scope: 'local', actor: 'ada' };
const get = (id: string) => ({ tenant: '', id });
const cancel = (id: string) => ({ tenant: '', id, metadata: undefined });

const serve = (options: Parameters<typeof serveA2a>[0] = {}, agents?: Parameters<typeof serveA2a>[1]) =>
  serveA2a({ grpc: {}, ...options }, agents);
const dial = ({ url }: A2aServer, actor?: string, connection?: Connection, agentId?: string) =>
  connect(url, 'GRPC', actor, agentId, connection);

/** What a call was refused with. */
async function refusal(call: Promise<unknown>): Promise<Refused> {
  try {
    await call;
  } catch (thrown) {
    const { status, statusDetailsBin, message: said } = thrown as GrpcA2AError;
    const details = statusDetailsBin === undefined ? [] : decodeStatus(statusDetailsBin).details;
    const [info, ...others] = details;
    const { reason, domain } = info === undefined ? { reason: '', domain: '' } : decodeErrorInfo(info.value);
    return { code: codes[status] ?? '', reason, domain, message: said, others: others.map(textIn) };
  }
  throw new Error('it was not refused');
}

interface Refused {
  readonly code: string;
  readonly reason: string;
  readonly domain: string;
  readonly message: string;
  readonly others: readonly string[];
}

const textIn = ({ typeUrl, value }: { typeUrl: string; value: Buffer }): string => `${typeUrl} ${value.toString()}`;

describe('a card', () => {
  it('names the gRPC of its agent, whose tenant it is', async () => {
    await using server = await serve({}, [speaker('one'), speaker('two')]);
    for (const id of ['one', 'two']) {
      const { supportedInterfaces } = await cardOf(server, `/a2a/${id}`);
      const url = expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string;
      const grpc = { protocolBinding: 'GRPC', url };
      // Callers of 0.3 cannot say whom they mean.
      const legacy = id === 'one' ? [{ ...grpc, protocolVersion: '0.3', tenant: '' }] : [];
      expect(supportedInterfaces.filter(({ protocolBinding }) => protocolBinding === 'GRPC')).toEqual([
        { ...grpc, protocolVersion: '1.0', tenant: id },
        ...legacy,
      ]);
    }
  });

  it('names none where none is served', async () => {
    await using server = await serveA2a();
    const { supportedInterfaces } = await cardOf(server);
    expect(supportedInterfaces.map(({ protocolBinding }) => protocolBinding)).not.toContain('GRPC');
  });

  it('in its extended form is for callers who are known', async () => {
    await using server = await serve({ needsToken: true });
    const card = await (await dial(server)).getAgentCard();
    expect(card).toMatchObject({ name: 'Demo', capabilities: { extendedAgentCard: true } });
    await using open = await serve();
    const client = await raw(open);
    const { path, requestSerialize, responseDeserialize } = A2AService.getExtendedAgentCard;
    const answered = deferred<ServiceError | null>();
    client.makeUnaryRequest(
      path,
      requestSerialize as (value: unknown) => Buffer,
      responseDeserialize,
      { tenant: '' },
      metadataOf(),
      answered.resolve,
    );
    expect(await answered.promise).toMatchObject({ code: codes.FAILED_PRECONDITION });
    client.close();
  });
});

const speaker = (id: string) =>
  scripted(
    async function* (_activation, context) {
      yield* say(context, 'answer', `I am ${id}`);
    },
    { id },
  );

describe('the agent', () => {
  it('is the tenant, and the default one where none is named', async () => {
    await using server = await serve({}, [speaker('one'), speaker('two')]);
    const client = await dial(server, 'ada', {}, 'two');
    expect(artifactText(await sendTask(client, message('hello')))).toBe('I am two');
    const named = { ...message('hello'), tenant: 'one' };
    expect(artifactText(await sendTask(client, named))).toBe('I am one');
    const bytes = Buffer.from(A2AService.sendMessage.requestSerialize(message('hello')));
    const [error] = await sendBytes(server, bytes, metadataOf());
    expect(error).toBeNull();
    const { items } = await server.mailbox.runs.list(ada, {}, { limit: 10 });
    expect(items.map(({ agentId }) => agentId).toSorted()).toEqual(['one', 'one', 'two']);
  });

  it('that nobody knows is not found, and its tasks are not another agent’s', async () => {
    await using server = await serve({}, [speaker('one'), speaker('two')]);
    const client = await dial(server, 'ada', {}, 'one');
    const unknown = { ...message('hello'), tenant: 'three' };
    expect(await refusal(client.sendMessage(unknown))).toMatchObject({ code: 'NOT_FOUND', reason: 'AGENT_NOT_FOUND' });
    const { id } = await sendTask(client, message('hello'));
    await expect(client.getTask({ tenant: 'two', id })).rejects.toBeInstanceOf(errors.TaskNotFoundError);
  });
});

describe('a caller', () => {
  it('who is not known sends no message, however small or large', async () => {
    await using server = await serve();
    const metadata = metadataOf({ authorization: 'Bearer nobody' });
    const valid = Buffer.from(A2AService.sendMessage.requestSerialize(message('hello')));
    for (const bytes of [valid, Buffer.from('unreadable'), Buffer.alloc(64 * 1024 * 1024)]) {
      const [error] = await sendBytes(server, bytes, metadata);
      expect(error).toMatchObject({ code: codes.UNAUTHENTICATED, details: 'nobody is not known' });
    }
    const nobody = await dial(server, 'nobody');
    expect(await refusal(nobody.getTask(get('x')))).toMatchObject({
      code: 'UNAUTHENTICATED',
      reason: 'UNAUTHENTICATED',
      domain: 'a2a-protocol.org',
    });
    expect((await server.mailbox.threads.list(ada, {}, { limit: 1 })).items).toEqual([]);
  });

  it('has no part in the tasks of others', async () => {
    await using server = await serve();
    const client = await dial(server);
    const stranger = await dial(server, 'eve');
    const task = await sendTask(client, message('/approve'));
    await expect(stranger.getTask(get(task.id))).rejects.toBeInstanceOf(errors.TaskNotFoundError);
    await expect(stranger.cancelTask(cancel(task.id))).rejects.toBeInstanceOf(errors.TaskNotFoundError);
    await expect(follow(stranger.resubscribeTask(get(task.id)))).rejects.toBeInstanceOf(errors.TaskNotFoundError);
    const all = { tenant: '', contextId: '', status: 0, pageToken: '', statusTimestampAfter: undefined };
    expect((await stranger.listTasks(all)).tasks).toEqual([]);
    expect((await client.listTasks(all)).tasks.map(({ id }) => id)).toEqual([task.id]);
  });

  it('names its request, and sends it again', async () => {
    await using server = await serve();
    const client = await dial(server, 'ada', { metadata: { 'idempotency-key': 'k' } });
    const first = await sendTask(client, message('hello', { messageId: 'm' }));
    expect((await sendTask(client, message('hello', { messageId: 'm' }))).id).toBe(first.id);
  });
});

describe('a request', () => {
  it('of a version that is not spoken is refused', { tags: 'ill-formed-message-is-refused' }, async () => {
    await using server = await serve();
    for (const version of ['0.3', '2.0', '']) {
      const client = await dial(server, 'ada', { metadata: { 'a2a-version': version } });
      expect(await refusal(client.getTask(get('x')))).toMatchObject({
        code: 'FAILED_PRECONDITION',
        reason: 'VERSION_NOT_SUPPORTED',
      });
    }
    const patched = await dial(server, 'ada', { metadata: { 'a2a-version': '1.0.9' } });
    expect((await sendTask(patched, message('hello'))).status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
  });

  it('that is too large, or cannot be read, is refused', { tags: 'ill-formed-message-is-refused' }, async () => {
    await using server = await serve({ limits: { maxBodyBytes: 100_000 } });
    const client = await dial(server);
    expect(await refusal(client.sendMessage(message('x'.repeat(200_000))))).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
    });
    const [error] = await sendBytes(server, Buffer.from([0x12, 0xff, 0xff]), metadataOf());
    expect(error).toMatchObject({ code: codes.INVALID_ARGUMENT, details: expect.stringContaining('shape') });
  });

  it('is told every field that is wrong', { tags: 'ill-formed-message-is-refused' }, async () => {
    await using server = await serve();
    const client = await dial(server);
    const refused = await refusal(client.sendMessage(message('x', { messageId: '', historyLength: -1 })));
    expect(refused).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'INVALID_PARAMS' });
    const [details, ...others] = refused.others;
    expect(others).toEqual([]);
    expect(details).toMatch(/^type\.googleapis\.com\/google\.rpc\.BadRequest /);
    expect(details).toContain('message.messageId');
    expect(details).toContain('configuration.historyLength');
  });

  it('that fails for a reason of ours is told nothing of it', async () => {
    await using server = await serve();
    vi.spyOn(server.mailbox.runs, 'find').mockRejectedValue(new Error('the password is swordfish'));
    const client = await dial(server);
    const refused = await refusal(client.getTask(get('x')));
    expect(refused).toMatchObject({ code: 'INTERNAL', reason: 'INTERNAL' });
    expect(JSON.stringify(refused)).not.toContain('swordfish');
    expect(server.logged.map(({ message: said }) => said)).toContain('an A2A request failed');
  });

  it('asks for the extensions that its agent needs, and is told which it has', async () => {
    const strict = speaker('demo');
    const metadata = { a2a: { extensions: [{ uri: 'urn:needed', required: true }] } };
    await using server = await serve({}, [{ ...strict, card: { ...strict.card, metadata } }]);
    const client = await dial(server);
    expect(await refusal(client.sendMessage(message('x')))).toMatchObject({ reason: 'EXTENSION_SUPPORT_REQUIRED' });
    const bytes = Buffer.from(A2AService.sendMessage.requestSerialize(message('hello')));
    const asked = metadataOf({ 'a2a-extensions': 'urn:other, urn:needed' });
    const [error, answered] = await sendBytes(server, bytes, asked);
    expect(error).toBeNull();
    expect(answered.get('a2a-extensions')).toEqual(['urn:needed']);
  });
});

describe('cancelling', () => {
  it('ends a task, twice is the same, and one that has ended otherwise stays so', async () => {
    await using server = await serve();
    const client = await dial(server);
    const waiting = await sendTask(client, message('/approve'));
    for (const { id } of [waiting, waiting]) {
      expect((await client.cancelTask(cancel(id))).status?.state).toBe(TaskState.TASK_STATE_CANCELED);
    }
    const done = await sendTask(client, message('hello'));
    expect(await refusal(client.cancelTask(cancel(done.id)))).toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'TASK_NOT_CANCELABLE',
    });
  });
});

/** Says one word, and another one when it is let. */
function held(gate: Promise<unknown>) {
  return scripted(
    async function* (_activation, context) {
      const id = context.id('answer');
      yield { type: 'text.started', id, role: 'assistant' };
      yield { type: 'text.delta', id, delta: 'now ' };
      await Promise.race([gate, aborted(context.signal)]);
      yield { type: 'text.delta', id, delta: 'then' };
      yield { type: 'text.ended', id };
    },
    { id: 'demo' },
  );
}

async function aborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort');
  throw new Error('aborted');
}

describe('a stream', () => {
  it('that joins late is told the task as it is, and then what follows', async () => {
    const gate = deferred();
    await using server = await serve({}, [held(gate.promise)]);
    const client = await dial(server);
    const begun = new Followed();
    const first = follow(client.sendMessageStream(message('go')), begun);
    await until('the first word', () => begun.text === 'now ');
    const late = new Followed();
    const second = follow(client.resubscribeTask(get(begun.task?.id ?? '')), late);
    await until('the second stream', () => late.text === 'now ');
    gate.resolve();
    await Promise.all([first, second]);
    expect([begun.text, late.text]).toEqual(['now then', 'now then']);
    expect(begun.states.at(-1)).toBe(TaskState.TASK_STATE_COMPLETED);
    const again = follow(client.resubscribeTask(get(begun.task?.id ?? '')));
    await expect(again).rejects.toBeInstanceOf(errors.UnsupportedOperationError);
  });

  it('whose caller leaves is over, and its task is not', { tags: 'leaving-client-ends-nothing' }, async () => {
    const gate = deferred();
    await using server = await serve({}, [held(gate.promise)]);
    const client = await dial(server);
    const leaving = new AbortController();
    const followed = new Followed();
    const stream = client.sendMessageStream(message('go'), { signal: leaving.signal });
    const cut = follow(stream, followed);
    await until('the first word', () => followed.text === 'now ');
    leaving.abort();
    await expect(cut).rejects.toMatchObject({ status: codes.CANCELLED });
    await until('the stream to be over', () => answered(server, 'SendStreamingMessage') === 'CANCELLED');
    gate.resolve();
    await finished(server, followed.task?.id ?? '');
    expect(artifactText(await client.getTask(get(followed.task?.id ?? '')))).toBe('now then');
  });

  it('ends without an end when the gateway stops, and says to come back', async () => {
    const server = await serve({}, [held(deferred().promise)]);
    const client = await dial(server);
    const followed = new Followed();
    const cut = refusal(follow(client.sendMessageStream(message('go')), followed));
    await until('the first word', () => followed.text === 'now ');
    await server[Symbol.asyncDispose]();
    expect(await cut).toMatchObject({ code: 'UNAVAILABLE', reason: 'SHUTTING_DOWN' });
    expect(followed.states.at(-1)).toBe(TaskState.TASK_STATE_WORKING);
  });

  it(
    'that nobody reads is not filled without end, and holds its task up in nothing',
    { tags: 'slow-client-stalls-nobody' },
    async () => {
      const chunk = 'x'.repeat(32 * 1024);
      const count = 400;
      const talker = scripted(
        async function* (_activation, context) {
          for (let index = 0; index < count; index++) yield* say(context, `part-${index}`, chunk);
        },
        { id: 'demo' },
      );
      await using server = await serve({ limits: { slowViewerMs: 100 } }, [talker]);
      const client = await raw(server);
      const stream = client.sendStreamingMessage(message('go'), metadataOf());
      const failed = once(stream, 'error') as Promise<[ServiceError]>;
      const [first] = (await once(stream, 'data')) as [{ payload: { value: Task } }];
      stream.pause();
      await until('the stream to be given up', () => answered(server, 'SendStreamingMessage') === 'DEADLINE_EXCEEDED');
      await finished(server, first.payload.value.id);
      let read = 0;
      stream.on('data', () => (read += 1)).resume();
      expect((await failed)[0]).toMatchObject({ code: codes.DEADLINE_EXCEEDED });
      expect(read).toBeLessThan(count / 2);
      client.close();
    },
  );
});

it('a call whose deadline passes is over, and its task is not', { tags: 'leaving-client-ends-nothing' }, async () => {
  const gate = deferred();
  await using server = await serve({}, [held(gate.promise)]);
  const { id } = await sendTask(await dial(server), message('go', { returnImmediately: true }));
  const client = await raw(server);
  const metadata = metadataOf({ 'grpc-timeout': '200m' });
  // Again, where a deadline passes before its call is taken up.
  await until('a call that is over', async () => {
    const [error] = (await once(client.subscribeToTask(get(id), metadata).resume(), 'error')) as [ServiceError];
    expect(error).toMatchObject({ code: codes.DEADLINE_EXCEEDED });
    return answered(server, 'SubscribeToTask') === 'CANCELLED';
  });
  gate.resolve();
  await finished(server, id);
  expect((await server.mailbox.runs.find(ada, id))?.run.outcome).toMatchObject({ type: 'completed' });
  client.close();
});

/** The status that the log has for a call. */
function answered({ logged }: A2aServer, rpc: string): unknown {
  const line = logged.find(({ fields }) => 'rpc' in fields && String(fields.rpc).endsWith(`/${rpc}`));
  return line !== undefined && 'status' in line.fields ? line.fields.status : undefined;
}

async function finished({ mailbox }: A2aServer, id: string): Promise<void> {
  const { run } = await mailbox.runs.wait(ada, id, 'done', AbortSignal.timeout(10_000));
  expect(run.status).toBe('done');
}

it('a certificate of the configuration keeps what is said to the two of them', async () => {
  await using directory = await temporaryDirectory();
  const tls = { certFile: join(directory.path, 'cert.pem'), keyFile: join(directory.path, 'key.pem') };
  await writeFile(tls.certFile, certificate);
  await writeFile(tls.keyFile, privateKey);
  await using server = await serve({ grpc: { tls } });
  const secure = await dial(server, 'ada', { credentials: credentials.createSsl(Buffer.from(certificate)) });
  expect((await sendTask(secure, message('hello'))).status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
  const followed = await follow(secure.sendMessageStream(message('/stream 5')));
  expect(followed.states.at(-1)).toBe(TaskState.TASK_STATE_COMPLETED);
  const plain = await dial(server);
  expect(await refusal(plain.getTask(get('x')))).toMatchObject({ code: 'UNAVAILABLE' });
});

it('every fault, and every error of the protocol, has its status', () => {
  for (const code of Object.keys(faultTable) as (keyof typeof faultTable)[]) {
    const { code: number, details } = encodeGrpcStatus(new Fault(code, 'why'));
    expect([codes[number], details]).toEqual([faultTable[code].status, 'why']);
  }
  const ofTheProtocol = [
    errors.TaskNotFoundError,
    errors.TaskNotCancelableError,
    errors.PushNotificationNotSupportedError,
    errors.UnsupportedOperationError,
    errors.ContentTypeNotSupportedError,
    errors.InvalidAgentResponseError,
    errors.ExtendedAgentCardNotConfiguredError,
    errors.ExtensionSupportRequiredError,
    errors.VersionNotSupportedError,
  ];
  for (const One of ofTheProtocol) {
    const error = new One();
    expect([error.name, encodeGrpcStatus(error).code]).toEqual([error.name, grpcStatusFor(error)]);
  }
});
