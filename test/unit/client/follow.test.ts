import { describe, expect, it } from 'vitest';
import {
  AnyportClient,
  type AnyportClientOptions,
  type FollowedEvent,
  Unreachable,
} from '../../../src/client/index.ts';
import { HurriedClock } from '../../support/hurried-clock.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { cut, frameOf, problem, reply, type Scripted, ScriptedServer, stream } from '../../support/scripted-server.ts';
import { until } from '../../support/until.ts';

const runId = 'run_1';
const delta = (seq: number, text = `${seq}`) => ({ seq, runId, type: 'text.delta', id: 'a', delta: text }) as const;
const end = (seq: number) => ({ seq, runId, type: 'run.finished', outcome: { type: 'completed' } }) as const;
const frames = (...events: Parameters<typeof frameOf>[0][]): string => events.map(frameOf).join('');

async function meet(script: Scripted[], options: Partial<AnyportClientOptions> = {}) {
  const server = await ScriptedServer.start(script);
  const clock = new HurriedClock();
  const client = new AnyportClient({ url: server.url, clock, silenceMs: Infinity, ...options });
  return { server, clock, client, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

async function seen(events: AsyncIterable<FollowedEvent>): Promise<string[]> {
  const cursors: string[] = [];
  for await (const { cursor, event } of events) {
    expect(cursor).toBe(`log.${event.seq}`);
    cursors.push(cursor);
  }
  return cursors;
}

const upTo = (last: number): string[] => Array.from({ length: last }, (_, index) => `log.${index + 1}`);

describe('following a run', () => {
  it('goes on after a cut in the middle of a frame and of a character', async () => {
    const bytes = new TextEncoder().encode(frames(delta(1), delta(2), delta(3, '👋')));
    const half = bytes.slice(0, bytes.indexOf(0xf0) + 2);
    const rest = stream([frames(delta(3, '👋'), end(4))]);
    await using met = await meet([stream([half], 'cut'), rest]);
    const events: FollowedEvent[] = [];
    for await (const next of met.client.follow({ runId })) events.push(next);
    expect(events.map(({ cursor }) => cursor)).toEqual(upTo(4));
    expect(events[2]?.event).toMatchObject({ delta: '👋' });
    expect(met.server.asked.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, 'log.2']);
    expect(met.server.asked[0]).toMatchObject({
      url: '/v1/runs/run_1/events',
      headers: { accept: 'text/event-stream' },
    });
  });

  it('shows an event once that it is sent twice', async () => {
    const again = stream([frames(delta(1), delta(2), delta(3), end(4))]);
    await using met = await meet([stream([frames(delta(1), delta(2))]), again]);
    expect(await seen(met.client.follow({ runId }))).toEqual(upTo(4));
  });

  it('goes on when the gateway is started again at the same port', async () => {
    let second: ScriptedServer | undefined;
    const clock = new HurriedClock(async (wait) => {
      if (wait === 6) second = await ScriptedServer.start([stream([frames(delta(2), end(3))])], met.server.port);
    });
    await using met = await meet([stream([frames(delta(1))], 'open')], { clock });
    const events = met.client.follow({ runId });
    expect((await events.next()).value).toMatchObject({ cursor: 'log.1' });
    await met[Symbol.asyncDispose]();
    expect(await seen(events)).toEqual(['log.2', 'log.3']);
    expect(second?.asked[0]?.headers['last-event-id']).toBe('log.1');
    expect(clock.waits).toHaveLength(6);
    await second?.[Symbol.asyncDispose]();
  });

  it('waits as long as a busy gateway asks', async () => {
    const busy = problem(503, { code: 'shutting-down' }, { 'retry-after': '9' });
    await using met = await meet([busy, cut, stream([frames(delta(1), end(2))])]);
    expect(await seen(met.client.follow({ runId }))).toEqual(upTo(2));
    expect(met.clock.waits[0]).toBe(9_000);
  });

  it('begins after a cursor', async () => {
    await using met = await meet([cut, stream([frames(delta(6), end(7))])]);
    expect(await seen(met.client.follow({ runId }, { after: 'log.5' }))).toEqual(['log.6', 'log.7']);
    expect(met.server.asked.map(({ url }) => url)).toEqual(
      Array.from({ length: 2 }, () => '/v1/runs/run_1/events?after=log.5'),
    );
  });

  it('ends with the run although the stream stays open', async () => {
    await using met = await meet([stream([': here\n\n', frames(delta(1), end(2), delta(3))], 'open')]);
    expect(await seen(met.client.follow({ runId }))).toEqual(upTo(2));
  });

  it('ends when nothing is left of the run, not when a stream brings nothing', async () => {
    await using met = await meet([stream([]), stream([]), reply(204)]);
    expect(await seen(met.client.follow({ runId }, { after: 'log.2' }))).toEqual([]);
    expect(met.server.asked).toHaveLength(3);
  });

  it('throws that the cursor is expired', async () => {
    const gone = problem(410, { code: 'cursor-expired', detail: 'another log', retryable: false });
    await using met = await meet([stream([frames(delta(1))]), gone]);
    const fault = { code: 'cursor-expired', message: 'another log' };
    await expect(seen(met.client.follow({ runId }))).rejects.toMatchObject(fault);
  });

  it('says soon that there was never a gateway', async () => {
    await using met = await meet([cut, cut, cut], { retry: { attempts: 2 } });
    await expect(seen(met.client.follow({ runId }))).rejects.toBeInstanceOf(Unreachable);
    expect(met.server.asked).toHaveLength(2);
  });

  it('gives up when it gets nowhere for long, and says how it goes', async () => {
    await using met = await meet([stream([frames(delta(1))]), cut, cut, cut], { reconnect: { attempts: 4 } });
    const attempts: number[] = [];
    const onCut = (_: Error, attempt: number): void => void attempts.push(attempt);
    await expect(seen(met.client.follow({ runId }, { onCut }))).rejects.toBeInstanceOf(Unreachable);
    expect(attempts).toEqual([1, 2, 3]);
    expect(met.server.asked).toHaveLength(4);
  });

  it('cuts a connection that has gone silent', async () => {
    const clock = new ManualClock();
    const script = [stream([frames(delta(1))], 'open'), stream([frames(end(2))])];
    await using met = await meet(script, { clock, silenceMs: 60_000 });
    const events = met.client.follow({ runId });
    expect((await events.next()).value).toMatchObject({ cursor: 'log.1' });
    const next = events.next();
    await clock.advance(60_000);
    await clock.advance(1_000);
    expect((await next).value).toMatchObject({ cursor: 'log.2' });
  });
});

describe('following a thread', () => {
  it('ends when it is aborted, which is no failure', async () => {
    const abort = new AbortController();
    await using met = await meet([stream([frames(delta(1), end(2))]), stream([frames(delta(3))], 'open')]);
    const cursors: string[] = [];
    for await (const { cursor } of met.client.follow({ threadId: 't' }, { signal: abort.signal })) {
      cursors.push(cursor);
      if (cursor === 'log.3') abort.abort();
    }
    expect(cursors).toEqual(upTo(3));
    expect(met.server.asked[0]?.url).toBe('/v1/threads/t/events');
  });

  it('ends when it is aborted while there is no gateway', async () => {
    const abort = new AbortController();
    const clock = new HurriedClock((wait) => {
      if (wait === 2) abort.abort();
    });
    await using met = await meet([cut, cut], { clock });
    expect(await seen(met.client.follow({ threadId: 't' }, { signal: abort.signal }))).toEqual([]);
  });

  it('closes the connection when its reader leaves', async () => {
    let isClosed = false;
    const script: Scripted = (response) => {
      response.on('close', () => (isClosed = true));
      stream([frames(delta(1), delta(2))], 'open')(response);
    };
    await using met = await meet([script]);
    for await (const { cursor } of met.client.follow({ threadId: 't' })) {
      expect(cursor).toBe('log.1');
      break;
    }
    await until('the connection to close', () => isClosed);
  });
});
