import * as z from 'zod';
import { StopReport, ThreadFork, ThreadInput, ThreadPatch, ThreadStatus } from '../../../schemas/control.ts';
import { Thread } from '../../../schemas/thread.ts';
import { activationPath, flag, pageOf, paging, pathOf, present, threadPath } from './parameters.ts';
import { type Endpoint, endpoint, nothing, reply } from './endpoint.ts';
import { showActivation, ShownActivation } from './shown.ts';

const tag = 'Threads';
const location = { Location: 'Where the thread is.' };

export const threadEndpoints: readonly Endpoint[] = [
  endpoint({
    method: 'post',
    path: '/v1/threads',
    operationId: 'createThread',
    tag,
    summary: 'Makes a thread.',
    description: 'A thread is also made by the first request on it. The same again finds it.',
    body: ThreadInput,
    answers: {
      201: { what: 'It was made.', body: ThreadStatus, headers: location },
      200: { what: 'It was there already, made of the same.', body: ThreadStatus, headers: location },
    },
    faults: ['request-conflict', 'disk-low'],
    async handle({ gateway, caller, body }) {
      const { status, was } = await gateway.threads.create(caller, body);
      const headers = { location: pathOf('threads', status.thread.id) };
      return was === 'created' ? reply(201, status, headers) : reply(200, status, headers);
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/threads',
    operationId: 'listThreads',
    tag,
    summary: 'Lists threads, newest first.',
    query: z.strictObject({
      contextId: z.string().min(1).max(512).optional().describe('Only those with this label.'),
      ...paging,
    }),
    answers: { 200: { what: 'A page of threads.', body: pageOf(Thread) } },
    async handle({ gateway, caller, query: { contextId, ...page } }) {
      return reply(200, await gateway.threads.list(caller, { contextId }, page));
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/threads/{threadId}',
    operationId: 'getThread',
    tag,
    summary: 'Says what a thread is, and what happens on it now.',
    params: threadPath,
    answers: { 200: { what: 'How it stands.', body: ThreadStatus } },
    faults: ['not-found'],
    async handle({ gateway, caller, params: { threadId } }) {
      return reply(200, present(await gateway.threads.find(caller, threadId), 'thread', threadId));
    },
  }),
  endpoint({
    method: 'patch',
    path: '/v1/threads/{threadId}',
    operationId: 'patchThread',
    tag,
    summary: 'Changes what a thread says of itself.',
    description: 'What is absent stays, `null` removes. `metadata` and `settings.options` are merged (RFC 7396).',
    params: threadPath,
    body: ThreadPatch,
    answers: { 200: { what: 'How it stands.', body: ThreadStatus } },
    faults: ['not-found', 'disk-low'],
    async handle({ gateway, caller, params: { threadId }, body }) {
      return reply(200, await gateway.threads.patch(caller, threadId, body));
    },
  }),
  endpoint({
    method: 'delete',
    path: '/v1/threads/{threadId}',
    operationId: 'deleteThread',
    tag,
    summary: 'Removes a thread and all that belongs to it.',
    params: threadPath,
    query: z.strictObject({
      children: z
        .enum(['refuse', 'keep', 'remove'])
        .default('refuse')
        .describe('What becomes of its forks. `refuse`, if absent: while it has any, nothing is removed.'),
      force: flag().default(false).describe('Also while a run is open or requests wait; `false` if absent.'),
    }),
    answers: { 204: { what: 'It is gone.' } },
    faults: ['not-found', 'run-conflict'],
    async handle({ gateway, caller, params: { threadId }, query }) {
      await gateway.threads.remove(caller, threadId, query);
      return nothing;
    },
  }),
  endpoint({
    method: 'post',
    path: '/v1/threads/{threadId}/fork',
    operationId: 'forkThread',
    tag,
    summary: 'Makes a thread that begins with this one’s messages.',
    params: threadPath,
    body: ThreadFork,
    answers: { 201: { what: 'It was made.', body: ThreadStatus, headers: location } },
    faults: ['not-found', 'request-conflict', 'disk-low'],
    async handle({ gateway, caller, params: { threadId }, body }) {
      const status = await gateway.threads.fork(caller, threadId, body);
      return reply(201, status, { location: pathOf('threads', status.thread.id) });
    },
  }),
  endpoint({
    method: 'post',
    path: '/v1/threads/{threadId}/cancel',
    operationId: 'cancelThread',
    tag,
    summary: 'Ends all that this caller brought in here; others’ work stays.',
    description: 'Twice is a no-op that says how it stands.',
    params: threadPath,
    answers: { 200: { what: 'What it reached.', body: StopReport } },
    faults: ['not-found'],
    async handle({ gateway, caller, params: { threadId } }) {
      return reply(200, await gateway.threads.cancel(caller, threadId));
    },
  }),
  endpoint({
    method: 'post',
    path: '/v1/threads/{threadId}/interrupt',
    operationId: 'interruptThread',
    tag,
    summary: 'Stops what runs, whoever brought it in, and supersedes what this caller has queued.',
    params: threadPath,
    answers: { 200: { what: 'What it reached.', body: StopReport } },
    faults: ['not-found'],
    async handle({ gateway, caller, params: { threadId } }) {
      return reply(200, await gateway.threads.interrupt(caller, threadId));
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/threads/{threadId}/activations/{activationId}',
    operationId: 'getActivation',
    tag,
    summary: 'Says what became of a request.',
    params: activationPath,
    answers: { 200: { what: 'How it stands.', body: ShownActivation } },
    faults: ['not-found'],
    async handle({ gateway, caller, params: { threadId, activationId } }) {
      const found = await gateway.findActivation(caller, threadId, activationId);
      return reply(200, showActivation(present(found, 'request', activationId)));
    },
  }),
  endpoint({
    method: 'post',
    path: '/v1/threads/{threadId}/activations/{activationId}/cancel',
    operationId: 'cancelActivation',
    tag,
    summary: 'Ends what one request asked for.',
    params: activationPath,
    answers: { 200: { what: 'What it reached.', body: StopReport } },
    faults: ['not-found', 'forbidden', 'input-taken'],
    async handle({ gateway, caller, params: { threadId, activationId } }) {
      return reply(200, await gateway.runs.cancelActivation(caller, threadId, activationId));
    },
  }),
];
