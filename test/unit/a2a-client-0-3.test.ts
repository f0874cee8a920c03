// The client of 0.3 as it was published, unmodified.
import type { Message, Part, Task } from 'a2a-sdk-0-3';
import { type Client, ClientFactory, ClientFactoryOptions } from 'a2a-sdk-0-3/client';
import { GrpcTransportFactory } from 'a2a-sdk-0-3/client/grpc';
import { describe, expect, it } from 'vitest';
import { deferred } from '../../src/deferred.ts';
import { serveA2a } from '../support/a2a-server.ts';
import { say, scripted } from '../support/mailbox-fixture.ts';
import { until } from '../support/until.ts';
import { receiveWebhooks } from '../support/webhook-receiver.ts';

async function connect(url: string, binding: string): Promise<Client> {
  const own = { transports: [new GrpcTransportFactory()], preferredTransports: [binding] };
  const factory = new ClientFactory(ClientFactoryOptions.createFrom(ClientFactoryOptions.default, own));
  return factory.createFromUrl(url, '/a2a/demo/.well-known/agent-card.json');
}

function message(said: string | Part, more: Partial<Message> = {}): { message: Message } {
  const parts = [typeof said === 'string' ? { kind: 'text' as const, text: said } : said];
  return { message: { kind: 'message', messageId: crypto.randomUUID(), role: 'user', parts, ...more } };
}

async function send(client: Client, ...asked: Parameters<typeof message>): Promise<Task> {
  const task = await client.sendMessage({ ...message(...asked), configuration: { blocking: true } });
  if (task.kind !== 'task') throw new Error('a message came instead of a task');
  return task;
}

/** What a stream told, as far as it ends a conversation. */
async function follow(stream: ReturnType<Client['sendMessageStream']>) {
  let task: Task | undefined;
  const artifacts = new Map<string, string>();
  const states: string[] = [];
  let isFinal = false;
  for await (const event of stream) {
    if (isFinal) throw new Error('an event came behind the final one');
    if (event.kind === 'task') {
      task = event;
      states.push(event.status.state);
    } else if (event.kind === 'status-update') {
      states.push(event.status.state);
      isFinal = event.final;
    } else if (event.kind === 'artifact-update') {
      const { artifactId, parts } = event.artifact;
      // Over gRPC the client keeps it to itself.
      const known = event.append === false ? '' : (artifacts.get(artifactId) ?? '');
      artifacts.set(artifactId, known + parts.map(textOf).join(''));
    }
  }
  return { task, text: [...artifacts.values()].join(''), last: states.at(-1), isFinal };
}

function textOf(part: Part): string {
  return part.kind === 'text' ? part.text : '';
}

function ticketIn({ status }: Task): unknown {
  const [question] = (status.message?.parts ?? []).flatMap((part) => (part.kind === 'data' ? [part.data] : []));
  return question?.['ticketId'];
}

describe.each(['JSONRPC', 'HTTP+JSON', 'GRPC'])('the published client of 0.3 over %s', (binding) => {
  it.each([
    ['/help', 'completed'],
    ['/stream 5', 'completed'],
    ['/think', 'completed'],
    ['/tool', 'completed'],
    ['/plan', 'completed'],
    ['/state', 'completed'],
    ['/artifact', 'completed'],
    ['/steer 1', 'completed'],
    ['/fail permanent', 'failed'],
    ['/form', 'input-required'],
    ['/count 3', 'input-required'],
  ])('follows %s to its end', async (command, state) => {
    await using server = await serveA2a({ grpc: {} });
    const client = await connect(server.url, binding);
    const followed = await follow(client.sendMessageStream(message(command)));
    expect(followed).toMatchObject({ last: state, isFinal: true });
    const stored = await client.getTask({ id: followed.task?.id ?? '' });
    expect(stored.status.state).toBe(state);
    expect((stored.artifacts ?? []).flatMap(({ parts }) => parts.map(textOf)).join('')).toBe(followed.text);
  });

  it('answers a question, and cancels one', async () => {
    await using server = await serveA2a({ grpc: {} });
    const client = await connect(server.url, binding);
    const asked = await send(client, '/approve');
    expect(asked.status.state).toBe('input-required');
    expect(await follow(client.resubscribeTask({ id: asked.id }))).toMatchObject({ last: 'input-required' });
    const data = { kind: 'data' as const, data: { ticketId: ticketIn(asked), approved: true } };
    const { id: taskId, contextId } = asked;
    expect((await send(client, data, { taskId, contextId })).status.state).toBe('completed');
    const other = await send(client, '/form');
    expect((await client.cancelTask({ id: other.id })).status.state).toBe('canceled');
    await expect(client.cancelTask({ id: taskId })).rejects.toThrow(/cancel|ended/);
    await expect(client.getTask({ id: 'none' })).rejects.toThrow(/not found|no task/);
  });

  it('joins a task that works, and says two more things to it at once', async () => {
    const gate = deferred<number>();
    const busy = scripted(
      async function* (_activation, context) {
        await context.once('gate', () => gate.promise);
        yield* say(context, `answer-${context.attempt}`, 'done');
      },
      { id: 'demo' },
    );
    await using server = await serveA2a({ grpc: {} }, [busy]);
    const client = await connect(server.url, binding);
    const begun = await client.sendMessage({ ...message('begin'), configuration: { blocking: false } });
    const { id: taskId, contextId } = begun as Task;
    const stream = client.resubscribeTask({ id: taskId });
    expect((await stream.next()).value).toMatchObject({ kind: 'task', id: taskId });
    const said = ['left', 'right'].map((text) => send(client, text, { taskId, contextId }));
    const history = async () => (await client.getTask({ id: taskId })).history ?? [];
    await until('both to be there', async () => (await history()).length === 3);
    gate.resolve(1);
    for (const one of said) expect(await one).toMatchObject({ id: taskId, status: { state: 'completed' } });
    expect(await follow(stream)).toMatchObject({ last: 'completed', isFinal: true });
    const words = (await history()).map(({ parts }) => parts.map(textOf).join(''));
    expect(words.toSorted()).toEqual(['begin', 'left', 'right']);
  });

  it('is called back by a webhook that fails twice before it accepts', async () => {
    await using server = await serveA2a({ grpc: {}, push: 'status' });
    await using receiver = await receiveWebhooks(2);
    const client = await connect(server.url, binding);
    const pushNotificationConfig = { url: receiver.url, token: 'the token' };
    const configuration = { blocking: false, pushNotificationConfig };
    const begun = (await client.sendMessage({ ...message('/approve'), configuration })) as Task;
    const told = () => receiver.accepted.map(({ body }) => JSON.parse(body) as Task);
    await until('the question to be told', () => told().at(-1)?.status.state === 'input-required');
    expect(told().at(-1)).toMatchObject({ kind: 'task', id: begun.id });
    await client.cancelTask({ id: begun.id });
    await until('the end to be told', () => told().at(-1)?.status.state === 'canceled');
  });
});
