import { expect, test } from 'vitest';
import { textOf } from '../../../schemas/part.ts';
import { systemClock } from '../../../src/clock.ts';
import type { Activated } from '../../../src/agents/agent.ts';
import { Fault } from '../../../src/fault.ts';
import type { Submission } from '../../../src/gateway.ts';
import { MemoryStore } from '../../../src/stores/memory-store.ts';
import { checkStore } from '../../support/checker.ts';
import { mortal } from '../../support/crashing-store.ts';
import { open, say, scripted } from '../../support/mailbox-fixture.ts';

const thread = { scope: 'local', threadId: 't' };

function texts(...all: readonly string[]): Submission['messages'] {
  return all.map((text) => ({ role: 'user', parts: [{ type: 'text', text }] }));
}

test(
  'all that a request brings is on record from its acceptance on, and reaches its run through the queue and a restart',
  {
    tags: [
      'request-survives-the-queue',
      'request-says-who-asked',
      'messages-keep-their-order',
      'accepted-run-is-on-record',
      'queued-work-survives-a-restart',
      'run-keeps-agent-version',
    ],
  },
  async () => {
    const store = new MemoryStore({ clock: systemClock });
    const process = mortal(store);
    const busy = scripted(async function* (_, context) {
      yield* say(context, 'a', 'busy');
      await new Promise(() => undefined);
    });
    const first = await open(busy, { store: process.store });
    await first.submit('one');
    const brought = {
      messages: texts('a', 'b', 'c'),
      tools: [{ name: 'pick', description: 'asks', parameters: { type: 'object' } }],
      context: [{ description: 'where', value: 'here' }],
      forwardedProps: { any: ['thing', null] },
      metadata: { ticket: 7 },
      state: { count: 3 },
      origin: 'agent',
      door: 'a2a',
    } satisfies Partial<Submission>;
    const { runId, activation } = await first.submit('two', brought);
    process.kill();

    expect(await store.findRecord(thread, 'run', runId)).toMatchObject({ status: 'created', actor: 'alice' });
    expect(await store.findRecord(thread, 'request', activation.id)).toMatchObject({
      actor: 'alice',
      ...brought,
    });
    expect((await store.readEvents(thread, activation.afterSeq, 10)).map(({ type, runId: of }) => [type, of])).toEqual([
      ['run.queued', runId],
    ]);

    const told: Activated[] = [];
    const newer = scripted(async function* (activated, context) {
      told.push(activated);
      yield* say(context, 'b', 'done');
      await Promise.resolve();
    });
    const version = `${busy.card.version}+1`;
    const second = await open({ ...newer, card: { ...newer.card, version } }, { store });
    await second.seen('run.finished', 2);
    expect(await store.findRecord(thread, 'run', runId)).toMatchObject({ agentVersion: busy.card.version });
    const { tools, context, forwardedProps, metadata, state } = brought;
    expect(told[1]).toMatchObject({ runId, actor: 'alice', tools, context, forwardedProps, metadata, state });
    expect(told[1]?.messages.map((message) => textOf(message.parts))).toEqual(['a', 'b', 'c']);
    const messages = await store.listRecords(thread, 'message', '', 100);
    const inOrder = messages.toSorted((a, b) => a.seq - b.seq).map((message) => textOf(message.parts));
    expect(inOrder.slice(-4)).toEqual(['a', 'b', 'c', 'done']);
    expect(await checkStore(store, ['local'])).toEqual([]);
  },
);

test(
  'requests that come to one thread at once all run, one at a time',
  { tags: ['requests-at-once-lose-nothing', 'one-run-at-a-time', 'receipt-says-what-became'] },
  async () => {
    let running = 0;
    let most = 0;
    const answered: string[] = [];
    const { submit, seen, store } = await open(
      scripted(async function* (activation, context) {
        running += 1;
        most = Math.max(most, running);
        await new Promise(setImmediate);
        yield* say(context, 'a', 'done');
        answered.push(...activation.messages.map((message) => textOf(message.parts)));
        running -= 1;
      }),
    );
    const keys = Array.from({ length: 40 }, (_, index) => `request ${index}`);
    const receipts = await Promise.all(keys.map((key) => submit(key)));
    expect(receipts.map(({ became }) => became)).toEqual(['running', ...keys.slice(1).map(() => 'queued')]);
    await seen('run.finished', keys.length);
    expect(answered).toEqual(keys);
    expect(most).toBe(1);
    expect(await checkStore(store, ['local'])).toEqual([]);
  },
);

test(
  'fifty runs that fail for good are fifty attempts, and nothing of them is left',
  { tags: ['permanent-fault-ends-at-once', 'next-run-starts-by-itself', 'slots-come-back'] },
  async () => {
    let attempts = 0;
    const { submit, seen, store } = await open(
      scripted(async function* (_, context) {
        attempts += 1;
        yield* say(context, 'a', 'half an answer');
        throw new Fault('agent-refused', 'never');
      }),
      { limits: { maxRunning: 2 } },
    );
    for (let index = 0; index < 50; index++) await submit(`${index}`, { threadId: index % 2 === 0 ? 't' : 'u' });
    for (const threadId of ['t', 'u']) {
      expect(await seen('run.finished', 25, threadId)).toMatchObject({
        outcome: { type: 'failed', retryable: false, fault: { code: 'agent-refused' } },
      });
      expect(await store.findLane({ scope: 'local', threadId })).toMatchObject({ queue: [], open: undefined });
    }
    expect(attempts).toBe(50);
  },
);

test(
  'a request for an agent that nobody serves leaves no thread behind',
  { tags: ['refused-request-writes-nothing', 'faults-have-stable-codes'] },
  async () => {
    const { submit, store } = await open(scripted(async function* () {}));
    await expect(submit('one', { agentId: 'nobody' })).rejects.toMatchObject({
      code: 'agent-not-found',
      message: 'no agent has the id nobody',
    });
    expect(await store.findLane(thread)).toBeUndefined();
    expect(await store.listThreads('local', '', 10)).toEqual([]);
  },
);
