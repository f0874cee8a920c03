import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { RunEventBody } from '../schemas/run-event.ts';
import { deferred } from '../src/deferred.ts';
import { bareSse } from './bare-sse.ts';
import { serving } from './serving.ts';
import { quantile, type Row } from './table.ts';
import type { Viewed } from './viewer.ts';

const words = 5000;
const streams = 5000;
const tokens = 200;

type Context = { id(key: string): string; readonly signal: AbortSignal };

/** What looking on costs: one run to many, streams on which nothing happens, and one token's way to its reader. */
export async function viewers(): Promise<readonly Row[]> {
  return [...(await watched(1)), ...(await watched(100)), await idle(), ...(await latency()), ...(await clientCpu())];
}

/** One run and its viewers, all of them there before its first word. */
async function watched(count: number): Promise<readonly Row[]> {
  const bare = await bareSse(words);
  const peer = await view('post', bare.url, count).done;
  await bare.close();
  const go = deferred();
  async function* talk(_: unknown, context: Context): AsyncGenerator<RunEventBody> {
    const id = context.id('answer');
    yield { type: 'text.started', id, role: 'assistant' };
    await go.promise;
    for (let n = 0; n < words; n++) yield { type: 'text.delta', id, delta: `word ${n} ` };
    yield { type: 'text.ended', id };
  }
  return serving(talk, { mergeWindowMs: 0 }, async ({ url, submit }) => {
    const { runId } = await submit('watched');
    const clients = view('count', `${url}/ag-ui/threads/watched/stream?protocolVersion=1.0`, count);
    await clients.ready;
    const cpu = process.cpuUsage();
    go.resolve();
    const { elapsedMs, frames } = await clients.done;
    const { user, system } = process.cpuUsage(cpu);
    if (frames < count * words) throw new Error(`run ${runId} was seen in ${frames} frames`);
    return [
      {
        what: `text events of one run to ${count === 1 ? 'one viewer' : `${count} viewers`}`,
        value: (count * words * 1000) / elapsedMs,
        unit: '/s',
        beside: { what: 'a bare node:http SSE server', value: (peer.frames * 1000) / peer.elapsedMs },
        conditions: `merge window off, file store, ${words.toLocaleString('en')} deltas; the viewers are one process`,
      },
      {
        what: `CPU of one event to ${count === 1 ? 'one viewer' : `${count} viewers`}`,
        value: (user + system) / words,
        unit: 'µs',
        conditions: 'all threads of the gateway, the agent and the store included',
      },
    ];
  });
}

async function idle(): Promise<Row> {
  async function* hang(_: unknown, context: Context): AsyncGenerator<RunEventBody> {
    yield { type: 'text.started', id: context.id('answer'), role: 'assistant' };
    await once(context.signal, 'abort');
  }
  return serving(hang, {}, async ({ url, submit }) => {
    await submit('idle');
    const before = usedBytes();
    const clients = view('idle', `${url}/ag-ui/threads/idle/stream?protocolVersion=1.0`, streams);
    await clients.ready;
    await pause(500);
    const after = usedBytes();
    clients.child.kill();
    await once(clients.child, 'exit');
    return {
      what: 'memory of one idle stream',
      value: (after - before) / streams / 1024,
      unit: 'KiB',
      conditions: `${streams.toLocaleString('en')} streams of one run, heap and buffers after a collection; Node's sockets included`,
    };
  });
}

/** From the agent's hand to the reader's, at twenty tokens a second, on an idle gateway. */
async function latency(): Promise<readonly Row[]> {
  async function* tick(_: unknown, context: Context): AsyncGenerator<RunEventBody> {
    const id = context.id('answer');
    yield { type: 'text.started', id, role: 'assistant' };
    for (let n = 0; n < tokens; n++) {
      await pause(50);
      yield { type: 'text.delta', id, delta: `at:${process.hrtime.bigint()} ` };
    }
    yield { type: 'text.ended', id };
  }
  const bare = await bareSse(tokens, { everyMs: 50, text: () => `at:${process.hrtime.bigint()} ` });
  const peer = quantile((await view('latency', bare.url, 1).done).latenciesMs, 0.5);
  await bare.close();
  const rows: Row[] = [];
  for (const mergeWindowMs of [0, 16]) {
    await serving(tick, { mergeWindowMs }, async ({ url }) => {
      const { latenciesMs } = await view('latency', `${url}/ag-ui/bench`, 1).done;
      rows.push({
        what: `a token's way to its reader, merge window ${mergeWindowMs} ms`,
        value: quantile(latenciesMs, 0.5),
        unit: 'ms',
        beside: { what: 'a bare node:http SSE server', value: peer },
        conditions: `median of ${tokens} at 20 a second; the gateway's are on disk before they are sent`,
      });
    });
  }
  return rows;
}

async function clientCpu(): Promise<readonly Row[]> {
  async function* talk(_: unknown, context: Context): AsyncGenerator<RunEventBody> {
    const id = context.id('answer');
    yield { type: 'text.started', id, role: 'assistant' };
    for (let n = 0; n < words; n++) {
      // About as fast as a fast model: a thousand tokens a second.
      if (n % 10 === 0) await pause(10);
      yield { type: 'text.delta', id, delta: `word ${n} ` };
    }
    yield { type: 'text.ended', id };
  }
  const rows: Row[] = [];
  for (const mergeWindowMs of [0, 16]) {
    await serving(talk, { mergeWindowMs }, async ({ url }) => {
      const { cpuMs, frames } = await view('stock', `${url}/ag-ui/bench`, 1).done;
      rows.push({
        what: `CPU of the stock client, ${mergeWindowMs === 0 ? 'merge window off' : 'merged'}`,
        value: cpuMs,
        unit: 'ms',
        conditions: `@ag-ui/client 1.0.0, ${words.toLocaleString('en')} deltas in ${frames.toLocaleString('en')} events, 200 messages of history`,
      });
    });
  }
  return rows;
}

interface Clients {
  readonly child: ChildProcess;
  readonly ready: Promise<void>;
  readonly done: Promise<Viewed>;
}

function view(mode: 'count' | 'post' | 'idle' | 'latency' | 'stock', url: string, count: number): Clients {
  const script = new URL('viewer.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--import', './scripts/typescript.mjs', script, mode, url, String(count)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [ready, done] = [deferred(), deferred<Viewed>()];
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line === 'ready') ready.resolve();
    else done.resolve(JSON.parse(line) as Viewed);
  });
  child.once('exit', (code) => {
    if (code !== 0 && code !== null) done.reject(new Error(`the viewers ended with ${code}`));
  });
  return { child, ready: ready.promise, done: done.promise };
}

function usedBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
