import { expect, test } from 'vitest';
import type { RunEvent } from '../../../schemas/run-event.ts';
import { Followers } from '../../../src/events/follow.ts';
import { MemoryStore } from '../../../src/stores/memory-store.ts';
import { alice, open, say, scripted } from '../../support/mailbox-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const thread = { scope: alice.scope, threadId: 't' };
const retentionMs = 10_000;

const quick = scripted(async function* (_, context) {
  yield* say(context, 'a', 'hello');
  await Promise.resolve();
});

async function ended() {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const fixture = await open(quick, { store, clock, limits: { retentionMs } });
  await fixture.submit('one');
  for (let look = 0; look < 20; look++) await clock.advance(20);
  return { ...fixture, clock, store };
}

test(
  'a follower of a log whose events were evicted is told so, also when none is left',
  { tags: ['replay-is-the-same-again', 'old-events-are-purged'] },
  async () => {
    const { mailbox, clock, store } = await ended();
    const head = (await store.findLane(thread))?.head ?? 0;
    await clock.advance(130_000);
    expect(await store.readEvents(thread, 0, 10)).toEqual([]);
    for (const after of [0, head - 1]) {
      const follower = mailbox.follow(alice, 't', after, new AbortController().signal)[Symbol.asyncIterator]();
      await expect(follower.next()).rejects.toMatchObject({ code: 'cursor-expired' });
    }
    const beyond = mailbox.follow(alice, 't', head + 1, new AbortController().signal)[Symbol.asyncIterator]();
    await expect(beyond.next()).rejects.toMatchObject({ code: 'cursor-expired' });
  },
);

test('a follower that sleeps ends when it is aborted, and when the gateway stops', async () => {
  const { mailbox, store, clock } = await ended();
  const head = (await store.findLane(thread))?.head ?? 0;
  const abort = new AbortController();
  const aborted = mailbox.follow(alice, 't', head, abort.signal)[Symbol.asyncIterator]().next();
  const left = mailbox.follow(alice, 't', head, new AbortController().signal)[Symbol.asyncIterator]().next();
  await clock.advance(10);
  abort.abort();
  expect(await aborted).toEqual({ done: true, value: undefined });
  await mailbox.stop();
  expect(await left).toEqual({ done: true, value: undefined });
});

test('a follower that was away while its thread was made anew, and grew beyond it, is told so', async () => {
  const { mailbox, submit, seen, events } = await open(quick);
  await submit('one');
  await seen('run.finished');
  const pages = mailbox.follow(alice, 't', 0, new AbortController().signal)[Symbol.asyncIterator]();
  const { value: first } = (await pages.next()) as { value: readonly RunEvent[] };
  await mailbox.threads.remove(alice, 't', { children: 'refuse', force: false });
  await submit('two');
  await submit('three');
  await seen('run.finished', 2);
  expect((await events()).length).toBeGreaterThan(first.length);
  await expect(pages.next()).rejects.toMatchObject({ code: 'cursor-expired' });
});

test('a follower of a thread that is dropped, or made anew, is told so', async () => {
  for (const again of [false, true]) {
    const { mailbox, store, clock, submit } = await ended();
    const head = (await store.findLane(thread))?.head ?? 0;
    const next = mailbox.follow(alice, 't', head, new AbortController().signal)[Symbol.asyncIterator]().next();
    const told = expect(next).rejects.toMatchObject({ code: again ? 'cursor-expired' : 'not-found' });
    const dropped = store.update(thread, (lane) => ({
      lane: lane as never,
      writes: [{ op: 'drop' }],
      outcome: undefined,
    }));
    await Promise.all([dropped, again ? submit('two') : undefined]);
    await clock.advance(5000);
    await told;
  }
});

test(
  'a follower sees each event once and in order while the log grows, whatever wakes are lost',
  { tags: ['follow-has-no-gap-and-no-repeat', 'lost-wake-is-made-up-for'] },
  async () => {
    const clock = new ManualClock();
    const store = new MemoryStore({ clock });
    const { submit } = await open(quick, { store, clock });
    await submit('zero');
    const deaf = new Proxy(store, {
      get: (_, name) => {
        if (name === 'watch') return () => () => undefined;
        const member = store[name as keyof MemoryStore] as (...args: unknown[]) => unknown;
        return member.bind(store);
      },
    });
    const followers = new Followers(deaf, clock, 2000);
    const abort = new AbortController();
    const seen: RunEvent[] = [];
    const following = (async () => {
      for await (const page of followers.follow(thread, 0, abort.signal)) seen.push(...page);
    })();
    for (let index = 0; index < 20; index++) {
      await submit(`${index}`);
      await clock.advance(index * 37);
    }
    await clock.advance(4001);
    abort.abort();
    await following;
    expect(seen).toEqual(await store.readEvents(thread, 0, 100_000));
  },
);

test(
  'followers that leave, or do not read, hold up neither the run nor one another',
  { tags: ['leaving-client-ends-nothing', 'slow-client-stalls-nobody', 'follow-has-no-gap-and-no-repeat'] },
  async () => {
    const { mailbox, submit, seen, events } = await open(
      scripted(async function* (_, context) {
        for (let index = 0; index < 2000; index++) yield* say(context, `${index}`, 'some words');
        await Promise.resolve();
      }),
    );
    await submit('one');
    const follow = (after: number, signal = new AbortController().signal) =>
      mailbox.follow(alice, 't', after, signal)[Symbol.asyncIterator]();
    const slow = follow(0);
    const first: RunEvent[] = [];
    for (let visit = 0; visit < 3; visit++) {
      const leaving = new AbortController();
      const page = (await follow(first.at(-1)?.seq ?? 0, leaving.signal).next()).value as readonly RunEvent[];
      leaving.abort();
      first.push(...page);
    }
    const begun = (await slow.next()).value as readonly RunEvent[];
    expect(await seen('run.finished')).toMatchObject({ outcome: { type: 'completed' } });
    const all = await events();
    expect(first).toEqual(all.slice(0, first.length));
    const read = [...begun];
    while (read.length < all.length) read.push(...((await slow.next()).value as readonly RunEvent[]));
    expect(read).toEqual(all);
  },
);
