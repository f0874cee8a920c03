import { afterEach, describe, expect, it } from 'vitest';
import { Fault } from '../../../src/fault.ts';
import type { Submission } from '../../../src/gateway.ts';
import { type Deeds, receiptFor, runOf, type Stub, stubGateway } from '../../support/control-fake-gateway.ts';
import { ControlServer } from '../../support/control-server.ts';

const servers: ControlServer[] = [];
const submit = (_: unknown, submission: Submission): unknown => receiptFor(submission);

async function serve(deeds: Deeds = { submit }): Promise<{ server: ControlServer; stub: Stub }> {
  const stub = stubGateway(deeds);
  const server = await ControlServer.open(stub.gateway, {
    tokens: [
      { token: 'ann', actor: 'ann' },
      { token: 'bob', actor: 'bob' },
      { token: 'eve', scope: 'other', actor: 'ann' },
    ],
  });
  servers.push(server);
  return { server, stub };
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server[Symbol.asyncDispose]()));
});

function submissions({ called }: Stub): Submission[] {
  return called.filter(({ name }) => name === 'submit').map(({ args }) => args[1] as Submission);
}

const by = (token: string, more: Record<string, string> = {}) => ({ authorization: `Bearer ${token}`, ...more });

describe('a submission', () => {
  it(
    'is a new message for a new thread, to the first agent, unless it says otherwise',
    { tags: 'first-agent-is-the-default' },
    async () => {
      const { server, stub } = await serve();
      const answer = await server.ask('POST', '/runs', { body: { text: 'hello' }, headers: by('ann') });
      expect(submissions(stub)).toEqual([
        {
          threadId: expect.stringMatching(/^thr_/),
          key: expect.stringMatching(/^req_/),
          agentId: 'demo',
          door: 'control',
          origin: 'user',
          messages: [{ role: 'user', parts: [{ type: 'text', text: 'hello' }] }],
          messagesAre: 'new',
          decisions: [],
          toolResults: [],
          whenBusy: 'queue',
          tools: [],
          context: [],
          references: [],
          acceptedModes: [],
          metadata: {},
          endsAt: 'done',
          priority: 128,
        },
      ]);
      const [{ threadId, key } = { threadId: '', key: '' }] = submissions(stub);
      expect(answer).toMatchObject({ status: 202, headers: { location: '/v1/runs/run_1' } });
      expect(answer.headers).not.toHaveProperty('idempotency-replayed');
      expect(answer.body).toEqual({
        threadId,
        activationId: `control:${key}`,
        runId: 'run_1',
        became: 'running',
        blockedBy: [],
      });
    },
  );

  it('is whatever it says', async () => {
    const { server, stub } = await serve();
    const said = {
      threadId: 'a/b',
      agentId: 'other',
      messages: [{ id: 'm1', role: 'user', parts: [{ type: 'data', json: { deep: [1, null] } }] }],
      decisions: [{ ticketId: 'tkt_1', answer: { type: 'approve' }, decisionId: 'd1' }],
      toolResults: [{ toolCallId: 'c1', parts: [] }],
      whenBusy: 'steer',
      expectedRunId: 'run_9',
      base: 'm0',
      state: { count: 1 },
      tools: [{ name: 'ask', description: 'asks', parameters: { type: 'object' } }],
      context: [{ description: 'where', value: 'here' }],
      forwardedProps: null,
      metadata: { constructor: 'kept' },
      priority: 0,
    };
    const headers = by('ann', { 'idempotency-key': 'k 1', traceparent: '00-aa-bb-01', tracestate: 'x=y' });
    const answer = await server.ask('POST', '/runs', { body: said, headers });
    expect(answer.status).toBe(202);
    expect(submissions(stub)[0]).toMatchObject({
      ...said,
      key: 'k 1',
      trace: { traceparent: '00-aa-bb-01', tracestate: 'x=y' },
    });
  });

  it('has a thread of its own by its key, the same for each repetition and for nobody else', async () => {
    const { server, stub } = await serve();
    const ask = (token: string, key: string) =>
      server.ask('POST', '/runs', { body: { text: 'a' }, headers: by(token, { 'idempotency-key': key }) });
    await ask('ann', 'k');
    await ask('ann', 'k');
    await ask('bob', 'k');
    await ask('eve', 'k');
    await ask('ann', 'k2');
    const names = submissions(stub).map(({ threadId }) => threadId);
    expect(names[0]).toMatch(/^thr_[0-9a-f]{64}$/);
    expect(names[1]).toBe(names[0]);
    expect(new Set(names).size).toBe(4);
  });

  it('that was accepted before says so', async () => {
    const { server } = await serve({ submit: (_: unknown, submission) => receiptFor(submission, 'repeated') });
    const answer = await server.ask('POST', '/runs', { body: { text: 'a' }, headers: by('ann') });
    expect(answer).toMatchObject({ status: 202, headers: { 'idempotency-replayed': 'true' } });
  });
});

describe('input for a run', () => {
  it('steers that run, and no other', async () => {
    const { server, stub } = await serve({
      submit,
      'runs.find': () => ({ run: runOf({ agentId: 'other', threadId: 't7' }), tickets: [], messages: [] }),
    });
    const headers = by('ann', { 'idempotency-key': 'k' });
    const answer = await server.ask('POST', '/runs/run_1/input', { body: { text: 'faster' }, headers });
    expect(answer).toMatchObject({ status: 202, body: { threadId: 't7' } });
    expect(submissions(stub)[0]).toMatchObject({
      threadId: 't7',
      agentId: 'other',
      key: 'k',
      whenBusy: 'steer',
      bound: 'run_1',
      expectedRunId: 'run_1',
      messagesAre: 'new',
    });
  });

  it('is refused where the run is unknown or done', async () => {
    const conflict = (): never => {
      throw new Fault('run-conflict', 'run_1 is not the open run');
    };
    const ask = async (deeds: Deeds) => {
      const { server } = await serve(deeds);
      return server.ask('POST', '/runs/run_1/input', { body: { text: 'a' }, headers: by('ann') });
    };
    const found = (status: 'done' | 'created') => () => ({ run: runOf({ status }), tickets: [], messages: [] });
    const none = { 'runs.find': () => undefined };
    expect(await ask(none)).toMatchObject({ status: 404, body: { code: 'not-found' } });
    const done = { submit: conflict, 'runs.find': found('done') };
    expect(await ask(done)).toMatchObject({ status: 409, body: { code: 'run-ended' } });
    const queued = { submit: conflict, 'runs.find': found('created') };
    expect(await ask(queued)).toMatchObject({ status: 409, body: { code: 'run-conflict' } });
  });
});
