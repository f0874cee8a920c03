import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import type { Sent } from '../../../src/push/sender.ts';
import { WebhookSender, type WebhookSenderOptions } from '../../../src/push/webhook-sender.ts';
import { refusal } from '../../support/lane-driver.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const never = new AbortController().signal;

interface Receiver extends AsyncDisposable {
  readonly port: number;
  readonly received: { readonly request: IncomingMessage; readonly body: string }[];
}

async function receiver(answer: RequestListener): Promise<Receiver> {
  const received: { request: IncomingMessage; body: string }[] = [];
  const server: Server = createServer((request, response) => {
    void text(request).then((body) => {
      received.push({ request, body });
      answer(request, response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    received,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function sender(change: Partial<WebhookSenderOptions> = {}): WebhookSender {
  return new WebhookSender({ clock: systemClock, allow: ['127.0.0.1'], ...change });
}

function message(url: string, headers: Record<string, string> = {}): Parameters<WebhookSender['send']>[0] {
  return { url, headers: { 'content-type': 'application/a2a+json', ...headers }, body: '{"é":1}' };
}

/** What becomes of a request that is answered like this. */
async function answered(status: number, headers: Record<string, string> = {}): Promise<Sent> {
  await using at = await receiver((_, response) => response.writeHead(status, headers).end('what it says'));
  return await sender({ clock: new ManualClock(1_700_000_000_000) }).send(
    message(`http://127.0.0.1:${at.port}/`),
    never,
  );
}

describe('a request', () => {
  it('arrives as it is, once', async () => {
    await using at = await receiver((_, response) => response.writeHead(204).end());
    const headers = { authorization: 'Bearer secret', 'x-a2a-notification-token': 'token' };
    const sent = await sender().send(message(`http://127.0.0.1:${at.port}/in?a=b`, headers), never);
    expect(sent).toEqual({ is: 'accepted' });
    expect(at.received).toHaveLength(1);
    const [{ request, body } = { request: undefined, body: '' }] = at.received;
    expect(body).toBe('{"é":1}');
    expect(request).toMatchObject({ method: 'POST', url: '/in?a=b' });
    expect(request?.headers).toMatchObject({ ...headers, 'content-type': 'application/a2a+json', connection: 'close' });
  });

  it('goes to the address that was checked, and its name is resolved once', async () => {
    await using at = await receiver((_, response) => response.writeHead(200).end());
    let asked = 0;
    const resolve: NonNullable<WebhookSenderOptions['resolve']> = async () => {
      asked += 1;
      return [{ address: asked === 1 ? '127.0.0.1' : '10.0.0.1', family: 4 }];
    };
    const sent = await sender({ resolve }).send(message(`http://hook.example:${at.port}/`), never);
    expect(sent).toEqual({ is: 'accepted' });
    expect(at.received[0]?.request.headers.host).toBe(`hook.example:${at.port}`);
    expect(asked).toBe(1);
  });

  it.each([200, 201, 202, 204])('is delivered with %i', async (status) => {
    expect(await answered(status)).toEqual({ is: 'accepted' });
  });

  it.each([301, 302, 307, 400, 401, 404, 500, 503])('has failed with %i, and is tried again', async (status) => {
    const failed = { is: 'failed', final: false, fault: { message: `the receiver answered ${status}` } };
    expect(await answered(status, { location: 'http://127.0.0.1:1/' })).toMatchObject(failed);
  });

  it('is not tried again with 410', async () => {
    expect(await answered(410)).toMatchObject({ is: 'failed', final: true, fault: { retryable: false } });
  });

  it('follows no redirect', async () => {
    await using elsewhere = await receiver((_, response) => response.end());
    await using at = await receiver((_, response) =>
      response.writeHead(307, { location: `http://127.0.0.1:${elsewhere.port}/` }).end(),
    );
    await sender().send(message(`http://127.0.0.1:${at.port}/`), never);
    expect(elsewhere.received).toEqual([]);
  });

  it.each([
    ['7', 7000],
    [new Date(1_700_000_090_000).toUTCString(), 90_000],
    [new Date(1_600_000_000_000).toUTCString(), 0],
    ['soon', undefined],
  ])('is left alone as long as asked: %s', async (value, retryAfterMs) => {
    expect(await answered(503, { 'retry-after': value })).toMatchObject({ is: 'failed', retryAfterMs });
  });

  it('has failed when nobody is there', async () => {
    const port = await receiver((_, response) => response.end()).then(async (at) => {
      await at[Symbol.asyncDispose]();
      return at.port;
    });
    const sent = await sender().send(message(`http://127.0.0.1:${port}/`), never);
    expect(sent).toMatchObject({
      is: 'failed',
      final: false,
      fault: { message: 'the receiver could not be reached (ECONNREFUSED)' },
    });
  });

  it('has failed when no answer comes in time', async () => {
    await using at = await receiver(() => undefined);
    const sent = await sender({ timeoutMs: 30 }).send(message(`http://127.0.0.1:${at.port}/`), never);
    expect(sent).toMatchObject({ is: 'failed', final: false, fault: { message: /in time/ } });
  });

  it('has failed in time when its name is not resolved', async () => {
    const resolve = (): Promise<never> => new Promise(() => undefined);
    const sent = await sender({ timeoutMs: 30, resolve }).send(message('http://hook.example/'), never);
    expect(sent).toMatchObject({ is: 'failed', final: false });
  });

  it('is delivered when the answer never ends, and the connection is cut', async () => {
    let left: Promise<unknown> | undefined;
    await using at = await receiver((_, response) => {
      left = once(response, 'close');
      response.writeHead(200);
      response.write('x'.repeat(200_000));
    });
    const sent = await sender({ maxAnswerBytes: 1000 }).send(message(`http://127.0.0.1:${at.port}/`), never);
    expect(sent).toEqual({ is: 'accepted' });
    await left;
  });

  it('is broken off with its signal', async () => {
    await using at = await receiver(() => over.abort(new Error('over')));
    const over = new AbortController();
    await expect(sender().send(message(`http://127.0.0.1:${at.port}/`), over.signal)).rejects.toThrow('over');
    await expect(sender().send(message(`http://127.0.0.1:${at.port}/`), over.signal)).rejects.toThrow('over');
    expect(at.received).toHaveLength(1);
  });

  it.each([{ 'x-token': 'a\r\nhost: b' }, { 'x token': 'a' }, { 'x-token': '\u20ac' }])(
    'with a header that is none is not sent: %j',
    async (headers) => {
      await using at = await receiver((_, response) => response.end());
      const sent = await sender().send(message(`http://127.0.0.1:${at.port}/`, headers), never);
      expect(sent).toMatchObject({ is: 'failed', final: true });
      expect(at.received).toEqual([]);
    },
  );
});

describe('where nothing is sent', () => {
  it.each([
    'http://127.0.0.1/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[2002:7f00:1::]/',
    'http://169.254.169.254/latest/meta-data',
    'https://10.0.0.1/',
    'file:///etc/passwd',
    'ftp://hook.example/',
    'nothing',
  ])('is %s', async (url) => {
    const strict = sender({ allow: [] });
    expect(refusal(() => strict.check(url))).toBe('invalid-request');
    const sent = await strict.send(message(url), never);
    expect(sent).toMatchObject({ is: 'failed', final: true, fault: { code: 'forbidden' } });
  });

  it('is behind a name that leads inside', async () => {
    await using at = await receiver((_, response) => response.end());
    const strict = sender({ allow: [], resolve: async () => [{ address: '127.0.0.1', family: 4 }] });
    strict.check(`http://hook.example:${at.port}/`);
    const sent = await strict.send(message(`http://hook.example:${at.port}/`), never);
    expect(sent).toMatchObject({ is: 'failed', final: true, fault: { code: 'forbidden' } });
    expect(at.received).toEqual([]);
  });

  it('is behind localhost, unless it is allowed', async () => {
    await using at = await receiver((_, response) => response.end());
    const url = `http://localhost:${at.port}/`;
    expect(await sender({ allow: [] }).send(message(url), never)).toMatchObject({ is: 'failed', final: true });
    expect(await sender({ allow: ['localhost'] }).send(message(url), never)).toEqual({ is: 'accepted' });
  });
});
