import { type SendMessageRequest, StreamResponse, TaskState } from '@a2a-js/sdk';
import { describe, expect, it } from 'vitest';
import { bindings, connect, Followed, message, rpc, sendTask, serveA2a } from '../support/a2a-server.ts';
import { until } from '../support/until.ts';
import { assertAuthorized, receiveWebhooks, type WebhookReceiver, webhookConfig } from '../support/webhook-receiver.ts';

function framesOf({ accepted }: WebhookReceiver): StreamResponse[] {
  return accepted.map(({ body }) => StreamResponse.fromJSON(JSON.parse(body)));
}

function statesOf(receiver: WebhookReceiver): (TaskState | undefined)[] {
  return framesOf(receiver).flatMap(({ payload }) =>
    payload?.$case === 'statusUpdate' ? [payload.value.status?.state] : [],
  );
}

function withWebhook(request: SendMessageRequest, url: string): SendMessageRequest {
  const { configuration } = request;
  if (configuration === undefined) throw new Error('a request of ours has a configuration');
  return { ...request, configuration: { ...configuration, taskPushNotificationConfig: webhookConfig(url) } };
}

describe.each(bindings)('a webhook over %s', (binding) => {
  it('that fails twice is told how its task stands, from the start to the end, and by whom', async () => {
    await using server = await serveA2a({ push: 'status', grpc: {} });
    await using receiver = await receiveWebhooks(2);
    const client = await connect(server.url, binding);
    const asked = await sendTask(client, withWebhook(message('/approve'), receiver.url));
    await until('the question to be told', () => statesOf(receiver).includes(TaskState.TASK_STATE_INPUT_REQUIRED));
    const answer = { ticketId: (await server.mailbox.runs.find(ada, asked.id))?.tickets[0]?.id, approved: true };
    await client.sendMessage(message('', { taskId: asked.id, contextId: asked.contextId, data: answer }));
    await until('the end to be told', () => statesOf(receiver).at(-1) === TaskState.TASK_STATE_COMPLETED);
    expect(statesOf(receiver)).toEqual([
      TaskState.TASK_STATE_WORKING,
      TaskState.TASK_STATE_INPUT_REQUIRED,
      TaskState.TASK_STATE_WORKING,
      TaskState.TASK_STATE_COMPLETED,
    ]);
    assertAuthorized(receiver, 'application/a2a+json');
  });

  it('that is told everything can make the task of it', async () => {
    await using server = await serveA2a({ push: 'everything', grpc: {} });
    await using receiver = await receiveWebhooks(1);
    const client = await connect(server.url, binding);
    const task = await sendTask(client, withWebhook(message('/stream 50'), receiver.url));
    await until('the end to be told', () => statesOf(receiver).at(-1) === TaskState.TASK_STATE_COMPLETED);
    const followed = new Followed();
    followed.task = { ...task, artifacts: [] };
    for (const frame of framesOf(receiver)) followed.apply(frame);
    expect(followed.task).toEqual({ ...task, artifacts: followed.task.artifacts });
    const whole = new Followed();
    whole.task = task;
    expect(followed.text).toBe(whole.text);
    expect(followed.text).not.toBe('');
  });

  it('is made, read, listed and removed, by its caller alone', { tags: 'webhooks-are-served-apart' }, async () => {
    await using server = await serveA2a({ push: 'status', grpc: {} });
    await using receiver = await receiveWebhooks();
    const client = await connect(server.url, binding);
    const { id: taskId } = await sendTask(client, message('/stream 1000 20', { returnImmediately: true }));
    const first = webhookConfig(receiver.url, { taskId, id: 'one' });
    expect(await client.createTaskPushNotificationConfig(first)).toEqual(first);
    const unnamed = webhookConfig(receiver.url, { taskId, token: '', authentication: undefined });
    const named = await client.createTaskPushNotificationConfig(unnamed);
    expect(named).toEqual({ ...unnamed, id: taskId });
    expect(await client.getTaskPushNotificationConfig({ tenant: '', taskId, id: 'one' })).toEqual(first);
    const listed = await client.listTaskPushNotificationConfig({ tenant: '', taskId, pageSize: 0, pageToken: '' });
    expect(listed.configs.map(({ id }) => id)).toEqual(['one', taskId]);
    expect(listed.nextPageToken).toBe('');
    const pages = `${server.url}/a2a/demo/tasks/${taskId}/pushNotificationConfigs?pageSize=1&pageToken=`;
    const page = (await (await fetch(pages, version)).json()) as Listed;
    const next = (await (await fetch(`${pages}${page.nextPageToken}`, version)).json()) as Listed;
    expect([page.configs, next.configs]).toMatchObject([[{ id: 'one' }], [{ id: taskId }]]);
    expect(next.nextPageToken).toBe('');
    await client.deleteTaskPushNotificationConfig({ tenant: '', taskId, id: 'one' });
    await client.deleteTaskPushNotificationConfig({ tenant: '', taskId, id: 'one' });
    await expect(client.getTaskPushNotificationConfig({ tenant: '', taskId, id: 'one' })).rejects.toThrow('one');
    const grace = await connect(server.url, binding, 'grace');
    const list = { tenant: '', taskId, pageSize: 0, pageToken: '' };
    await expect(grace.listTaskPushNotificationConfig(list)).rejects.toThrow(taskId);
    await client.cancelTask({ tenant: '', id: taskId, metadata: undefined });
    await until('the end to be told', () => statesOf(receiver).at(-1) === TaskState.TASK_STATE_CANCELED);
  });
});

interface Listed {
  readonly configs: object[];
  readonly nextPageToken: string;
}

const version = { headers: { 'a2a-version': '1.0' } };
const ada = { scope: 'local', actor: 'ada' };

describe('a webhook that is refused', () => {
  const sent = (taskPushNotificationConfig: object) => ({
    jsonrpc: '2.0',
    id: 1,
    method: 'SendMessage',
    params: {
      message: { messageId: 'm', role: 'ROLE_USER', parts: [{ text: 'hello' }] },
      configuration: { taskPushNotificationConfig },
    },
  });

  it.each([
    ['an address inside', { url: 'http://10.0.0.1/' }, 'url'],
    ['no URL', { url: 'nowhere' }, 'url'],
    ['a header that ends early', { url: 'https://example.com/', token: 'a\r\nb' }, 'token'],
  ])('for %s leaves nothing written', async (_, config, field) => {
    await using server = await serveA2a({ push: 'status' });
    const { body } = await rpc(server.url, sent(config));
    const violation = { field: `configuration.taskPushNotificationConfig.${field}` };
    expect(body).toMatchObject({
      error: { code: -32602, data: [{}, { fieldViolations: [violation] }] },
    });
    expect((await server.mailbox.threads.list(ada, {}, { limit: 10 })).items).toEqual([]);
  });
});

it('a message that is sent again has its task told once', async () => {
  await using server = await serveA2a({ push: 'status' });
  await using receiver = await receiveWebhooks();
  const request = {
    jsonrpc: '2.0',
    id: 1,
    method: 'SendMessage',
    params: {
      message: { messageId: 'm', role: 'ROLE_USER', parts: [{ text: 'hello' }] },
      configuration: { taskPushNotificationConfig: { url: receiver.url } },
    },
  };
  const first = await rpc(server.url, request, { 'idempotency-key': 'k' });
  await until('the end to be told', () => statesOf(receiver).at(-1) === TaskState.TASK_STATE_COMPLETED);
  const second = await rpc(server.url, request, { 'idempotency-key': 'k' });
  expect(second.body).toEqual(first.body);
  expect(statesOf(receiver)).toEqual([TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_COMPLETED]);
});
