import { EventEmitter, once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { Config } from '../../schemas/config.ts';
import type { Adapter, Exchange } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import { deferred } from '../../src/deferred.ts';
import { Fault } from '../../src/fault.ts';
import { TimeOrderedIds } from '../../src/ids.ts';
import { HttpServer } from '../../src/server/http-server.ts';
import { stopSignal } from '../../src/server/stop-signals.ts';

/** The timers that are set, as delays; the test lets them ring. */
class HeldClock implements Clock {
  readonly timers = new Map<() => void, number>();

  now(): number {
    return 1000;
  }

  at(atMs: number, wake: () => void): () => void {
    this.timers.set(wake, atMs - this.now());
    return () => {
      this.timers.delete(wake);
    };
  }
}

const noStop = (): Promise<void> => Promise.resolve();
let clock = new HeldClock();
let streaming = deferred<Exchange>();
let server: HttpServer;
let port = 0;

/** Streams whatever it is asked for, until the test ends it. */
const stub: Adapter = {
  name: 'stub',
  prefixes: ['/stub'],
  entryPoints: [],
  handle(exchange) {
    exchange.response.write('begun ');
    streaming.resolve(exchange);
    return Promise.resolve();
  },
  refuse(fault, response) {
    response.end(Fault.from(fault).code);
  },
};

async function open(path: string): Promise<IncomingMessage> {
  const [response] = (await once(get({ port, path, agent: false }), 'response')) as [IncomingMessage];
  return response;
}

beforeEach(async () => {
  clock = new HeldClock();
  streaming = deferred();
  server = new HttpServer({
    settings: Config.parse({ port: 0, limits: { shutdownGraceMs: 7000 } }),
    adapters: [stub],
    about: () => ({}),
    storeHealth: () => ({ is: 'open' }),
    clock,
    ids: new TimeOrderedIds(),
    log: pino({ level: 'silent' }),
  });
  port = await server.listen();
  server.open();
});

describe('a server that closes', () => {
  it('has the gateway stop, and waits for the streams that are open', async () => {
    const response = await open('/stub');
    const exchange = await streaming.promise;
    let stopped = false;
    const closed = server.close(() => {
      stopped = true;
      exchange.response.end('and detached');
      return Promise.resolve();
    });
    expect(stopped).toBe(true);
    expect(await text(response)).toBe('begun and detached');
    await closed;
    expect(clock.timers.size).toBe(0);
  });

  it('listens no more', async () => {
    await server.close(noStop);
    await expect(once(connect(port, '127.0.0.1'), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('cuts off at the end of the grace what does not end', async () => {
    const response = await open('/stub');
    await streaming.promise;
    const stopping = deferred();
    const closed = server.close(() => stopping.promise);
    stopping.resolve();
    await expect.poll(() => [...clock.timers.values()]).toEqual([7000]);
    const [ring] = clock.timers.keys();
    ring?.();
    await expect(text(response)).rejects.toThrow('aborted');
    await closed;
  });

  it('gives answers no second grace where the gateway took all of the first to stop', async () => {
    const response = await open('/stub');
    await streaming.promise;
    const stopping = deferred();
    const closed = server.close(() => stopping.promise);
    const [ring] = clock.timers.keys();
    ring?.();
    stopping.resolve();
    await expect(text(response)).rejects.toThrow('aborted');
    await closed;
  });

  it('is not held up by connections that ask nothing', async () => {
    const silent = connect(port, '127.0.0.1');
    const ended = once(silent, 'close');
    silent.resume();
    await once(silent, 'connect');
    await open('/health/live').then(text);
    await server.close(noStop);
    expect(await ended).toEqual([false]);
  });

  it('refuses what still comes, and says that it is not ready', async () => {
    const stopping = deferred();
    const first = await open('/stub');
    const exchange = await streaming.promise;
    const late = connect(port, '127.0.0.1');
    await once(late, 'connect');
    late.write('GET /health/ready HTTP/1.1\r\nhost: localhost\r\n');
    await open('/health/live').then(text);
    const closed = server.close(() => stopping.promise);
    late.write('\r\nGET /stub HTTP/1.1\r\nhost: localhost\r\n\r\n');
    const answers = await text(late);
    expect(answers).toContain('503');
    expect(answers).toContain('{"status":"stopping"}');
    expect(answers).toMatch(/connection: close[\s\S]*shutting-down$/i);
    exchange.response.end();
    stopping.resolve();
    await text(first);
    await closed;
  });

  it('closes all the same when the gateway cannot stop', async () => {
    await open('/stub');
    const failure = new Fault('store-failed', 'the disk is gone');
    await expect(server.close(() => Promise.reject(failure))).rejects.toBe(failure);
    await expect(once(connect(port, '127.0.0.1'), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

describe('a signal to stop', () => {
  it('stops the first time, and exits at once the next', async () => {
    const source = new EventEmitter();
    const exits: string[] = [];
    const stop = stopSignal(source, (signal) => exits.push(signal));
    source.emit('SIGTERM', 'SIGTERM');
    expect(await stop).toBe('SIGTERM');
    expect(exits).toEqual([]);
    source.emit('SIGINT', 'SIGINT');
    source.emit('SIGTERM', 'SIGTERM');
    expect(exits).toEqual(['SIGINT', 'SIGTERM']);
  });
});
