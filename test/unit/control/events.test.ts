import { afterEach, describe, expect, it } from 'vitest';
import type { RunEvent } from '../../../schemas/run-event.ts';
import type { Run } from '../../../schemas/run.ts';
import type { Clock } from '../../../src/clock.ts';
import { deferred } from '../../../src/deferred.ts';
import { Fault } from '../../../src/fault.ts';
import {
  type Deeds,
  finishedAt,
  noticeOf,
  runOf,
  statusOf,
  type Stub,
  stubGateway,
} from '../../support/control-fake-gateway.ts';
import { ControlServer } from '../../support/control-server.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/until.ts';

const servers: ControlServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server[Symbol.asyncDispose]()));
});

interface Logged {
  readonly server: ControlServer;
  readonly stub: Stub;
  /** How many pages were pulled, and how many followers are there. */
  readonly pulled: () => number;
  readonly followers: () => number;
}

/** A thread with this log, whose followers wait at its end. */
async function serve(events: readonly RunEvent[], more: Deeds = {}, clock?: Clock): Promise<Logged> {
  let pulled = 0;
  let followers = 0;
  async function* follow(_: unknown, __: string, after: number, signal: AbortSignal) {
    followers += 1;
    const aborted = deferred();
    signal.addEventListener('abort', () => {
      aborted.resolve();
    });
    try {
      for (const event of events.filter(({ seq }) => seq > after)) {
        pulled += 1;
        yield [event];
        if (signal.aborted) return;
      }
      await aborted.promise;
    } finally {
      followers -= 1;
    }
  }
  const stub = stubGateway({
    'threads.find': (_: unknown, id: string) => (id === 't' ? statusOf(events.length) : undefined),
    events: (_: unknown, __: string, after: number, limit: number) => events.slice(after, after + limit),
    follow,
    ...more,
  });
  const server = await ControlServer.open(stub.gateway, {}, clock);
  servers.push(server);
  return { server, stub, pulled: () => pulled, followers: () => followers };
}

const found = (change: Partial<Run>): Deeds => ({
  'runs.find': (_: unknown, id: string) =>
    id === 'run_1' ? { run: runOf(change), tickets: [], messages: [] } : undefined,
});

const talk = [noticeOf(1), noticeOf(2), noticeOf(3)];

describe('a page of events', () => {
  it('goes on where the page before ended, and tells no token', async () => {
    const { server } = await serve(talk);
    const first = await server.ask('GET', '/threads/t/events?limit=2');
    expect(first.body.items.map(({ seq }: RunEvent) => seq)).toEqual([1, 2]);
    expect(first.body.cursor).toBe('log_1.2');
    expect(first.text).not.toContain('clm_secret');
    const second = await server.ask('GET', `/threads/t/events?after=${first.body.cursor}`);
    expect(second.body).toMatchObject({ items: [{ seq: 3 }], cursor: 'log_1.3' });
    const third = await server.ask('GET', `/threads/t/events?after=log_1.3`);
    expect(third.body).toEqual({ items: [], cursor: 'log_1.3' });
  });

  it.each(['log_2.1', 'log_1.4', 'log_2.0'])('cannot begin at %s, which is not in the log', async (cursor) => {
    const { server } = await serve(talk);
    const gone = { status: 410, body: { code: 'cursor-expired' } };
    expect(await server.ask('GET', `/threads/t/events?after=${cursor}`)).toMatchObject(gone);
    const headers = { accept: 'text/event-stream', 'last-event-id': cursor };
    expect(await server.ask('GET', '/threads/t/events', { headers })).toMatchObject(gone);
  });

  it('of a run holds its own alone', async () => {
    const log = [noticeOf(1), noticeOf(2, 'other', 'run_2'), noticeOf(3), noticeOf(4), finishedAt(5), noticeOf(6)];
    const { server } = await serve(log, found({ firstSeq: 1, status: 'done', lastSeq: 5 }));
    const seqs = async (after: string): Promise<unknown> => {
      const { body } = await server.ask('GET', `/runs/run_1/events?limit=2${after}`);
      return [body.items.map(({ seq }: RunEvent) => seq), body.cursor];
    };
    expect(await seqs('')).toEqual([[1, 3], 'log_1.3']);
    expect(await seqs('&after=log_1.3')).toEqual([[4, 5], 'log_1.5']);
    expect(await seqs('&after=log_1.5')).toEqual([[], 'log_1.5']);
  });

  it('is what a HEAD of a stream is answered with', async () => {
    const { server } = await serve(talk);
    const answer = await server.ask('HEAD', '/threads/t/events', { headers: { accept: 'text/event-stream' } });
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'application/json' }, text: '' });
  });
});

describe('a stream of events', () => {
  it('tells what happened, then what happens', async () => {
    const { server } = await serve(talk);
    const stream = await server.watch('/threads/t/events');
    expect(stream.response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
    });
    await until('three frames', () => stream.frames().length === 3);
    expect(stream.frames().map(({ id, event }) => [id, event])).toEqual([
      ['log_1.1', 'notice'],
      ['log_1.2', 'notice'],
      ['log_1.3', 'notice'],
    ]);
    expect(stream.frames()[0]?.data).toEqual({
      seq: 1,
      atMs: 1,
      threadId: 't',
      runId: 'run_1',
      attempt: 1,
      type: 'notice',
      level: 'info',
      text: 'number 1',
    });
    expect(stream.text()).not.toContain('clm_secret');
    stream.leave();
  });

  it('goes on after the last id that was seen, which wins over the address', async () => {
    const { server } = await serve(talk);
    const stream = await server.watch('/threads/t/events?after=log_1.0', { 'last-event-id': 'log_1.2' });
    await until('a frame', () => stream.frames().length > 0);
    expect(stream.frames().map(({ id }) => id)).toEqual(['log_1.3']);
    stream.leave();
  });

  it('refuses before it begins', async () => {
    const expired = (): never => {
      throw new Fault('cursor-expired', 'the log does not go back that far');
    };
    const { server } = await serve(talk, { events: expired });
    const headers = { accept: 'text/event-stream' };
    expect(await server.ask('GET', '/threads/t/events', { headers })).toMatchObject({ status: 410 });
    expect(await server.ask('GET', '/threads/other/events', { headers })).toMatchObject({ status: 404 });
  });

  it('ends when the client leaves, and when the gateway stops', async () => {
    const { server, stub, followers } = await serve(talk);
    const [left, stopped] = [await server.watch('/threads/t/events'), await server.watch('/threads/t/events')];
    await until('two followers', () => followers() === 2);
    left.leave();
    await until('one follower', () => followers() === 1);
    stub.stop();
    await stopped.ended;
    expect(stopped.response.complete).toBe(true);
    expect(followers()).toBe(0);
    expect(server.logged.join('')).not.toContain('"level":50');
  });

  it('ends without a word when its thread goes away, and says what failed to the log', async () => {
    for (const [thrown, isLogged] of [
      [new Fault('not-found', 'no such thread'), false],
      [new Error('disk on fire'), true],
    ] as const) {
      const { server } = await serve(talk, {
        async *follow() {
          yield talk;
          throw thrown;
        },
      });
      const stream = await server.watch('/threads/t/events');
      await stream.ended;
      expect(stream.frames()).toHaveLength(3);
      expect(stream.text()).not.toContain('disk on fire');
      expect(server.logged.some((line) => line.includes('disk on fire'))).toBe(isLogged);
    }
  });

  it('pulls no further while its client does not read', async () => {
    const long = Array.from({ length: 2000 }, (_, index) => noticeOf(index + 1, 'x'.repeat(16_384)));
    const { server, pulled, followers } = await serve(long);
    const stream = await server.watch('/threads/t/events');
    stream.response.pause();
    let before = -1;
    await until('the pulling to pause', async () => {
      const isSame = before === pulled() && before > 0;
      before = pulled();
      await new Promise((resolve) => setImmediate(resolve));
      return isSame && pulled() < 2000;
    });
    stream.leave();
    await until('nobody to follow', () => followers() === 0);
    expect(pulled()).toBeLessThan(2000);
  });

  it('comments on silence', async () => {
    const clock = new ManualClock();
    const { server, followers } = await serve([], {}, clock);
    const stream = await server.watch('/threads/t/events');
    await until('a follower', () => followers() === 1);
    await clock.advance(15_000);
    await until('a comment', () => stream.text() === ': keep-alive\n\n');
    stream.leave();
    await until('nobody to follow', () => followers() === 0);
  });

  it('encodes an event once for all its followers', async () => {
    let encoded = 0;
    const counted = { ...noticeOf(1), metadata: { toJSON: () => ({ count: ++encoded }) } } as unknown as RunEvent;
    const { server } = await serve([counted]);
    const streams = await Promise.all([1, 2, 3].map(() => server.watch('/threads/t/events')));
    await until('every frame', () => streams.every((stream) => stream.frames().length === 1));
    expect(encoded).toBe(1);
    for (const stream of streams) stream.leave();
  });
});

describe('a wait for a run', () => {
  it('ends when its time is over, its client leaves, or the gateway stops: with how the run stands', async () => {
    const clock = new ManualClock();
    let waiting = 0;
    const wait = async (_: unknown, __: string, ___: string, signal: AbortSignal): Promise<unknown> => {
      waiting += 1;
      const aborted = deferred();
      signal.addEventListener('abort', () => {
        aborted.resolve();
      });
      await aborted.promise;
      waiting -= 1;
      return { run: runOf(), tickets: [], messages: [] };
    };
    const { server, stub } = await serve([], { 'runs.wait': wait }, clock);
    const isWaited = (count: number) => until(`${count} to wait`, () => waiting === count);
    const timed = server.ask('GET', '/runs/run_1/wait?timeoutMs=1000');
    await isWaited(1);
    await clock.advance(1000);
    expect(await timed).toMatchObject({ status: 200, body: { run: { status: 'running' } } });
    const left = new AbortController();
    const leaving = fetch(server.url('/runs/run_1/wait'), { signal: left.signal });
    await isWaited(1);
    left.abort();
    await expect(leaving).rejects.toThrow('aborted');
    await isWaited(0);
    const stopped = server.ask('GET', '/runs/run_1/wait');
    await isWaited(1);
    stub.stop();
    expect(await stopped).toMatchObject({ status: 200, body: { run: { status: 'running' } } });
  });
});

describe('a stream of one run', () => {
  const log = [noticeOf(1, 'other', 'run_2'), noticeOf(2), finishedAt(3, 'run_2'), finishedAt(4), noticeOf(5)];

  it('tells its own events, and ends after its end', async () => {
    const { server, followers } = await serve(log, found({ firstSeq: 2 }));
    const stream = await server.watch('/runs/run_1/events');
    await stream.ended;
    expect(stream.frames().map(({ id, event }) => [id, event])).toEqual([
      ['log_1.2', 'notice'],
      ['log_1.4', 'run.finished'],
    ]);
    expect(stream.response.complete).toBe(true);
    await until('nobody to follow', () => followers() === 0);
  });

  it('begins with its request where it has not started', async () => {
    const asked = { ...found({ status: 'created' }), findActivation: () => ({ afterSeq: 1 }) };
    const { server, stub } = await serve(log, asked);
    const stream = await server.watch('/runs/run_1/events');
    await stream.ended;
    expect(stub.called.find(({ name }) => name === 'follow')?.args[2]).toBe(1);
  });

  it('is empty for whoever has seen its end', async () => {
    const { server } = await serve(log, found({ firstSeq: 2, status: 'done', lastSeq: 4 }));
    const headers = { accept: 'text/event-stream', 'last-event-id': 'log_1.4' };
    expect(await server.ask('GET', '/runs/run_1/events', { headers })).toMatchObject({ status: 204, text: '' });
    const earlier = await server.watch('/runs/run_1/events', { 'last-event-id': 'log_1.2' });
    await earlier.ended;
    expect(earlier.frames().map(({ id }) => id)).toEqual(['log_1.4']);
  });
});
