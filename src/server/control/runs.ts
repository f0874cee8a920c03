import * as z from 'zod';
import { RunReceipt, RunReport, StopReport } from '../../../schemas/control.ts';
import { AgentId, ThreadId } from '../../../schemas/id.ts';
import { exchangeSignal } from '../../exchange-signal.ts';
import { Fault } from '../../fault.ts';
import type { Receipt, Submission } from '../../gateway.ts';
import { type Call, type Endpoint, endpoint, reply } from './endpoint.ts';
import { idempotency, pageOf, paging, present, runPath, wholeNumber } from './parameters.ts';
import { encodeReceipt, receiptHeaders } from './receipt.ts';
import { showReport, showRun, ShownReport, ShownRun } from './shown.ts';
import { decodeInput, decodeSubmission, SoundInput, SoundSubmission } from './submission.ts';

const tag = 'Runs';
const accepted = { what: 'It is accepted, for good.', body: RunReceipt, headers: receiptHeaders };
/** What accepting a request may meet. */
const acceptFaults = [
  'agent-not-found',
  'not-found',
  'request-conflict',
  'run-conflict',
  'too-many',
  'disk-low',
] as const;
const reusedKey = { 'request-conflict': 422 };

export const runEndpoints: readonly Endpoint[] = [
  endpoint({
    method: 'post',
    path: '/v1/runs',
    operationId: 'submitRun',
    tag,
    summary: 'Submits a request: new messages for a thread, answers to its questions, or both.',
    description:
      'The run never belongs to this connection: wait for it, follow its events, or come back later. Without `threadId` ' +
      'it gets a thread of its own; with an `Idempotency-Key` that thread’s name follows from the caller and the key.',
    headers: idempotency,
    body: SoundSubmission,
    answers: { 202: accepted },
    faults: acceptFaults,
    statuses: reusedKey,
    async handle(call) {
      const submission = decodeSubmission(call, call.body, call.headers['Idempotency-Key']);
      return encodeReceipt(submission.threadId, await call.gateway.submit(call.caller, submission));
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/runs',
    operationId: 'listRuns',
    tag,
    summary: 'Lists runs, newest first.',
    query: z.strictObject({
      status: z
        .enum(['created', 'running', 'waiting', 'done', 'dead'])
        .optional()
        .describe('Only those in this status.'),
      threadId: ThreadId.optional().describe('Only those of this thread.'),
      agentId: AgentId.optional().describe('Only those of this agent.'),
      ...paging,
    }),
    answers: { 200: { what: 'A page of runs.', body: pageOf(ShownRun) } },
    async handle({ gateway, caller, query: { status, threadId, agentId, ...page } }) {
      const { items, next } = await gateway.runs.list(caller, { status, threadId, agentId }, page);
      return reply(200, { items: items.map(showRun), next });
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/runs/{runId}',
    operationId: 'getRun',
    tag,
    summary: 'Says how a run stands: what it waits for, and once it is done what it wrote.',
    params: runPath,
    answers: { 200: { what: 'How it stands.', body: ShownReport } },
    faults: ['not-found'],
    async handle({ gateway, caller, params: { runId } }) {
      return reply(200, showReport(present(await gateway.runs.find(caller, runId), 'run', runId)));
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/runs/{runId}/wait',
    operationId: 'waitForRun',
    tag,
    summary: 'Waits for a run.',
    description: 'Answers with how it stands when the wait ends, for whatever reason: look at its status.',
    params: runPath,
    query: z.strictObject({
      timeoutMs: wholeNumber(0, 60_000).default(30_000).describe('How long, in milliseconds; 30000 if absent.'),
      until: z
        .enum(['settled', 'done'])
        .default('settled')
        .describe('`settled`, if absent: done, or waiting for a person.'),
    }),
    answers: { 200: { what: 'How it stands.', body: ShownReport } },
    faults: ['not-found'],
    async handle(call) {
      return reply(200, showReport(await wait(call, call.params.runId, call.query)));
    },
  }),
  endpoint({
    method: 'post',
    path: '/v1/runs/{runId}/input',
    operationId: 'sendInput',
    tag,
    summary: 'Gives a run new input: into its turn, continuing it, or before it begins.',
    params: runPath,
    headers: idempotency,
    body: SoundInput,
    answers: { 202: accepted },
    faults: [...acceptFaults, 'run-ended'],
    statuses: reusedKey,
    async handle(call) {
      const {
        gateway,
        caller,
        params: { runId },
        headers,
        body,
      } = call;
      const { run } = present(await gateway.runs.find(caller, runId), 'run', runId);
      const receipt = await submitTo(call, runId, decodeInput(call, run, body, headers['Idempotency-Key']));
      return encodeReceipt(run.threadId, receipt);
    },
  }),
  endpoint({
    method: 'post',
    path: '/v1/runs/{runId}/cancel',
    operationId: 'cancelRun',
    tag,
    summary: 'Ends a run, wherever it is: queued, running, in backoff, waiting.',
    description: 'Twice is a no-op that says how it stands.',
    params: runPath,
    answers: { 200: { what: 'What it reached.', body: StopReport } },
    faults: ['not-found'],
    async handle({ gateway, caller, params: { runId } }) {
      return reply(200, await gateway.runs.cancel(caller, runId));
    },
  }),
];

async function wait(
  { gateway, clock, caller, response }: Call,
  runId: string,
  { timeoutMs, until }: { readonly timeoutMs: number; readonly until: 'settled' | 'done' },
): Promise<RunReport> {
  using over = exchangeSignal(response, gateway.stopping);
  if (timeoutMs === 0) over.abort();
  const cancel = clock.at(clock.now() + timeoutMs, over.abort);
  try {
    return await gateway.runs.wait(caller, runId, until, over.signal);
  } finally {
    cancel();
  }
}

/** A repetition is recognised before anything else is looked at, so what it is refused for is looked at afterwards. */
async function submitTo({ gateway, caller }: Call, runId: string, submission: Submission): Promise<Receipt> {
  try {
    return await gateway.submit(caller, submission);
  } catch (thrown) {
    if (!(thrown instanceof Fault) || thrown.code !== 'run-conflict') throw thrown;
    const report = await gateway.runs.find(caller, runId);
    if (report !== undefined && report.run.status !== 'done') throw thrown;
    throw new Fault('run-ended', `the run ${runId} is done`);
  }
}
