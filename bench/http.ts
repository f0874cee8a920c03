import type { RunEventBody } from '../schemas/run-event.ts';
import { bareSse } from './bare-sse.ts';
import { runClient } from './client.ts';
import { answer } from './fixture.ts';
import type { Load } from './load.ts';
import { serving } from './serving.ts';
import { quantile, type Row } from './table.ts';

const words = 20_000;

/** What whole runs cost over HTTP, and how fast text reaches a client, beside a server that does nothing else. */
export async function http(runs: number): Promise<readonly Row[]> {
  const rows: Row[] = [];
  await serving(answer, {}, async ({ url: base }) => {
    const url = `${base}/ag-ui/bench`;
    await load(url, { connections: 16, runs: runs / 4 });
    const cpu = process.cpuUsage();
    const { elapsedMs } = await load(url, { connections: 64, runs });
    const { user, system } = process.cpuUsage(cpu);
    rows.push({
      what: 'runs over HTTP',
      value: (runs * 1000) / elapsedMs,
      unit: '/s',
      conditions: 'AG-UI, file store, 64 connections, a new thread each; the client is a process of its own',
    });
    rows.push({
      what: 'CPU of a whole run over HTTP',
      value: (user + system) / 1000 / runs,
      unit: 'ms',
      conditions: 'all threads of the gateway, client excluded',
    });
    const alone = await load(url, { connections: 1, runs: 200 });
    rows.push({
      what: 'request to RUN_STARTED',
      value: quantile(alone.firstFrameMs, 0.5),
      unit: 'ms',
      conditions: 'median, idle gateway, file store',
    });
    rows.push({
      what: 'request to first text',
      value: quantile(alone.firstTextMs, 0.5),
      unit: 'ms',
      conditions: 'median, idle gateway, file store',
    });
  });
  const bare = await bareSse(words);
  await load(bare.url, { connections: 1, runs: 2 });
  const peer = await load(bare.url, { connections: 1, runs: 5 });
  await bare.close();
  const peerRate = (peer.frames * 1000) / peer.elapsedMs;
  for (const mergeWindowMs of [0, 16]) {
    await serving(talk, { mergeWindowMs }, async ({ url: base }) => {
      const url = `${base}/ag-ui/bench`;
      await load(url, { connections: 1, runs: 2 });
      const { elapsedMs } = await load(url, { connections: 1, runs: 5 });
      rows.push({
        what: `text events to one client, ${mergeWindowMs === 0 ? 'merge window off' : 'merged'}`,
        value: (5 * words * 1000) / elapsedMs,
        unit: '/s',
        beside: { what: 'a bare node:http SSE server', value: peerRate },
        conditions: `${words.toLocaleString('en')} deltas a run, counted as the agent wrote them; each durable before it is sent`,
      });
    });
  }
  return rows;
}

async function* talk(_: unknown, context: { id(key: string): string }): AsyncGenerator<RunEventBody> {
  const id = context.id('answer');
  yield { type: 'text.started', id, role: 'assistant' };
  for (let n = 0; n < words; n++) yield { type: 'text.delta', id, delta: `word ${n} ` };
  yield { type: 'text.ended', id };
}

function load(url: string, { connections, runs }: { connections: number; runs: number }): Promise<Load> {
  return runClient('load.ts', [url, connections, runs]);
}
