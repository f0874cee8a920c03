import { type Artifact, StreamResponse, Task } from '@a2a-js/sdk';
import { expect, it } from 'vitest';
import { type ShownWork, TaskFold } from '../../adapters/a2a/task-fold.ts';
import type { EventBody, RunEvent } from '../../schemas/run-event.ts';
import type { Ticket } from '../../schemas/ticket.ts';
import { Followed } from '../support/a2a-server.ts';

const name = { taskId: 'run_1', contextId: 'ctx_1' };
const ticket: Ticket = {
  id: 'tkt_1',
  threadId: 't',
  runId: 'run_1',
  rootRunId: 'run_1',
  key: 'k',
  kind: 'approval',
  text: 'May I?',
  options: [{ id: 'allow', name: 'Allow', kind: 'allow-once' }],
  editable: true,
  mayDecide: 'person',
  toolCallId: 'call_1',
  openedAtMs: 0,
  expiresAtMs: 86_400_000,
  onExpiry: 'dismiss',
  secret: false,
};

const bodies: EventBody[] = [
  { type: 'run.queued', activation: 'a2a:1' },
  { type: 'run.started', activations: ['a2a:1'], agentId: 'demo' },
  {
    type: 'message.added',
    message: {
      id: 'm1',
      role: 'user',
      seq: 1,
      actor: 'ada',
      parts: [{ type: 'text', text: 'go' }],
      metadata: { a2a: { extensions: ['urn:x'] }, mine: 1 },
    },
  },
  { type: 'reasoning.started', id: 'r' },
  { type: 'reasoning.delta', id: 'r', delta: 'hm' },
  { type: 'reasoning.ended', id: 'r' },
  { type: 'text.started', id: 'x', role: 'assistant' },
  { type: 'text.delta', id: 'x', delta: 'wro' },
  { type: 'text.delta', id: 'x', delta: 'ng' },
  { type: 'run.retrying', nextAttempt: 2, retryAtMs: 1 },
  { type: 'attempt.discarded', itemIds: ['x'] },
  { type: 'text.started', id: 'x', role: 'assistant' },
  { type: 'text.delta', id: 'x', delta: 'right' },
  { type: 'part.added', messageId: 'x', part: { type: 'link', uri: 'https://example.com', name: 'there' } },
  { type: 'text.ended', id: 'x' },
  { type: 'tool.started', id: 'call_1', name: 'delete', runBy: 'agent' },
  { type: 'tool.called', id: 'call_1', args: '{"path":"a"}' },
  { type: 'ticket.opened', ticket },
  { type: 'run.waiting', ticketIds: ['tkt_1'] },
  {
    type: 'ticket.closed',
    ticketId: 'tkt_1',
    how: 'answered',
    decision: { how: 'answered', answer: { type: 'approve' } },
    by: { actor: 'ada', door: 'a2a' },
  },
  { type: 'run.resumed', cause: 'decision' },
  {
    type: 'tool.result',
    id: 'call_1',
    messageId: 'm2',
    status: 'ok',
    parts: [{ type: 'text', text: 'gone' }],
    origin: 'agent',
  },
  { type: 'plan', planId: 'p', entries: [{ content: 'do', priority: 'high', status: 'completed' }] },
  { type: 'artifact', id: 'f', name: 'report.md', parts: [{ type: 'text', text: '# ' }], append: false, last: false },
  { type: 'artifact', id: 'f', parts: [{ type: 'text', text: 'Report' }], append: true, last: true },
  { type: 'usage', provider: 'p', model: 'm', tokens: { input: 3, output: 4 } },
  { type: 'custom', name: 'nobody', value: 'sees it' },
  {
    type: 'run.finished',
    outcome: { type: 'completed', stop: 'end_turn', pendingToolCalls: [], result: { answer: 42 } },
  },
];
const log = bodies.map((body, index): RunEvent => ({
  ...body,
  seq: index + 1,
  atMs: 1000 * index,
  threadId: 't',
  runId: 'run_1',
  attempt: 1,
}));

function foldOf(count: number, shown: readonly ShownWork[] = ['reasoning', 'tools', 'plans', 'steps']): TaskFold {
  const fold = new TaskFold(name, new Set(shown), 0);
  for (const event of log.slice(0, count)) fold.fold(event);
  return fold;
}

it('a log is told as recorded', async () => {
  const fold = foldOf(0);
  const told = log.flatMap((event) => fold.fold(event).map((payload) => StreamResponse.toJSON({ payload })));
  const text = JSON.stringify({ told, task: Task.toJSON(fold.snapshot()) }, null, 2);
  await expect(`${text}\n`).toMatchFileSnapshot('../golden/a2a/task.json');
});

it.each(log.map((_, index) => index))('whoever joins after event %i has the same task in the end', (at) => {
  const fold = foldOf(at);
  const followed = new Followed();
  followed.apply({ payload: { $case: 'task', value: fold.snapshot() } });
  for (const event of log.slice(at)) for (const payload of fold.fold(event)) followed.apply({ payload });
  const whole = foldOf(log.length).snapshot();
  expect(followed.task?.status).toEqual(whole.status);
  expect(followed.task?.artifacts.map(textsOf)).toEqual(whole.artifacts.map(textsOf));
});

it('work is told as far as it is wanted', () => {
  const quiet = foldOf(0, []);
  const told = log.flatMap((event) => quiet.fold(event));
  const states = told.flatMap((one) => (one.$case === 'statusUpdate' ? [one.value.status?.state] : []));
  expect(states).toEqual([2, 2, 6, 2, 3]);
});

/** Chunks of text join; where one part ends and the next begins says nothing. */
function textsOf({ artifactId, parts }: Artifact): object {
  const text = parts.map(({ content }) => (content?.$case === 'text' ? content.value : `[${content?.$case}]`));
  return { artifactId, text: text.join('') };
}
