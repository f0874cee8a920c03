import { TaskState } from '@a2a-js/sdk';
import { describe, expect, it } from 'vitest';
import {
  artifactText,
  connect,
  dataOf,
  follow,
  message,
  sendTask,
  serveA2a,
  textOfParts,
} from '../support/a2a-server.ts';

const { TASK_STATE_COMPLETED, TASK_STATE_INPUT_REQUIRED, TASK_STATE_WORKING } = TaskState;

describe.each(['JSONRPC', 'HTTP+JSON'] as const)('the official client over %s', (binding) => {
  it('sends a message and gets its finished task', async () => {
    await using server = await serveA2a();
    const client = await connect(server.url, binding);
    const task = await sendTask(client, message('hello'));
    expect(task.status?.state).toBe(TASK_STATE_COMPLETED);
    expect(artifactText(task)).toContain('hello');
    expect(task.history.map(({ parts }) => textOfParts(parts))).toEqual(['hello']);
    expect(await client.getTask({ tenant: '', id: task.id })).toEqual(task);
  });

  it('streams a task to the text that is stored', async () => {
    await using server = await serveA2a();
    const client = await connect(server.url, binding);
    const followed = await follow(client.sendMessageStream(message('/stream 50')));
    expect(followed.states.at(-1)).toBe(TASK_STATE_COMPLETED);
    const stored = await client.getTask({ tenant: '', id: followed.task?.id ?? '' });
    expect(followed.text).toBe(artifactText(stored));
  });

  it('answers an approval by a data part', async () => {
    await using server = await serveA2a();
    const client = await connect(server.url, binding);
    const asked = await follow(client.sendMessageStream(message('/approve')));
    expect(asked.states.at(-1)).toBe(TASK_STATE_INPUT_REQUIRED);
    const { id: taskId = '', status } = asked.task ?? {};
    const [question] = dataOf(status?.message?.parts ?? []);
    const data = { ticketId: question?.['ticketId'], approved: true };
    const answered = await follow(client.sendMessageStream(message('', { taskId, data })));
    expect(answered.states).toEqual([TASK_STATE_WORKING, ...answered.states.slice(1)]);
    expect(answered.states.at(-1)).toBe(TASK_STATE_COMPLETED);
    expect(answered.task?.id).toBe(taskId);
  });
});
