import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { Config } from '../../schemas/config.ts';
import type { ConnectionHandler, Log } from '../../src/adapter.ts';
import { systemClock } from '../../src/clock.ts';
import { deferred } from '../../src/deferred.ts';
import { OwnPort, type OwnPortParts } from '../../src/server/own-port.ts';
import { temporaryDirectory } from '../support/gateway-process.ts';
import { certificate, privateKey } from '../support/localhost-certificate.ts';

const silent = (): void => undefined;
const log: Log = { debug: silent, info: silent, warn: silent, error: silent };

/** Answers each connection with a word, and ends those that it has when it is told to. */
class Greeter implements ConnectionHandler {
  readonly drained = deferred();
  readonly #taken = new Set<Duplex>();

  take(connection: Duplex): void {
    this.#taken.add(connection);
    connection.on('error', silent);
    connection.write('hello');
  }

  drain(): Promise<void> {
    return this.drained.promise;
  }

  destroy(): void {
    for (const connection of this.#taken) connection.destroy();
  }
}

function partsOf(change: Partial<OwnPortParts> = {}): OwnPortParts {
  const place = { path: 'some.port', host: '127.0.0.1', port: 0, tls: undefined, insecure: false };
  return { ...place, settings: Config.parse({}), handler: new Greeter(), clock: systemClock, log, ...change };
}

const withToken = Config.parse({ tokens: [{ token: 'secret', actor: 'ann' }] });

async function greeted(socket: Socket): Promise<string> {
  const [word] = (await once(socket, 'data')) as [Buffer];
  return word.toString();
}

describe('a port of its own', () => {
  it.each<[string, Partial<OwnPortParts>, RegExp]>([
    ['that others reach, and nobody has a token', { host: '0.0.0.0', insecure: true }, /^some\.port\.host: .* tokens/],
    [
      'that others could listen to',
      { host: '0.0.0.0', settings: withToken },
      /some\.port\.tls, or set some\.port\.insecure/,
    ],
    [
      'whose certificate is not there',
      { tls: { certFile: '/nowhere/cert.pem', keyFile: '/nowhere/key.pem' } },
      /^some\.port\.tls\.certFile: \/nowhere\/cert\.pem cannot be read \(ENOENT\)/,
    ],
  ])('%s is refused', async (_what, change, why) => {
    const refused = OwnPort.create(partsOf(change));
    await expect(refused).rejects.toMatchObject({ code: 'config-invalid', message: expect.stringMatching(why) });
  });

  it('whose certificate is none is refused', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'cert.pem');
    await writeFile(file, 'no certificate');
    const refused = OwnPort.create(partsOf({ tls: { certFile: file, keyFile: file } }));
    await expect(refused).rejects.toMatchObject({ code: 'config-invalid', path: 'some.port.tls' });
  });

  it('serves others where the configuration says that it may', async () => {
    const handler = new Greeter();
    const port = await OwnPort.create(partsOf({ host: '0.0.0.0', insecure: true, settings: withToken, handler }));
    const socket = connect(await port.listen(), '127.0.0.1');
    expect(await greeted(socket)).toBe('hello');
    handler.drained.resolve();
    await port.close();
  });

  it('that is in use says which setting to change', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const listening = (await OwnPort.create(partsOf({ port }))).listen();
    await expect(listening).rejects.toThrow(`cannot listen on port ${port} of 127.0.0.1: it is in use; choose another`);
    await expect(listening).rejects.toThrow('some.port.port');
    other.close();
  });

  it('speaks TLS with the certificate of the configuration', async () => {
    await using directory = await temporaryDirectory();
    const tls = { certFile: join(directory.path, 'cert.pem'), keyFile: join(directory.path, 'key.pem') };
    await writeFile(tls.certFile, certificate);
    await writeFile(tls.keyFile, privateKey);
    const handler = new Greeter();
    const port = await OwnPort.create(partsOf({ tls, handler }));
    const at = { port: await port.listen(), host: '127.0.0.1', servername: 'localhost', ca: certificate };
    const socket = connectTls({ ...at, ALPNProtocols: ['h2'] });
    expect(await greeted(socket)).toBe('hello');
    expect(socket.alpnProtocol).toBe('h2');
    const older = connectTls({ ...at, ALPNProtocols: ['http/1.1'] });
    await expect(once(older, 'secureConnect')).rejects.toThrow(/alert|ECONNRESET/);
    // A connection that never begins holds up nothing.
    const silence = connect(at.port, '127.0.0.1').on('error', silent);
    await once(silence, 'connect');
    const ended = once(silence, 'close');
    handler.drained.resolve();
    await Promise.all([port.close(), ended]);
  });

  it('takes no more connections than there may be', async () => {
    const handler = new Greeter();
    const settings = Config.parse({ limits: { maxConnections: 1 } });
    const port = await OwnPort.create(partsOf({ handler, settings }));
    const number = await port.listen();
    expect(await greeted(connect(number, '127.0.0.1'))).toBe('hello');
    const second = connect(number, '127.0.0.1').on('error', silent);
    await once(second, 'close');
    handler.drained.resolve();
    await port.close();
  });
});

describe('a port of its own that closes', () => {
  it('waits for what is under way', async () => {
    const handler = new Greeter();
    const port = await OwnPort.create(partsOf({ handler }));
    const number = await port.listen();
    const socket = connect(number, '127.0.0.1');
    await greeted(socket);
    let isClosed = false;
    const closed = port.close().then(() => (isClosed = true));
    await expect(once(connect(number, '127.0.0.1'), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(isClosed).toBe(false);
    expect(socket.destroyed).toBe(false);
    const ended = once(socket, 'close');
    handler.drained.resolve();
    await Promise.all([closed, ended]);
  });

  it('cuts off at the end of the grace what does not end', async () => {
    const settings = Config.parse({ limits: { shutdownGraceMs: 0 } });
    const port = await OwnPort.create(partsOf({ settings }));
    const socket = connect(await port.listen(), '127.0.0.1').on('error', silent);
    await greeted(socket);
    const ended = once(socket, 'close');
    await port.close();
    await ended;
  });

  it('has nothing to close where it never listened', async () => {
    const handler = new Greeter();
    handler.drained.resolve();
    await (await OwnPort.create(partsOf({ handler }))).close();
  });
});
