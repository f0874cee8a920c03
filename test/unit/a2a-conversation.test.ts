import { inspect } from 'node:util';
import { TaskState } from '@a2a-js/sdk';
import { describe, expect, it, vi } from 'vitest';
import {
  artifactText,
  bindings,
  connect,
  dataOf,
  Followed,
  follow,
  message,
  readFrames,
  sendTask,
  serveA2a,
  taskIdOf,
  textOfParts,
} from '../support/a2a-server.ts';
import { deferred } from '../../src/deferred.ts';
import { say, scripted } from '../support/mailbox-fixture.ts';
import { until } from '../support/until.ts';

const {
  TASK_STATE_AUTH_REQUIRED,
  TASK_STATE_CANCELED,
  TASK_STATE_COMPLETED,
  TASK_STATE_FAILED,
  TASK_STATE_INPUT_REQUIRED,
  TASK_STATE_REJECTED,
  TASK_STATE_SUBMITTED,
  TASK_STATE_WORKING,
} = TaskState;

const get = (id: string) => ({ tenant: '', id });
const cancel = (id: string) => ({ tenant: '', id, metadata: undefined });

describe.each(bindings)('over %s', (binding) => {
  it.each([
    ['/help', TASK_STATE_COMPLETED, '/approve'],
    ['/stream 5', TASK_STATE_COMPLETED, '5'],
    ['/think', TASK_STATE_COMPLETED, ''],
    ['/tool', TASK_STATE_COMPLETED, ''],
    ['/plan', TASK_STATE_COMPLETED, 'All three entries of the plan are completed.'],
    ['/state', TASK_STATE_COMPLETED, 'two steps are done'],
    ['/artifact', TASK_STATE_COMPLETED, '# Report\n\nEverything is in order.\n'],
    ['/steer 1', TASK_STATE_COMPLETED, 'All steps are done: 1.'],
    ['/fail transient 1', TASK_STATE_COMPLETED, ''],
    ['/fail permanent', TASK_STATE_FAILED, ''],
    ['/count 3', TASK_STATE_INPUT_REQUIRED, ''],
    ['/frontend', TASK_STATE_COMPLETED, ''],
  ])('a task does %s', async (command, state, text) => {
    await using server = await serveA2a({ grpc: {} });
    const client = await connect(server.url, binding);
    const followed = await follow(client.sendMessageStream(message(command)));
    expect(followed.states.at(-1)).toBe(state);
    expect(followed.text).toContain(text);
    const stored = await client.getTask(get(followed.task?.id ?? ''));
    expect(artifactText(stored)).toBe(followed.text);
    expect(stored.status?.state).toBe(state);
    expect(stored.status?.timestamp).toMatch(/^\d{4}-.*Z$/);
  });

  it('a task that crashes has failed, and why is told to the log alone', async () => {
    await using server = await serveA2a();
    const client = await connect(server.url, binding);
    const told = [];
    for await (const frame of client.sendMessageStream(message('/crash'))) told.push(frame);
    const followed = new Followed();
    for (const frame of told) followed.apply(frame);
    const stored = await client.getTask(get(followed.task?.id ?? ''));
    expect(stored.status?.state).toBe(TASK_STATE_FAILED);
    expect(followed.task?.status).toEqual(stored.status);
    const parts = stored.status?.message?.parts ?? [];
    expect(textOfParts(parts)).toBe('something unexpected went wrong');
    expect(dataOf(parts)).toMatchObject([{ type: 'fault', code: 'internal' }]);
    expect(JSON.stringify([told, stored])).not.toContain('was asked to crash');
    expect(server.logged.map(({ fields }) => inspect(fields)).join()).toContain('was asked to crash');
  });

  it('a form is asked by text and schema, and answered by data', async () => {
    await using server = await serveA2a({ grpc: {} });
    const client = await connect(server.url, binding);
    const asked = await sendTask(client, message('/form'));
    expect(asked.status?.state).toBe(TASK_STATE_INPUT_REQUIRED);
    const parts = asked.status?.message?.parts ?? [];
    expect(textOfParts(parts)).toBe('Who are you?');
    expect(dataOf(parts)).toMatchObject([{ kind: 'form', schema: { required: ['name', 'age'] } }]);
    const wrong = { ticketId: dataOf(parts)[0]?.['ticketId'], value: { name: 'Ada' } };
    await expect(sendTask(client, message('', { taskId: asked.id, data: wrong }))).rejects.toThrow(/age/);
    const done = await sendTask(client, message('', { taskId: asked.id, data: { name: 'Ada', age: 36 } }));
    expect(done.status?.state).toBe(TASK_STATE_COMPLETED);
    expect(artifactText(done)).toContain('Hello Ada, you are 36 years old.');
    expect(done.history.map(({ role }) => role)).toEqual([1, 2, 1]);
  });

  it('several questions are answered one by one', { tags: 'tasks-of-a-context-stay-apart' }, async () => {
    await using server = await serveA2a({ grpc: {} });
    const client = await connect(server.url, binding);
    const asked = await sendTask(client, message('/approve 2'));
    const [first, second] = dataOf(asked.status?.message?.parts ?? []);
    const { id: taskId } = asked;
    const rest = await sendTask(
      client,
      message('', { taskId, data: { ticketId: first?.['ticketId'], approved: true } }),
    );
    expect(rest.status?.state).toBe(TASK_STATE_INPUT_REQUIRED);
    expect(dataOf(rest.status?.message?.parts ?? [])).toMatchObject([{ ticketId: second?.['ticketId'] }]);
    const done = await sendTask(
      client,
      message('', { taskId, data: { ticketId: second?.['ticketId'], approved: false } }),
    );
    expect(done.status?.state).toBe(TASK_STATE_COMPLETED);
    expect(artifactText(done)).toContain('denied');
  });

  it('prose approves nothing: it is asked again', async () => {
    await using server = await serveA2a({ grpc: {} });
    const client = await connect(server.url, binding);
    const asked = await sendTask(client, message('/approve'));
    const again = await sendTask(client, message('yes, go ahead', { taskId: asked.id }));
    expect(again.status?.state).toBe(TASK_STATE_INPUT_REQUIRED);
    expect(textOfParts(again.status?.message?.parts ?? [])).toContain('must be explicit');
    expect(dataOf(again.status?.message?.parts ?? [])).toHaveLength(1);
    const streamed = await follow(client.sendMessageStream(message('go', { taskId: asked.id })));
    expect(streamed.states).toEqual([TASK_STATE_INPUT_REQUIRED]);
  });

  it('the same answer again changes nothing, and another one is refused', async () => {
    await using server = await serveA2a({ grpc: {} });
    const client = await connect(server.url, binding);
    const asked = await sendTask(client, message('/approve 2'));
    const [first] = dataOf(asked.status?.message?.parts ?? []);
    const answer = (approved: boolean) =>
      message('', { taskId: asked.id, data: { ticketId: first?.['ticketId'], approved } });
    await sendTask(client, answer(true));
    expect((await sendTask(client, answer(true))).status?.state).toBe(TASK_STATE_INPUT_REQUIRED);
    await expect(sendTask(client, answer(false))).rejects.toThrow(/already|answered/);
  });
});

describe('a follow-up', () => {
  it('reaches the turn that works, also two at once', async () => {
    await using server = await serveA2a();
    const client = await connect(server.url);
    const task = await sendTask(client, message('/steer 8', { returnImmediately: true }));
    const [one, two] = await Promise.all([
      sendTask(client, message('look left', { taskId: task.id })),
      sendTask(client, message('look right', { taskId: task.id })),
    ]);
    expect([one.id, two.id]).toEqual([task.id, task.id]);
    const done = await client.getTask(get(task.id));
    expect(done.status?.state).toBe(TASK_STATE_COMPLETED);
    expect(artifactText(done)).toContain('look left');
    expect(artifactText(done)).toContain('look right');
    expect(done.history.map(({ parts }) => textOfParts(parts)).toSorted()).toEqual([
      '/steer 8',
      'look left',
      'look right',
    ]);
  });

  it.each([
    { ticketId: 'JIRA-1', summary: 'it is broken' },
    { ticketId: 'JIRA-1', value: 5 },
  ])('of data that is named like an answer is data, where nothing is asked: %o', async (data) => {
    const gate = deferred<number>();
    const told: unknown[] = [];
    const curious = scripted(
      async function* ({ messages }, context) {
        told.push(...messages.flatMap(({ parts }) => parts));
        await context.once('gate', () => gate.promise);
        yield* say(context, `answer-${context.attempt}`, 'noted');
      },
      { id: 'curious' },
    );
    await using server = await serveA2a({}, [curious]);
    const client = await connect(server.url, 'JSONRPC', 'ada', 'curious');
    const task = await sendTask(client, message('begin', { returnImmediately: true }));
    const followUp = sendTask(client, message('', { taskId: task.id, data }));
    await until('it to be there', async () => (await client.getTask(get(task.id))).history.length === 2);
    gate.resolve(1);
    expect((await followUp).status?.state).toBe(TASK_STATE_COMPLETED);
    expect(told).toContainEqual(expect.objectContaining({ type: 'data', json: data }));
  });

  it('that a turn does not take continues its task', async () => {
    const deaf = scripted(
      async function* (activation, context) {
        const text = activation.messages.map(({ parts }) => JSON.stringify(parts)).join();
        if (text.includes('first')) await context.once('gate', () => gate.promise);
        yield* say(
          context,
          `answer-${context.attempt}`,
          text.includes('second') ? 'heard the second' : 'heard the first',
        );
      },
      { id: 'deaf', takesInput: false },
    );
    const gate = deferred<number>();
    await using server = await serveA2a({}, [deaf]);
    const client = await connect(server.url, 'JSONRPC', 'ada', 'deaf');
    const task = await sendTask(client, message('first', { returnImmediately: true }));
    const second = sendTask(client, message('second', { taskId: task.id }));
    await until('the input is there', async () => (await server.mailbox.queue.list(ada, task.contextId)).length === 1);
    gate.resolve(1);
    expect((await second).id).toBe(task.id);
    expect((await second).status?.state).toBe(TASK_STATE_COMPLETED);
  });

  it('to a task that has not begun is what it begins with', async () => {
    const gate = deferred<number>();
    const patient = scripted(
      async function* ({ messages }, context) {
        const said = messages.flatMap(({ parts }) => parts.map((part) => (part.type === 'text' ? part.text : '')));
        if (said.includes('first')) await context.once('gate', () => gate.promise);
        yield* say(context, 'answer', said.join(', '));
      },
      { id: 'patient' },
    );
    await using server = await serveA2a({}, [patient]);
    const client = await connect(server.url, 'JSONRPC', 'ada', 'patient');
    await sendTask(client, message('first', { contextId: 'c', returnImmediately: true }));
    const queued = await sendTask(client, message('second', { contextId: 'c', returnImmediately: true }));
    expect(queued.status?.state).toBe(TASK_STATE_SUBMITTED);
    const joined = await sendTask(client, message('and this', { taskId: queued.id, returnImmediately: true }));
    expect(joined).toMatchObject({ id: queued.id, status: { state: TASK_STATE_SUBMITTED } });
    expect(joined.history.map(({ parts }) => textOfParts(parts))).toEqual(['second', 'and this']);
    const followed = follow(client.sendMessageStream(message('and that', { taskId: queued.id })));
    await until('it to be there', async () => (await client.getTask(get(queued.id))).history.length === 3);
    gate.resolve(1);
    expect((await followed).text).toBe('second, and this, and that');
    expect((await followed).states.at(-1)).toBe(TASK_STATE_COMPLETED);
  });

  it('is refused for a task that is not there, has ended, or is of another context', async () => {
    await using server = await serveA2a();
    const client = await connect(server.url);
    const task = await sendTask(client, message('hello'));
    await expect(client.sendMessage(message('x', { taskId: 'run_none' }))).rejects.toMatchObject({
      envelopeCode: -32001,
    });
    await expect(client.sendMessage(message('x', { taskId: task.id }))).rejects.toMatchObject({ envelopeCode: -32004 });
    const elsewhere = message('x', { taskId: task.id, contextId: 'other' });
    await expect(client.sendMessage(elsewhere)).rejects.toMatchObject({ envelopeCode: -32602 });
    await expect(follow(client.resubscribeTask(get(task.id)))).rejects.toMatchObject({ envelopeCode: -32004 });
  });
});

const ada = { scope: 'local', actor: 'ada' };

describe('a context', () => {
  it('goes on with what was said in it, under the name that its caller chose', async () => {
    await using server = await serveA2a();
    const client = await connect(server.url);
    const first = await sendTask(client, message('hello', { contextId: 'mine' }));
    const second = await sendTask(client, message('again', { contextId: 'mine' }));
    expect([first.contextId, second.contextId]).toEqual(['mine', 'mine']);
    expect(second.id).not.toBe(first.id);
    const [only, ...others] = (await server.mailbox.threads.list(ada, { contextId: 'mine' }, { limit: 10 })).items;
    expect(others).toEqual([]);
    const { items } = await server.mailbox.threads.messages(ada, only?.id ?? '', undefined, { limit: 10 });
    expect(items).toHaveLength(4);
  });

  it(
    'queues behind a task that works, and forks beside one that waits',
    { tags: 'tasks-of-a-context-stay-apart' },
    async () => {
      await using server = await serveA2a();
      const client = await connect(server.url);
      const working = await sendTask(client, message('/steer 3', { contextId: 'c', returnImmediately: true }));
      const queued = await sendTask(client, message('/approve', { contextId: 'c', returnImmediately: true }));
      expect(queued.status?.state).toBe(TASK_STATE_SUBMITTED);
      expect(queued.history.map(({ parts }) => textOfParts(parts))).toEqual(['/approve']);
      const waiting = await until('the question', async () => {
        const task = await client.getTask(get(queued.id));
        return task.status?.state === TASK_STATE_INPUT_REQUIRED ? task : undefined;
      });
      expect((await client.getTask(get(working.id))).status?.state).toBe(TASK_STATE_COMPLETED);
      const beside = await sendTask(client, message('hello', { contextId: 'c' }));
      expect(beside.status?.state).toBe(TASK_STATE_COMPLETED);
      expect(beside.contextId).toBe('c');
      expect(beside.history.map(({ parts }) => textOfParts(parts))).toEqual(['hello']);
      expect((await client.getTask(get(waiting.id))).status?.state).toBe(TASK_STATE_INPUT_REQUIRED);
      const [question] = dataOf(waiting.status?.message?.parts ?? []);
      const data = { ticketId: question?.['ticketId'], approved: true };
      const done = await sendTask(client, message('', { taskId: waiting.id, data }));
      expect(done).toMatchObject({ id: waiting.id, contextId: 'c', status: { state: TASK_STATE_COMPLETED } });
    },
  );

  it('begins on the thread that it is named after, if that is there and nobody has used it', async () => {
    await using server = await serveA2a();
    const { threads } = server.mailbox;
    const client = await connect(server.url);
    await threads.create(ada, { id: 'made' });
    await threads.create(ada, { id: 'of another context', contextId: 'another' });
    await sendTask(client, message('hello', { contextId: 'made' }));
    await sendTask(client, message('again', { contextId: 'made' }));
    await sendTask(await connect(server.url, 'JSONRPC', 'eve'), message('hello', { contextId: 'made' }));
    await sendTask(client, message('hello', { contextId: 'of another context' }));
    const said = async (id: string): Promise<number> =>
      (await threads.messages(ada, id, undefined, { limit: 10 })).items.length;
    expect([await said('made'), await said('of another context')]).toEqual([4, 0]);
  });

  it('and its tasks are not there for another caller', async () => {
    await using server = await serveA2a();
    const client = await connect(server.url);
    const stranger = await connect(server.url, 'JSONRPC', 'eve');
    const task = await sendTask(client, message('/approve', { contextId: 'c' }));
    await expect(stranger.getTask(get(task.id))).rejects.toMatchObject({ envelopeCode: -32001 });
    await expect(stranger.cancelTask(cancel(task.id))).rejects.toMatchObject({ envelopeCode: -32001 });
    await expect(follow(stranger.resubscribeTask(get(task.id)))).rejects.toMatchObject({ envelopeCode: -32001 });
    const theirs = await sendTask(stranger, message('hello', { contextId: 'c' }));
    expect(theirs).toMatchObject({ contextId: 'c', history: [{}] });
    expect(theirs.status?.state).toBe(TASK_STATE_COMPLETED);
    const listed = await stranger.listTasks(list());
    expect(listed.tasks.map(({ id }) => id)).toEqual([theirs.id]);
    expect(listed.totalSize).toBe(1);
  });
});

function list(change: object = {}) {
  return {
    tenant: '',
    contextId: '',
    status: TaskState.TASK_STATE_UNSPECIFIED,
    pageToken: '',
    statusTimestampAfter: undefined,
    ...change,
  };
}

it('tasks are listed in pages, the one that changed last first', async () => {
  await using server = await serveA2a();
  const client = await connect(server.url);
  const asked = await sendTask(client, message('/approve'));
  const others = [];
  for (let count = 0; count < 4; count++) others.push(await sendTask(client, message(`hello ${count}`)));
  const [question] = dataOf(asked.status?.message?.parts ?? []);
  const data = { ticketId: question?.['ticketId'], approved: true };
  await sendTask(client, message('', { taskId: asked.id, data }));
  const seen: string[] = [];
  for (let pageToken = '', more = true; more;) {
    const page = await client.listTasks(list({ pageSize: 2, pageToken }));
    expect(page).toMatchObject({ totalSize: 5, pageSize: 2 });
    expect(page.tasks.every(({ artifacts }) => artifacts.length === 0)).toBe(true);
    seen.push(...page.tasks.map(({ id }) => id));
    pageToken = page.nextPageToken;
    more = pageToken !== '';
  }
  expect(seen).toEqual([asked.id, ...others.map(({ id }) => id).toReversed()]);
  const done = await client.listTasks(list({ status: TASK_STATE_COMPLETED, includeArtifacts: true }));
  expect(done.tasks.every(({ artifacts }) => artifacts.length > 0)).toBe(true);
  expect((await client.listTasks(list({ status: TASK_STATE_FAILED }))).tasks).toEqual([]);
  await expect(client.listTasks(list({ pageSize: 101 }))).rejects.toMatchObject({ envelopeCode: -32602 });
});

describe('a list of tasks', () => {
  it('tells how many are in each state, whatever they came to', async () => {
    await using server = await serveA2a();
    const client = await connect(server.url);
    const said = ['/approve', '/approve', '/fail permanent', '/steer 1000', 'hello', '/approve'];
    const [asked, , , working, greeted, stopped] = await Promise.all(
      said.map((text) => sendTask(client, message(text, { returnImmediately: text.startsWith('/steer') }))),
    );
    const contextId = working?.contextId ?? '';
    await until(
      'it works',
      async () => (await client.getTask(get(working?.id ?? ''))).status?.state === TASK_STATE_WORKING,
    );
    const queued = await sendTask(client, message('hello', { contextId, returnImmediately: true }));
    await client.cancelTask(cancel(stopped?.id ?? ''));
    const sizes: Record<string, number> = {};
    for (const status of Object.values(TaskState)) {
      if (typeof status !== 'number' || status === TaskState.UNRECOGNIZED) continue;
      const { tasks, totalSize } = await client.listTasks(list({ status }));
      expect(tasks).toHaveLength(totalSize);
      sizes[TaskState[status]] = totalSize;
    }
    expect(sizes).toEqual({
      TASK_STATE_UNSPECIFIED: 7,
      TASK_STATE_SUBMITTED: 1,
      TASK_STATE_WORKING: 1,
      TASK_STATE_INPUT_REQUIRED: 2,
      TASK_STATE_AUTH_REQUIRED: 0,
      TASK_STATE_COMPLETED: 1,
      TASK_STATE_FAILED: 1,
      TASK_STATE_REJECTED: 0,
      TASK_STATE_CANCELED: 1,
    });
    const inContext = await client.listTasks(list({ contextId }));
    expect(inContext.tasks.map(({ id }) => id).toSorted()).toEqual([working?.id, queued.id].toSorted());
    await client.cancelTask(cancel(queued.id));
    await client.cancelTask(cancel(working?.id ?? ''));
    const since = greeted?.status?.timestamp ?? '';
    const all = (await client.listTasks(list())).tasks.map(({ status }) => status?.timestamp ?? '');
    expect(all).toEqual(all.toSorted().toReversed());
    const later = await client.listTasks(list({ statusTimestampAfter: since, pageSize: 1 }));
    expect(later.totalSize).toBe(all.filter((timestamp) => timestamp >= since).length);
    expect(asked?.status?.state).toBe(TASK_STATE_INPUT_REQUIRED);
  });

  it('costs as much as its page, however many tasks there are', async () => {
    await using server = await serveA2a();
    const client = await connect(server.url);
    const { runs } = server.mailbox;
    const spies = [vi.spyOn(runs, 'find'), vi.spyOn(server.mailbox, 'events')];
    const costOfPage = async (pageToken: string): Promise<{ cost: number; next: string }> => {
      for (const spy of spies) spy.mockClear();
      const { nextPageToken: next } = await client.listTasks(list({ pageSize: 2, pageToken }));
      return { cost: spies.reduce((sum, { mock }) => sum + mock.calls.length, 0), next };
    };
    for (const count of [1, 2, 3]) await sendTask(client, message(`hello ${count}`));
    const few = await costOfPage('');
    for (let count = 0; count < 20; count++) await sendTask(client, message(`hello ${count}`));
    const first = await costOfPage('');
    expect([first.cost, (await costOfPage(first.next)).cost]).toEqual([few.cost, few.cost]);
  });

  it('of a context has those of its oldest thread', async () => {
    await using server = await serveA2a();
    const client = await connect(server.url);
    const task = await sendTask(client, message('hello', { contextId: 'c' }));
    const { threads } = server.mailbox;
    const names = Array.from({ length: 201 }, (_, index) => `thread ${index}`);
    await Promise.all(names.map((id) => threads.create(ada, { id, contextId: 'c' })));
    const listed = await client.listTasks(list({ contextId: 'c' }));
    expect(listed).toMatchObject({ totalSize: 1, tasks: [{ id: task.id }] });
  });

  it('passes over what went while it was made', async () => {
    await using server = await serveA2a();
    const client = await connect(server.url);
    const { runs, threads } = server.mailbox;
    const tasks = [await sendTask(client, message('hello')), await sendTask(client, message('hello'))];
    const listStanding = runs.listStanding.bind(runs);
    vi.spyOn(runs, 'listStanding').mockImplementationOnce(async (...asked) => {
      const listed = await listStanding(...asked);
      await threads.remove(ada, tasks[0]?.contextId ?? '', { children: 'remove', force: true });
      return listed;
    });
    expect((await client.listTasks(list())).tasks.map(({ id }) => id)).toEqual([tasks[1]?.id]);
  });
});

describe('cancelling', () => {
  it('ends a task that is queued, works, or waits, and is a no-op for one that is cancelled', async () => {
    await using server = await serveA2a();
    const client = await connect(server.url);
    const working = await sendTask(client, message('/steer 1000', { contextId: 'c', returnImmediately: true }));
    const queued = await sendTask(client, message('hello', { contextId: 'c', returnImmediately: true }));
    const waiting = await sendTask(client, message('/approve'));
    for (const { id } of [queued, working, waiting, waiting]) {
      expect((await client.cancelTask(cancel(id))).status?.state).toBe(TASK_STATE_CANCELED);
    }
  });

  it('refuses for a task that has ended otherwise', async () => {
    await using server = await serveA2a();
    const client = await connect(server.url);
    const done = await sendTask(client, message('hello'));
    const failed = await sendTask(client, message('/fail permanent'));
    for (const { id } of [done, failed]) {
      await expect(client.cancelTask(cancel(id))).rejects.toMatchObject({ envelopeCode: -32002 });
    }
  });

  it('answers in time when the agent does not react', async () => {
    await using server = await serveA2a({ limits: { cancelWaitMs: 10 } });
    const client = await connect(server.url);
    const task = await sendTask(client, message('/hang', { returnImmediately: true }));
    await until('it hangs', async () => (await client.getTask(get(task.id))).artifacts.length > 0);
    const answered = await client.cancelTask(cancel(task.id));
    expect(answered.status?.state).toBe(TASK_STATE_WORKING);
  });
});

describe('waiting', () => {
  it('has an end: then the task is answered as it is', async () => {
    await using server = await serveA2a({ limits: { maxWaitMs: 20 } });
    const client = await connect(server.url);
    const task = await sendTask(client, message('/steer 1000'));
    expect(task.status?.state).toBe(TASK_STATE_WORKING);
    await client.cancelTask(cancel(task.id));
  });

  it('shows no more history than is wanted', async () => {
    await using server = await serveA2a();
    const client = await connect(server.url);
    const none = await sendTask(client, message('hello', { historyLength: 0 }));
    expect(none.history).toEqual([]);
    expect((await client.getTask({ ...get(none.id), historyLength: 1 })).history).toHaveLength(1);
    await expect(client.getTask({ ...get(none.id), historyLength: -1 })).rejects.toMatchObject({
      envelopeCode: -32602,
    });
  });
});

describe('a stream', () => {
  it('that is cut goes on exactly where it was', async () => {
    await using server = await serveA2a();
    const { url } = server;
    const params = { message: { messageId: 'm', role: 'ROLE_USER', parts: [{ text: '/stream 200 1' }] } };
    const body = { jsonrpc: '2.0', id: 0, method: 'SendStreamingMessage', params };
    const frames = await readFrames(`${url}/a2a/demo`, { body }, (read) => read.length >= 4);
    const taskId = taskIdOf(frames);
    for (let cut = 1; cut <= 4; cut++) {
      const again = { jsonrpc: '2.0', id: 0, method: 'SubscribeToTask', params: { id: taskId } };
      const headers = { 'last-event-id': frames.at(-1)?.id ?? '' };
      const isEnough = (read: readonly unknown[]): boolean => cut < 4 && read.length >= 3;
      frames.push(...(await readFrames(`${url}/a2a/demo`, { body: again, headers }, isEnough)));
    }
    expect(new Set(frames.map(({ id }) => id)).size).toBe(frames.length);
    expect(frames.every(({ data }) => data['id'] === 0)).toBe(true);
    const chunks = frames.flatMap(({ data }) => {
      const { artifactUpdate } = data['result'] as { artifactUpdate?: { artifact: { parts: { text: string }[] } } };
      return artifactUpdate?.artifact.parts.map(({ text }) => text) ?? [];
    });
    const stored = await (await connect(url)).getTask(get(taskId));
    expect(stored.status?.state).toBe(TASK_STATE_COMPLETED);
    expect(chunks.join('')).toBe(artifactText(stored));
  });

  it('ends without an end when the gateway stops, and says to come back', async () => {
    await using server = await serveA2a();
    const client = await connect(server.url);
    const task = await sendTask(client, message('/steer 1000', { returnImmediately: true }));
    const headers = { 'a2a-version': '1.0' };
    const response = await fetch(`${server.url}/a2a/demo/tasks/${task.id}:subscribe`, { headers });
    const stopped = server.mailbox.stop();
    const text = await response.text();
    await stopped;
    expect(text).toMatch(/retry: 1000\n\n$/);
    expect(text).not.toMatch(/TASK_STATE_(COMPLETED|FAILED|CANCELED)/);
  });

  it('that joins late is told the task, and then what follows', async () => {
    await using server = await serveA2a();
    const client = await connect(server.url);
    const task = await sendTask(client, message('/steer 3', { returnImmediately: true }));
    const all = await Promise.all([1, 2].map(() => follow(client.resubscribeTask(get(task.id)))));
    const stored = await client.getTask(get(task.id));
    for (const followed of all) {
      expect(followed.states.at(-1)).toBe(TASK_STATE_COMPLETED);
      expect(followed.text).toBe(artifactText(stored));
    }
  });

  it('tells an artifact again when an attempt is discarded', async () => {
    const flaky = scripted(
      async function* (_activation, context) {
        const id = context.id('answer');
        yield { type: 'text.started', id, role: 'assistant' };
        yield { type: 'text.delta', id, delta: context.attempt === 1 ? 'wrong ' : 'right' };
        await Promise.resolve();
        if (context.attempt === 1) throw new Error('not this time');
        yield { type: 'text.ended', id };
      },
      { id: 'flaky' },
    );
    await using server = await serveA2a({}, [flaky]);
    const client = await connect(server.url, 'JSONRPC', 'ada', 'flaky');
    const followed = await follow(client.sendMessageStream(message('go')));
    expect(followed.states.at(-1)).toBe(TASK_STATE_COMPLETED);
    expect(followed.text).toBe('right');
  });

  it('stays open at a sign-in, which needs no message', async () => {
    const guarded = scripted(
      async function* (_activation, context) {
        await context.ask('account', { kind: 'sign-in', text: 'Sign in at example.com' });
        yield* say(context, 'answer', 'signed in');
      },
      { id: 'guarded' },
    );
    await using server = await serveA2a({}, [guarded]);
    const client = await connect(server.url, 'JSONRPC', 'ada', 'guarded');
    const followed = new Followed();
    const ended = follow(client.sendMessageStream(message('go')), followed);
    await until('the sign-in', () => followed.states.includes(TASK_STATE_AUTH_REQUIRED));
    const { items } = await server.mailbox.tickets.list(ada, { state: 'open' }, { limit: 1 });
    const person = { ...ada, door: 'control', origin: 'user' } as const;
    await server.mailbox.tickets.decide(person, items[0]?.id ?? '', { answer: { type: 'value', value: 'done' } });
    await ended;
    expect(followed.states.slice(-3)).toEqual([TASK_STATE_AUTH_REQUIRED, TASK_STATE_WORKING, TASK_STATE_COMPLETED]);
  });
});

it('what a message is about and what its caller takes as an answer reach the agent', async () => {
  const told: unknown[] = [];
  const curious = scripted(
    async function* ({ references, acceptedModes, trace, metadata }, context) {
      told.push({ references, acceptedModes, trace, metadata });
      yield* say(context, 'answer', 'noted');
    },
    { id: 'curious' },
  );
  await using server = await serveA2a({}, [curious]);
  const client = await connect(server.url, 'JSONRPC', 'ada', 'curious');
  const { message: sent, configuration, ...rest } = message('go');
  if (sent === undefined || configuration === undefined) throw new Error('the message says too little');
  await client.sendMessage({
    ...rest,
    message: { ...sent, referenceTaskIds: ['task-before'], metadata: { from: 'the message' } },
    configuration: { ...configuration, acceptedOutputModes: ['text/plain'] },
    metadata: { from: 'the request' },
  });
  expect(told).toEqual([
    { references: ['task-before'], acceptedModes: ['text/plain'], trace: undefined, metadata: { from: 'the request' } },
  ]);
});

it.each([
  [undefined, ['image/png'], 'refused'],
  [undefined, ['image/png', 'text/plain'], 'taken'],
  [undefined, ['application/*'], 'taken'],
  [undefined, [], 'taken'],
  [['image/*'], ['image/png'], 'taken'],
  [['image/*'], ['image/*'], 'taken'],
  [['image/png'], ['image/*'], 'taken'],
  [['image/png'], ['audio/wav'], 'refused'],
])(
  'an agent that answers in %s beside words and data, asked for %s, is %s',
  async (outputModes, acceptedOutputModes, is) => {
    const { card, run } = scripted(
      async function* (_activation, context) {
        yield* say(context, 'answer', 'hello');
      },
      { id: 'demo' },
    );
    const said = outputModes === undefined ? {} : { metadata: { a2a: { outputModes } } };
    await using server = await serveA2a({}, [{ card: { ...card, ...said }, run }]);
    const client = await connect(server.url);
    expect((await client.getAgentCard()).defaultOutputModes).toEqual([
      'text/plain',
      'application/json',
      ...(outputModes ?? []),
    ]);
    const request = message('go');
    const sent = client.sendMessage({
      ...request,
      configuration: { taskPushNotificationConfig: undefined, returnImmediately: false, acceptedOutputModes },
    });
    if (is === 'taken') await expect(sent).resolves.toBeDefined();
    else await expect(sent).rejects.toMatchObject({ envelopeCode: -32005 });
  },
);

it('a refusal is a rejected task', async () => {
  const refusing = scripted(
    async function* (_activation, context) {
      yield* say(context, 'answer', 'I would rather not.');
      yield { type: 'ending', stop: 'refusal' };
    },
    { id: 'refusing' },
  );
  await using server = await serveA2a({}, [refusing]);
  const client = await connect(server.url, 'JSONRPC', 'ada', 'refusing');
  const task = await sendTask(client, message('go'));
  expect(task.status?.state).toBe(TASK_STATE_REJECTED);
});

describe('a question that only a person may answer', () => {
  it('is not answered by a caller that is an agent', async () => {
    await using server = await serveA2a({ callerIs: 'agent', persons: ['ann'] });
    const client = await connect(server.url);
    const asked = await sendTask(client, message('/approve'));
    const [question] = dataOf(asked.status?.message?.parts ?? []);
    expect(question).toMatchObject({ mayDecide: 'person' });
    const data = { ticketId: question?.['ticketId'], approved: true };
    await expect(client.sendMessage(message('', { taskId: asked.id, data }))).rejects.toThrow(/only a person/);
    const ann = await connect(server.url, 'JSONRPC', 'ann');
    const hers = await sendTask(ann, message('/form'));
    const done = await sendTask(ann, message('', { taskId: hers.id, data: { name: 'Ann', age: 1 } }));
    expect(done.status?.state).toBe(TASK_STATE_COMPLETED);
  });
});

describe('one run on two protocols', () => {
  it('is started over A2A and answered over AG-UI', async () => {
    await using server = await serveA2a();
    const client = await connect(server.url);
    const asked = await sendTask(client, message('/approve'));
    const [question] = dataOf(asked.status?.message?.parts ?? []);
    const resume = [{ interruptId: question?.['ticketId'], status: 'resolved', payload: { approved: true } }];
    const sent = await agUi(server.url, { threadId: asked.contextId, runId: 'r1', messages: [], resume });
    expect(sent).toContain('RUN_FINISHED');
    const done = await client.getTask(get(asked.id));
    expect(done.status?.state).toBe(TASK_STATE_COMPLETED);
  });

  it('is started over AG-UI and answered over A2A', async () => {
    await using server = await serveA2a();
    const client = await connect(server.url);
    const messages = [{ id: 'm1', role: 'user', content: '/approve' }];
    expect(await agUi(server.url, { threadId: 't', runId: 'r1', messages })).toContain('interrupt');
    const [task] = (await client.listTasks(list({ contextId: 't' }))).tasks;
    const [question] = dataOf(task?.status?.message?.parts ?? []);
    const data = { ticketId: question?.['ticketId'], approved: true };
    const done = await sendTask(client, message('', { taskId: task?.id ?? '', data }));
    expect(done.status?.state).toBe(TASK_STATE_COMPLETED);
    expect(done.contextId).toBe('t');
  });
});

async function agUi(url: string, input: object): Promise<string> {
  const response = await fetch(`${url}/ag-ui/demo`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(input),
  });
  return response.text();
}
