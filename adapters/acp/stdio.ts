// One client over this process's own streams, as an IDE starts it.
// https://agentclientprotocol.com/protocol/v1/transports#stdio
import { finished, PassThrough, type Readable, type Writable } from 'node:stream';
import type { Log } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import { Bridge } from './bridge.ts';
import type { Channel } from './channel.ts';
import { closeWith, Connection, type ConnectionParts } from './connection.ts';
import { dial, type DialOptions } from './dial.ts';
import { LinesChannel } from './lines.ts';
import { versions } from './versions.ts';

interface Streams {
  readonly input: Readable;
  readonly output: Writable;
  readonly clock: Clock;
  /** How long what was asked before the end of the input may take to be answered. */
  readonly drainMs: number;
}

/** Serves the client until its input ends and what it asked is answered; what it brought in goes on. */
export async function serveStdio({
  input,
  output,
  drainMs,
  ...parts
}: Streams & Omit<ConnectionParts, 'versions'>): Promise<void> {
  const { clock, gateway } = parts;
  await untilDrained({ input, output, clock, drainMs }, (channel) => {
    const connection = new Connection(channel, { ...parts, versions });
    closeWith(gateway.stopping, connection);
    return connection;
  });
}

export interface BridgeStdioOptions extends Streams {
  readonly log: Log;
  /** Of the gateway. */
  readonly url: string;
  readonly token: string | undefined;
  readonly agentId: DialOptions['agentId'];
}

const dialLimits = { timeoutMs: 10_000, silenceMs: 90_000 };

/** Serves the client from a gateway that may go and come back, until its input ends. */
export async function bridgeStdio(options: BridgeStdioOptions): Promise<void> {
  const { url, token, agentId, log, clock } = options;
  await untilDrained(options, (channel) => {
    return new Bridge({
      channel,
      clock,
      log,
      dial: (signal) => dial({ url, token, clock, ...dialLimits, agentId }, signal),
      firstBackoffMs: 100,
      longestBackoffMs: 5000,
      answerMs: 30_000,
    });
  });
}

interface Served {
  readonly whenClosed: Promise<void>;
  drained(ms: number): Promise<void>;
}

/** The end of the input is the end of the connection, which must not come before the answers. */
async function untilDrained(
  { input, output, clock, drainMs }: Streams,
  serve: (channel: Channel) => Served,
): Promise<void> {
  const held = input.pipe(new PassThrough(), { end: false });
  const served = serve(new LinesChannel({ input: held, output, clock }));
  // However it ends: a socket may break.
  finished(input, { writable: false }, () => void served.drained(drainMs).then(() => held.end()));
  await served.whenClosed;
}
