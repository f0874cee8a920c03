import { PassThrough, Readable, Writable } from 'node:stream';
import { ndJsonStream, type Stream } from '@agentclientprotocol/sdk';
import { Connection } from '../../adapters/acp/connection.ts';
import type { Channel } from '../../adapters/acp/channel.ts';
import { LinesChannel } from '../../adapters/acp/lines.ts';
import { versions } from '../../adapters/acp/versions.ts';
import type { Agent } from '../../src/agents/agent.ts';
import { MemoryCounter } from '../../src/agents/demo/counter.ts';
import { DemoAgent } from '../../src/agents/demo/demo-agent.ts';
import { systemClock } from '../../src/clock.ts';
import { type Fixture, open } from './mailbox-fixture.ts';

export interface AcpGateway extends Fixture, AsyncDisposable {
  /** The end of an IDE that has just started this agent. */
  readonly stream: (actor?: string) => Stream;
  /** Serves what connects through this channel. */
  readonly serve: (channel: Channel, actor?: string) => Connection;
}

/** A gateway of one agent, the demo agent by default, whose door is ACP over lines. */
export async function openAcp(agent?: Agent, options: Parameters<typeof open>[1] = {}): Promise<AcpGateway> {
  const clock = options.clock ?? systemClock;
  const served = agent ?? new DemoAgent({ id: 'demo', clock, counter: new MemoryCounter() });
  const limits = { backoffBaseMs: 1, ...options.limits };
  const fixture = await open(served, { ...options, limits });
  const { mailbox } = fixture;
  const write = (fields: object, message: string): void => {
    (fixture.logged as { fields: object; message: string }[]).push({ fields, message });
  };
  const log = { debug: write, info: write, warn: write, error: write };
  const connections: Connection[] = [];
  const serve = (channel: Channel, actor = 'ada'): Connection => {
    const principal = { scope: 'local', actor };
    const who = { principal, card: served.card, needsToken: false, whenBusy: 'queue' } as const;
    const connection = new Connection(channel, { gateway: mailbox, clock, log, versions, ...who });
    connections.push(connection);
    return connection;
  };
  return {
    ...fixture,
    serve,
    stream: (actor) => {
      const [up, down] = [new PassThrough(), new PassThrough()];
      serve(new LinesChannel({ input: up, output: down, clock }), actor);
      return ndJsonStream(Writable.toWeb(up), Readable.toWeb(down) as ReadableStream<Uint8Array>);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(connections.map((connection) => connection.close()));
      await mailbox.stop();
    },
  };
}
