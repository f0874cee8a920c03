import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RunId } from '../../../schemas/id.ts';
import type { Subscription } from '../../../schemas/subscription.ts';
import type { Agent } from '../../../src/agents/agent.ts';
import { type Deferred, deferred } from '../../../src/deferred.ts';
import { Fault } from '../../../src/fault.ts';
import type { Pusher, SubscriptionInput } from '../../../src/gateway.ts';
import { pushRules } from '../../../src/mailbox/mailbox.ts';
import type { Sent } from '../../../src/push/sender.ts';
import { MemoryStore } from '../../../src/stores/memory-store.ts';
import { checkStore } from '../../support/checker.ts';
import { dyingAt, mortal } from '../../support/crashing-store.ts';
import { checkDeliveries } from '../../support/deliveries.ts';
import { accepted, FakeWebhooks, plainPusher, refusedWith } from '../../support/fake-webhooks.ts';
import { alice, caller, type Fixture, limits, open, say, scripted } from '../../support/mailbox-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/until.ts';

const thread = { scope: alice.scope, threadId: 't' };
const target = { url: 'https://hook.example/in', token: 'the token' };
const hook: SubscriptionInput = { id: 'hook', target, filter: 'status', after: 0 };
const statuses = ['1 run.queued', '2 run.started', '7 run.finished'];

const quick = scripted(async function* (_, context) {
  yield* say(context, 'a', 'hello');
});

/** Says one text, and ends when the gate opens, or it is told to. */
function gated(gate: Promise<void>): Agent {
  return scripted(async function* (_, context) {
    yield* say(context, 'a', 'hello');
    const { promise: told, resolve } = deferred();
    context.signal.addEventListener('abort', () => {
      resolve();
    });
    await Promise.race([gate, told]);
  });
}

function find({ mailbox }: Fixture, runId: RunId): Promise<Subscription | undefined> {
  return mailbox.subscriptions.find(alice, runId, 'hook');
}

async function over(fixture: Fixture, runId: RunId): Promise<void> {
  await until('the end of the subscription', async () => (await find(fixture, runId)) === undefined);
  expect((await fixture.store.findLane(thread))?.subscriptions).toBeUndefined();
  expect(await checkStore(fixture.store, ['local'])).toEqual([]);
}

test('a webhook is told how its run stands, each thing once and in order', async () => {
  const hooks = new FakeWebhooks();
  const fixture = await open(quick, { push: hooks.ports() });
  const { runId, activation } = await fixture.submit('one');
  const made = await fixture.mailbox.subscriptions.create(caller, runId, { ...hook, after: activation.afterSeq });
  expect(made).toMatchObject({ id: 'hook', runId, threadId: 't', actor: 'alice', cursor: 0, state: { is: 'active' } });
  await over(fixture, runId);
  expect(hooks.bodies).toEqual(statuses);
  expect(hooks.mostAtOnce).toBe(1);
  await fixture.mailbox.stop();
});

test('a webhook for everything is told each event of its run, and none of another', async () => {
  const hooks = new FakeWebhooks();
  const gate = deferred();
  const fixture = await open(gated(gate.promise), { push: hooks.ports() });
  const { runId } = await fixture.submit('one');
  await fixture.submit('two');
  await fixture.mailbox.subscriptions.create(caller, runId, { ...hook, filter: 'everything' });
  gate.resolve();
  await over(fixture, runId);
  const events = (await fixture.events()).filter((event) => event.runId === runId);
  expect(hooks.bodies).toEqual(events.map(({ seq, type }) => `${seq} ${type}`));
  await fixture.mailbox.stop();
});

test('the target’s secrets are in headers, and in nothing else', async () => {
  const hooks = new FakeWebhooks();
  const fixture = await open(quick, { push: hooks.ports() });
  const { runId } = await fixture.submit('one');
  const authentication = { scheme: 'Bearer', credentials: 'the credentials' };
  hooks.answers = [refusedWith(500, { final: true })];
  await fixture.mailbox.subscriptions.create(caller, runId, { ...hook, target: { ...target, authentication } });
  await until('the failure', async () => (await find(fixture, runId))?.state.is === 'dead');
  expect(hooks.received[0]).toMatchObject({
    url: target.url,
    headers: { 'content-type': 'text/plain', authorization: 'Bearer the credentials', 'x-token': 'the token' },
  });
  const shown = JSON.stringify([await fixture.events(), await fixture.store.findLane(thread), fixture.logged]);
  expect(shown).not.toMatch(/the token|the credentials|hook\.example/);
  expect(fixture.logged.map(({ message }) => message)).toContain('a webhook was not delivered, and is given up');
  await fixture.mailbox.stop();
});

test('a webhook that fails twice and then accepts is told all, later', async () => {
  const clock = new ManualClock();
  const hooks = new FakeWebhooks();
  hooks.answers = [accepted, refusedWith(500), refusedWith(503, { retryAfterMs: 10_000 })];
  const fixture = await open(quick, { clock, push: hooks.ports() });
  const { runId } = await fixture.submit('one');
  await fixture.mailbox.subscriptions.create(caller, runId, hook);
  await clock.advance(900);
  expect(hooks.bodies).toEqual(['1 run.queued', '2 run.started']);
  expect(await find(fixture, runId)).toMatchObject({ cursor: 1, attempts: 1, state: { lastFailure: {} } });
  await clock.advance(200);
  expect(hooks.bodies).toHaveLength(3);
  await clock.advance(9_000);
  expect(hooks.bodies).toHaveLength(3);
  await clock.advance(2_000);
  await over(fixture, runId);
  expect(hooks.bodies).toEqual(['1 run.queued', '2 run.started', '2 run.started', ...statuses.slice(1)]);
  await fixture.mailbox.stop();
});

test('a webhook that never accepts is given up, and can be seen, made again and removed', async () => {
  const clock = new ManualClock();
  const hooks = new FakeWebhooks();
  hooks.answers = Array.from({ length: 3 }, () => refusedWith(500));
  const push = hooks.ports({ rules: { ...pushRules, maxAttempts: 3 } });
  const fixture = await open(quick, { clock, push });
  const { runId } = await fixture.submit('one');
  await fixture.mailbox.subscriptions.create(caller, runId, hook);
  await clock.advance(60_000);
  const dead = { id: 'hook', attempts: 3, cursor: 0, state: { is: 'dead', fault: { code: 'upstream-failed' } } };
  expect(await fixture.mailbox.subscriptions.list(alice, runId)).toMatchObject([dead]);
  expect(await checkStore(fixture.store, ['local'])).toEqual([]);
  expect(hooks.received).toHaveLength(3);
  await fixture.mailbox.subscriptions.create(caller, runId, { ...hook, target: { url: 'https://other.example/' } });
  await clock.advance(100);
  await over(fixture, runId);
  expect(hooks.bodies.slice(3)).toEqual(statuses);
  await fixture.mailbox.subscriptions.remove(alice, runId, 'hook');
  await fixture.mailbox.stop();
});

test('webhooks that were given up are listed to their scope, and redriven or discarded by whoever sees to them', async () => {
  const clock = new ManualClock();
  const hooks = new FakeWebhooks();
  const gone = refusedWith(410, { final: true });
  hooks.answers = [gone, gone, gone];
  const fixture = await open(quick, { clock, push: hooks.ports() });
  const { mailbox } = fixture;
  const { subscriptions } = mailbox;
  const { runId } = await fixture.submit('one');
  const odd = { ...alice, actor: 'a/b%' };
  const stranger = { scope: 'other', actor: 'alice' };
  const listed = async () => (await subscriptions.listDead(odd, { limit: 10 })).items;
  for (const actor of [alice.actor, odd.actor]) {
    await subscriptions.create({ ...caller, actor }, runId, { ...hook, id: 'é/1' });
  }
  await clock.advance(100);
  const all = await listed();
  expect(all.map(({ actor }) => actor).toSorted()).toEqual(['a/b%', 'alice']);
  expect(all[0]).toMatchObject({
    id: 'é/1',
    runId,
    host: 'hook.example',
    attempts: 1,
    fault: { code: 'upstream-failed' },
  });
  expect(JSON.stringify(all)).not.toMatch(/the token|\/in/);
  expect(await subscriptions.listDead(stranger, { limit: 10 })).toEqual({ items: [], next: undefined });
  const [first, second] = all.map(({ webhookId }) => webhookId) as [string, string];
  await expect(subscriptions.redrive(stranger, first)).rejects.toMatchObject({ code: 'not-found' });
  await expect(subscriptions.discard(stranger, first)).rejects.toMatchObject({ code: 'not-found' });
  await expect(subscriptions.redrive(odd, 'bm9uZQ')).rejects.toMatchObject({ code: 'not-found' });
  await subscriptions.discard(odd, first);
  await expect(subscriptions.discard(odd, first)).rejects.toMatchObject({ code: 'not-found' });
  expect((await listed()).map(({ webhookId }) => webhookId)).toEqual([second]);
  await subscriptions.redrive(odd, second);
  await clock.advance(100);
  // It was answered 410 once more.
  expect((await listed()).map(({ webhookId }) => webhookId)).toEqual([second]);
  await subscriptions.redrive(odd, second);
  await clock.advance(100);
  await over(fixture, runId);
  expect(await listed()).toEqual([]);
  expect(hooks.bodies.slice(3)).toEqual(statuses);
  await mailbox.stop();
});

test('what cannot be told counts as a failure', async () => {
  const clock = new ManualClock();
  const hooks = new FakeWebhooks();
  let failures = 1;
  const pusher: Pusher = {
    ...plainPusher,
    encodePush: async (...args) => {
      if (failures-- > 0) throw new Error('a bug');
      return plainPusher.encodePush(...args);
    },
  };
  const fixture = await open(quick, { clock, push: hooks.ports({ pushers: { control: pusher } }) });
  const { runId } = await fixture.submit('one');
  await fixture.mailbox.subscriptions.create(caller, runId, hook);
  await clock.advance(100);
  expect(await find(fixture, runId)).toMatchObject({
    attempts: 1,
    state: { lastFailure: { fault: { code: 'internal' } } },
  });
  await clock.advance(2000);
  await over(fixture, runId);
  expect(hooks.bodies).toEqual(statuses);
  await fixture.mailbox.stop();
});

test('a request of several for one event is recorded with the last of them', async () => {
  const clock = new ManualClock();
  const hooks = new FakeWebhooks();
  const pusher: Pusher = {
    ...plainPusher,
    encodePush: async (_, events) =>
      events.flatMap(({ seq }) => ['a', 'b'].map((part) => ({ headers: {}, body: `${seq}${part}`, upTo: seq }))),
  };
  hooks.answers = [accepted, accepted, accepted, refusedWith(500)];
  const fixture = await open(quick, { clock, push: hooks.ports({ pushers: { control: pusher } }) });
  const { runId } = await fixture.submit('one');
  await fixture.mailbox.subscriptions.create(caller, runId, hook);
  await clock.advance(5000);
  await over(fixture, runId);
  expect(hooks.bodies).toEqual(['1a', '1b', '2a', '2b', '2a', '2b', '7a', '7b']);
  await fixture.mailbox.stop();
});

test('an encoder sees the thread as it was', async () => {
  const hooks = new FakeWebhooks();
  const seen: number[] = [];
  const pusher: Pusher = {
    ...plainPusher,
    encodePush: async (subscription, events, viewAt) => {
      for (const { seq } of events) seen.push((await viewAt(seq)).messages.length);
      return plainPusher.encodePush(subscription, events, viewAt);
    },
  };
  const fixture = await open(quick, { push: hooks.ports({ pushers: { control: pusher } }) });
  const { runId } = await fixture.submit('one');
  await fixture.mailbox.subscriptions.create(caller, runId, hook);
  await over(fixture, runId);
  expect(seen).toEqual([0, 0, 2]);
  await fixture.mailbox.stop();
});

test('a restart goes on where the last process was', async () => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const gate = deferred();
  const agent = gated(gate.promise);
  const hooks = new FakeWebhooks();
  const before = await open(agent, { clock, store, push: hooks.ports() });
  const { runId } = await before.submit('one');
  await before.mailbox.subscriptions.create(caller, runId, hook);
  await clock.advance(100);
  expect(hooks.bodies).toEqual(statuses.slice(0, 2));
  await before.mailbox.stop();
  const after = await open(agent, { clock, store, push: hooks.ports() });
  gate.resolve();
  await clock.advance(100);
  await over(after, runId);
  const told = hooks.bodies.map((body) => Number.parseInt(body, 10));
  expect(new Set(told).size).toBe(told.length);
  expect(told).toEqual(told.toSorted((a, b) => a - b));
  expect(hooks.bodies.at(-1)).toMatch(/run\.finished$/);
  await after.mailbox.stop();
});

test('a restart in a backoff waits for its end', async () => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const hooks = new FakeWebhooks();
  hooks.answers = [refusedWith(503, { retryAfterMs: 30_000 })];
  const before = await open(quick, { clock, store, push: hooks.ports() });
  const { runId } = await before.submit('one');
  await before.mailbox.subscriptions.create(caller, runId, hook);
  await clock.advance(100);
  await before.mailbox.stop();
  const after = await open(quick, { clock, store, push: hooks.ports() });
  await clock.advance(29_000);
  expect(hooks.bodies).toHaveLength(1);
  await clock.advance(2000);
  await over(after, runId);
  expect(hooks.bodies).toEqual(['1 run.queued', ...statuses]);
  await after.mailbox.stop();
});

test('a process that dies between sending and recording sends again, and leaves nothing out', async () => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const dying = mortal(store);
  const hooks = new FakeWebhooks();
  const answer = deferred<Sent>();
  hooks.answers = [accepted, answer.promise];
  const before = await open(quick, { clock, store: dying.store, push: hooks.ports() });
  const { runId } = await before.submit('one');
  await before.mailbox.subscriptions.create(caller, runId, hook);
  await clock.advance(100);
  dying.kill();
  answer.resolve(accepted);
  await clock.advance(100);
  expect(hooks.bodies).toEqual(statuses.slice(0, 2));
  const after = await open(quick, { clock, store, push: hooks.ports() });
  await clock.advance(100);
  await over(after, runId);
  expect(hooks.bodies).toEqual(['1 run.queued', '2 run.started', ...statuses.slice(1)]);
  await after.mailbox.stop();
});

test('what is being sent when the gateway stops is answered and recorded first', async () => {
  const hooks = new FakeWebhooks();
  const answer: Deferred<Sent> = deferred<Sent>();
  hooks.answers = [answer.promise];
  const fixture = await open(quick, { push: hooks.ports() });
  const { runId } = await fixture.submit('one');
  await fixture.mailbox.subscriptions.create(caller, runId, hook);
  await until('the request', () => hooks.received.length === 1);
  const stopped = fixture.mailbox.stop();
  answer.resolve(accepted);
  await stopped;
  expect(hooks.received).toHaveLength(1);
  expect((await find(fixture, runId))?.cursor).toBe(1);
});

test('a receiver that does not answer holds no stop up for longer than the grace', async () => {
  const clock = new ManualClock();
  const hooks = new FakeWebhooks();
  hooks.answers = [new Promise<Sent>(() => undefined)];
  const fixture = await open(quick, { clock, push: hooks.ports() });
  const { runId } = await fixture.submit('one');
  await fixture.mailbox.subscriptions.create(caller, runId, hook);
  await clock.advance(100);
  expect(hooks.received).toHaveLength(1);
  const stopped = fixture.mailbox.stop();
  await clock.advance(limits.shutdownGraceMs);
  await stopped;
  expect(await find(fixture, runId)).toMatchObject({ cursor: 0, attempts: 0, state: { is: 'active' } });
});

test('a removed subscription is broken off where it is', async () => {
  const hooks = new FakeWebhooks();
  hooks.answers = [new Promise<Sent>(() => undefined)];
  const fixture = await open(quick, { push: hooks.ports() });
  const { runId } = await fixture.submit('one');
  await fixture.mailbox.subscriptions.create(caller, runId, hook);
  await until('the request', () => hooks.atOnce === 1);
  await fixture.mailbox.subscriptions.remove(alice, runId, 'hook');
  await until('the end of it', () => hooks.atOnce === 0);
  await fixture.mailbox.subscriptions.remove(alice, runId, 'hook');
  expect(await find(fixture, runId)).toBeUndefined();
  await fixture.mailbox.stop();
  expect(hooks.received).toHaveLength(1);
});

test('a removed thread takes its subscriptions along', async () => {
  const hooks = new FakeWebhooks();
  hooks.answers = [new Promise<Sent>(() => undefined)];
  const fixture = await open(quick, { push: hooks.ports() });
  const { runId } = await fixture.submit('one');
  await fixture.done('one');
  await fixture.mailbox.subscriptions.create(caller, runId, hook);
  await until('the request', () => hooks.atOnce === 1);
  await fixture.mailbox.threads.remove(alice, 't', { children: 'keep', force: true });
  await until('the end of it', () => hooks.atOnce === 0);
  expect(await find(fixture, runId)).toBeUndefined();
  await fixture.mailbox.stop();
});

test('so many requests at once as allowed, of all subscriptions together', async () => {
  const hooks = new FakeWebhooks();
  const answers = Array.from({ length: 6 }, () => deferred<Sent>());
  hooks.answers = answers.map(({ promise }) => promise);
  const fixture = await open(quick, { push: hooks.ports({ maxSending: 2 }) });
  const { runId } = await fixture.submit('one');
  await fixture.done('one');
  for (const id of ['a', 'b', 'c']) await fixture.mailbox.subscriptions.create(caller, runId, { ...hook, id });
  await until('two requests', () => hooks.atOnce === 2);
  for (const answer of answers) answer.resolve(accepted);
  await until('the end', async () => (await fixture.store.findLane(thread))?.subscriptions === undefined);
  expect(hooks.mostAtOnce).toBe(2);
  expect(hooks.bodies.toSorted()).toEqual(statuses.flatMap((status) => [status, status, status]));
  await fixture.mailbox.stop();
});

test('a subscription is its actor’s alone', async () => {
  const fixture = await open(gated(new Promise(() => undefined)), { push: new FakeWebhooks().ports() });
  const { runId } = await fixture.submit('one');
  const { subscriptions } = fixture.mailbox;
  await subscriptions.create(caller, runId, hook);
  const bob = { scope: 'local', actor: 'bob' };
  expect(await subscriptions.find(bob, runId, 'hook')).toBeUndefined();
  expect(await subscriptions.list(bob, runId)).toEqual([]);
  await subscriptions.remove(bob, runId, 'hook');
  expect(await find(fixture, runId)).toBeDefined();
  const stranger = { ...caller, scope: 'elsewhere' };
  expect(await subscriptions.find(stranger, runId, 'hook')).toBeUndefined();
  await expect(subscriptions.list(stranger, runId)).rejects.toMatchObject({ code: 'not-found' });
  await expect(subscriptions.remove(stranger, runId, 'hook')).rejects.toMatchObject({ code: 'not-found' });
  await expect(subscriptions.create(stranger, runId, hook)).rejects.toMatchObject({ code: 'not-found' });
  await fixture.mailbox.stop();
});

test('a target that cannot be sent to is refused before anything is written', async () => {
  const fixture = await open(gated(new Promise(() => undefined)), { push: new FakeWebhooks().ports() });
  const { runId } = await fixture.submit('one');
  const { subscriptions } = fixture.mailbox;
  const targets = [
    [{ url: 'https://refused.example/' }, 'target.url'],
    [{ url: 'ftp://hook.example/' }, 'target.url'],
    [{ url: 'https://me:secret@hook.example/' }, 'target.url'],
    [{ ...target, token: 'a\r\nb: c' }, 'target.token'],
    [{ ...target, authentication: { scheme: 'Bea rer', credentials: 'x' } }, 'target.authentication.scheme'],
    [{ ...target, authentication: { scheme: 'Bearer', credentials: 'x\ny' } }, 'target.authentication.credentials'],
  ] as const;
  for (const [wrong, path] of targets) {
    const made = subscriptions.create(caller, runId, { ...hook, target: wrong });
    await expect(made).rejects.toMatchObject({ code: 'invalid-request', path });
  }
  const elsewhere = subscriptions.create({ ...caller, door: 'acp' }, runId, hook);
  await expect(elsewhere).rejects.toMatchObject({ code: 'unsupported' });
  expect((await fixture.store.findLane(thread))?.subscriptions).toBeUndefined();
  await fixture.mailbox.stop();
});

test('without a sender, no subscription is made', async () => {
  const fixture = await open(quick);
  const { runId } = await fixture.submit('one');
  await expect(fixture.mailbox.subscriptions.create(caller, runId, hook)).rejects.toMatchObject({
    code: 'unsupported',
  });
  expect(await fixture.mailbox.subscriptions.list(alice, runId)).toEqual([]);
  await fixture.mailbox.stop();
});

test('what was evicted while a subscription was given up is passed over', async () => {
  const clock = new ManualClock();
  const hooks = new FakeWebhooks();
  hooks.answers = [refusedWith(410, { final: true })];
  const fixture = await open(quick, { clock, push: hooks.ports() });
  const { runId } = await fixture.submit('one');
  await fixture.mailbox.subscriptions.create(caller, runId, hook);
  await clock.advance(100);
  expect(await fixture.store.purge(clock.now() + 1, 10)).toBe(7);
  await fixture.mailbox.subscriptions.create(caller, runId, hook);
  await clock.advance(100);
  await over(fixture, runId);
  expect(hooks.bodies).toEqual(['1 run.queued']);
  await fixture.mailbox.stop();
});

test('a lost wake costs no more than the fallback', async () => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  store.watch = () => () => undefined;
  const gate = deferred();
  const hooks = new FakeWebhooks();
  const fixture = await open(gated(gate.promise), { clock, store, push: hooks.ports() });
  const { runId } = await fixture.submit('one');
  await fixture.mailbox.subscriptions.create(caller, runId, hook);
  await clock.advance(limits.wakeFallbackMs);
  expect(hooks.bodies).toEqual(statuses.slice(0, 2));
  gate.resolve();
  await clock.advance(limits.wakeFallbackMs);
  await over(fixture, runId);
  expect(hooks.bodies).toEqual(statuses);
  await fixture.mailbox.stop();
});

test('what a full disk keeps from being recorded is recorded later, and not sent again', async () => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const hooks = new FakeWebhooks();
  const answer = deferred<Sent>();
  hooks.answers = [accepted, answer.promise];
  const fixture = await open(quick, { clock, store, push: hooks.ports() });
  const { runId } = await fixture.submit('one');
  await fixture.mailbox.subscriptions.create(caller, runId, hook);
  await clock.advance(100);
  const { update, health } = store;
  store.update = () => Promise.reject(new Fault('disk-low', 'no room'));
  store.health = () => ({ is: 'read-only', why: new Fault('disk-low', 'no room') });
  answer.resolve(accepted);
  await clock.advance(10_000);
  expect(hooks.bodies).toEqual(statuses.slice(0, 2));
  Object.assign(store, { update, health });
  await clock.advance(limits.wakeFallbackMs);
  await over(fixture, runId);
  expect(hooks.bodies).toEqual(statuses);
  await fixture.mailbox.stop();
});

test('a subscription that cannot be read is reported, and looked at again later', async () => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const { findRecord } = store;
  let isReadable = false;
  store.findRecord = (key, kind, id) => {
    if (kind !== 'subscription' || isReadable) return findRecord.call(store, key, kind, id) as never;
    return Promise.reject(new Fault('record-unreadable', 'it is no JSON'));
  };
  const hooks = new FakeWebhooks();
  const fixture = await open(quick, { clock, store, push: hooks.ports() });
  const { runId } = await fixture.submit('one');
  await fixture.mailbox.subscriptions.create(caller, runId, hook);
  await clock.advance(60_000);
  const said = fixture.logged.filter(({ message }) => message === 'a subscription could not be followed');
  expect(said).toHaveLength(1);
  isReadable = true;
  await clock.advance(pushRules.backoffCapMs);
  await over(fixture, runId);
  expect(hooks.bodies).toEqual(statuses);
  await fixture.mailbox.stop();
});

test('a subscription that is made again while it is followed is told what it is for from then on', async () => {
  const clock = new ManualClock();
  const gate = deferred();
  const hooks = new FakeWebhooks();
  const fixture = await open(gated(gate.promise), { clock, push: hooks.ports() });
  const { runId } = await fixture.submit('one');
  await fixture.mailbox.subscriptions.create(caller, runId, hook);
  await clock.advance(100);
  const other = { url: 'https://other.example/' };
  await fixture.mailbox.subscriptions.create(caller, runId, { ...hook, target: other });
  gate.resolve();
  await clock.advance(100);
  await over(fixture, runId);
  expect(hooks.received.map(({ url }) => url)).toEqual([target.url, target.url, other.url]);
  await fixture.mailbox.stop();
});

interface Fate {
  /** After how many writes each process dies, and whether that last write is kept. */
  readonly deaths: readonly (readonly [number, boolean])[];
  readonly answers: readonly ('accepts' | 'fails' | 'asks for time')[];
  readonly filter: 'status' | 'everything';
}

const fate: fc.Arbitrary<Fate> = fc.record({
  deaths: fc.array(fc.tuple(fc.integer({ min: 1, max: 20 }), fc.boolean()), { maxLength: 4 }),
  answers: fc.array(fc.constantFrom('accepts', 'accepts', 'fails', 'asks for time'), { maxLength: 12 }),
  filter: fc.constantFrom('status', 'everything'),
});

test('whatever fails and however often its process dies, a webhook is told all that it is for, in order', async () => {
  const ruled = { ...pushRules, maxAttempts: 99, backoffCapMs: 5000 };
  await fc.assert(
    fc.asyncProperty(fate, async ({ deaths, answers, filter }) => {
      const clock = new ManualClock();
      const store = new MemoryStore({ clock });
      const hooks = new FakeWebhooks();
      const taken: number[] = [];
      hooks.answers = answers.map((one) => {
        if (one === 'accepts') return accepted;
        return refusedWith(503, one === 'fails' ? {} : { retryAfterMs: 3000 });
      });
      const send = hooks.send.bind(hooks);
      hooks.send = async (...args) => {
        const sent = await send(...args);
        if (sent.is === 'accepted') taken.push(Number.parseInt(args[0].body, 10));
        return sent;
      };
      const left = [...deaths];
      const begin = deferred();
      const ticker = scripted(async function* (_, context) {
        await begin.promise;
        for (const key of ['a', 'b', 'c']) {
          yield* say(context, key, key);
          await context.checkpoint();
        }
      });
      // The first two writes bring in the request and its subscription.
      const start = (writesBefore: number): { fixture: Promise<Fixture>; isDead: () => boolean } => {
        const [write, isKept] = left.shift() ?? [Number.POSITIVE_INFINITY, true];
        const { store: dying, isDead } = dyingAt(store, write + writesBefore, isKept);
        const push = hooks.ports({ rules: ruled });
        return { fixture: open(ticker, { clock, store: dying, push, limits: { maxInterruptions: 99 } }), isDead };
      };
      let now = start(2);
      const first = await now.fixture;
      const { runId } = await first.submit('one');
      await first.mailbox.subscriptions.create(caller, runId, { ...hook, filter });
      begin.resolve();
      for (let look = 0; ; look++) {
        await clock.advance(500);
        expect(await checkStore(store, ['local'])).toEqual([]);
        const lane = await store.findLane(thread);
        if (lane?.open === undefined && lane?.subscriptions === undefined) break;
        if (now.isDead()) now = start(0);
        expect(look).toBeLessThan(1000);
      }
      const log = await store.readEvents(thread, 0, 100_000);
      const wanted = { runId, filter, after: 0, upTo: log.length };
      expect(checkDeliveries(log, wanted, taken, deaths.length > 0)).toEqual([]);
    }),
    { seed: 20_261, numRuns: 150 },
  );
});
