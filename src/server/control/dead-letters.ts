import * as z from 'zod';
import { RunReceipt } from '../../../schemas/control.ts';
import { AgentId, ThreadId } from '../../../schemas/id.ts';
import { type Endpoint, endpoint, nothing, reply } from './endpoint.ts';
import { pageOf, paging, present, runPath } from './parameters.ts';
import { encodeReceipt, receiptHeaders } from './receipt.ts';
import { showRun, ShownRun } from './shown.ts';

const tag = 'Dead letters';

/** Runs that failed for good, and about which nobody has done anything yet. */
export const deadLetterEndpoints: readonly Endpoint[] = [
  endpoint({
    method: 'get',
    path: '/v1/dead-letters',
    operationId: 'listDeadLetters',
    tag,
    summary: 'Lists runs that failed for good and were neither redriven nor discarded, newest first.',
    query: z.strictObject({
      threadId: ThreadId.optional().describe('Only those of this thread.'),
      agentId: AgentId.optional().describe('Only those of this agent.'),
      ...paging,
    }),
    answers: { 200: { what: 'A page of runs.', body: pageOf(ShownRun) } },
    async handle({ gateway, caller, query: { threadId, agentId, ...page } }) {
      const { items, next } = await gateway.runs.list(caller, { status: 'dead', threadId, agentId }, page);
      return reply(200, { items: items.map(showRun), next });
    },
  }),
  endpoint({
    method: 'post',
    path: '/v1/dead-letters/{runId}/redrive',
    operationId: 'redriveRun',
    tag,
    summary: 'Asks again what a dead run was asked, as a new run on a branch of its own.',
    description: 'Repeated, it finds that run.',
    params: runPath,
    answers: { 202: { what: 'The new run’s receipt.', body: RunReceipt, headers: receiptHeaders } },
    faults: ['not-found', 'agent-not-found', 'run-conflict', 'too-many', 'disk-low'],
    async handle({ gateway, caller, params: { runId } }) {
      const { run } = present(await gateway.runs.find(caller, runId), 'run', runId);
      return encodeReceipt(run.threadId, await gateway.runs.redrive(caller, runId));
    },
  }),
  endpoint({
    method: 'delete',
    path: '/v1/dead-letters/{runId}',
    operationId: 'discardRun',
    tag,
    summary: 'Takes a run off the list of dead ones. The run itself stays.',
    params: runPath,
    answers: { 204: { what: 'It is off the list.' } },
    faults: ['not-found', 'run-conflict'],
    async handle({ gateway, caller, params: { runId } }) {
      await gateway.runs.discard(caller, runId);
      return nothing;
    },
  }),
];
