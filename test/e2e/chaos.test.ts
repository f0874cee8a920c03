import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { RunEvent } from '../../schemas/run-event.ts';
import { AnyportClient } from '../../src/client/index.ts';
import { systemClock } from '../../src/clock.ts';
import { FileStore } from '../../src/stores/file-store.ts';
import { ChaosCaller, noPromises } from '../support/chaos-caller.ts';
import { GatheredLog } from '../support/gathered-log.ts';
import { GatewayProcess, temporaryDirectory } from '../support/gateway-process.ts';
import { brokenPromises } from '../support/promises-kept.ts';
import { Random } from '../support/random.ts';
import { violations } from '../support/store-violations.ts';
import { until } from '../support/until.ts';

const seed = Number(process.env['CHAOS_SEED'] ?? Date.now() % 2 ** 31);
const seconds = Number(process.env['CHAOS_SECONDS'] ?? 30);
const restarts = Math.max(3, Math.floor(seconds / 10));

const team = ['ann', 'bob', 'cat'];
const people = [...team.map((name) => ({ name, scope: 'team' })), { name: 'dan', scope: 'other' }];
const threads = Array.from({ length: 100 }, (_, index) => `thread ${index}`);
const watched = threads.slice(0, 6);

test(
  'nothing that was said is taken back, whatever people do and however often the process is killed',
  async () => {
    console.info(`CHAOS_SEED=${seed} CHAOS_SECONDS=${seconds}`);
    await using directory = await temporaryDirectory();
    const config = join(directory.path, 'anyport.yaml');
    const tokens = people.map(({ name, scope }) => `  - { token: ${name}, scope: ${scope}, actor: ${name} }`);
    // What fails is tried again soon, so that all ends soon after people have stopped.
    const limits = 'limits: { backoffBaseMs: 50 }';
    await writeFile(config, ['tokens:', ...tokens, limits, 'log: { level: error }', ''].join('\n'));
    const start = (port = 0): Promise<GatewayProcess> =>
      GatewayProcess.start(join(directory.path, 'data'), { args: ['--config', config], port });
    const random = new Random(seed);
    const promises = noPromises();
    let gateway = await start();
    const { url } = gateway;
    const clientOf = (name: string): AnyportClient => new AnyportClient({ url, token: name });
    const watching = new AbortController();
    for (const id of watched) await clientOf('ann').createThread({ id });
    const logs = watched.map((id) => new GatheredLog(clientOf('ann'), id, watching.signal));

    const acting = new AbortController();
    const callers = [...people, ...people].map(({ name, scope }, index) => {
      const client = clientOf(name);
      return new ChaosCaller({ client, name: `${name}${index}`, scope, threads, seed: seed + index, promises });
    });
    const acts = callers.map((caller) => caller.actUntil(acting.signal));
    const failed = Promise.race(acts.map((one) => one.then(() => new Promise<never>(() => undefined))));
    const startedAtMs = performance.now();
    const goOnUntil = (ms: number): Promise<void> =>
      Promise.race([delay(Math.max(0, startedAtMs + ms - performance.now())), failed]);
    for (let restart = 1; restart <= restarts; restart++) {
      // When it is killed is what the seed says; nothing is judged by it.
      await goOnUntil((seconds * 1000 * restart) / (restarts + 1) - 500 + random.below(1000));
      await gateway.kill();
      gateway = await start(Number(new URL(url).port));
    }
    await goOnUntil(seconds * 1000);
    // How soon they have done enough depends on the machine.
    const { receipts, decisions } = promises;
    const isEnough = (): boolean =>
      callers.every((caller) => caller.acts > 10) && receipts.length > 100 && decisions.length > 10;
    await Promise.race([until('enough to be done', isEnough), failed]);
    acting.abort();
    await Promise.all(acts);

    await until('the end of every run', () => isAtRest(['ann', 'dan'].map(clientOf)));
    watching.abort();
    await Promise.all(logs.map((log) => log.over));
    expect(await gateway.stop()).toBe(0);
    const data = join(directory.path, 'data');
    expect(await violations(data, { scopes: ['team', 'other'] })).toEqual([]);
    const store = await FileStore.open({ directory: data, clock: systemClock });
    try {
      expect(await brokenPromises(store, promises)).toEqual([]);
      for (const { threadId, events } of logs) {
        const kept = await store.readEvents({ scope: 'team', threadId }, 0, events.length);
        expect(events).toEqual(kept.map(withoutToken));
      }
    } finally {
      await store.close();
    }
  },
  (seconds + 120) * 1000,
);

function withoutToken(event: RunEvent): Omit<RunEvent, 'token'> {
  const { token: _, ...shown } = event;
  return shown;
}

/** Dismisses what is asked; true when no run is left. */
async function isAtRest(clients: readonly AnyportClient[]): Promise<boolean> {
  let rests = true;
  for (const client of clients) {
    const { items } = await client.tickets({ limit: 200 });
    for (const { id } of items) await client.decide(id, { type: 'dismiss' }).catch(() => undefined);
    for (const status of ['created', 'running', 'waiting'] as const) {
      const { items: left } = await client.runs({ status, limit: 1 });
      rests &&= left.length === 0;
    }
  }
  return rests;
}
