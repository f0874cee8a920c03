import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { Config, type ConfigInput } from '../../schemas/config.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import { deferred } from '../../src/deferred.ts';
import type { Gateway } from '../../src/gateway.ts';
import { TimeOrderedIds } from '../../src/ids.ts';
import { controlAdapter } from '../../src/server/control/adapter.ts';
import { HttpServer } from '../../src/server/http-server.ts';
import { createLog } from '../../src/server/log.ts';

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // What an answer says is compared, not computed with.
  readonly body: any;
}

export interface Asking {
  /** Sent as JSON, unless it is text: then as it is. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A stream of events as it arrives. */
export interface Watched {
  readonly response: IncomingMessage;
  /** All that has arrived. */
  readonly text: () => string;
  readonly frames: () => readonly { readonly id: string; readonly event: string; readonly data: unknown }[];
  readonly ended: Promise<void>;
  leave(): void;
}

/** The control API of a gateway, at a free port. */
export class ControlServer implements AsyncDisposable {
  readonly logged: string[] = [];
  readonly #server: HttpServer;
  #port = 0;

  private constructor(gateway: Gateway, clock: Clock, config: ConfigInput) {
    const settings = Config.parse({ port: 0, ...config });
    const { maxBodyBytes, keepAliveMs } = settings.limits;
    const ids = new TimeOrderedIds();
    this.#server = new HttpServer({
      settings,
      adapters: [controlAdapter({ gateway, clock, ids, limits: { maxBodyBytes, keepAliveMs } })],
      about: () => ({}),
      storeHealth: () => ({ is: 'open' }),
      clock,
      ids,
      log: createLog({ level: 'debug', pretty: false }, { write: (line) => this.logged.push(line) }),
    });
  }

  static async open(gateway: Gateway, config: ConfigInput = {}, clock: Clock = systemClock): Promise<ControlServer> {
    const opened = new ControlServer(gateway, clock, config);
    opened.#port = await opened.#server.listen();
    opened.#server.open();
    return opened;
  }

  /** `path` under `/v1`. */
  async ask(method: string, path: string, { body, headers = {} }: Asking = {}): Promise<Answered> {
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const sent = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
    const length = sent === undefined ? {} : { 'content-length': String(Buffer.byteLength(sent)) };
    const request = this.#request(method, path, { ...type, ...length, ...headers });
    request.end(sent);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const said = await text(response);
    const isJson = /json/.test(response.headers['content-type'] ?? '');
    const answer = { status: response.statusCode ?? 0, headers: response.headers, text: said };
    return { ...answer, body: isJson && said !== '' ? (JSON.parse(said) as unknown) : undefined };
  }

  /** Opens a stream of events. */
  async watch(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Watched> {
    const request = this.#request('GET', path, { accept: 'text/event-stream', ...headers });
    request.end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let arrived = '';
    response.setEncoding('utf8').on('data', (chunk: string) => {
      arrived += chunk;
    });
    response.on('error', () => undefined);
    const ended = deferred();
    response.once('close', ended.resolve);
    return {
      response,
      ended: ended.promise,
      text: () => arrived,
      frames: () => framesOf(arrived),
      leave: () => request.destroy(),
    };
  }

  /** The whole URL of a path under `/v1`. */
  url(path: string): string {
    return `http://127.0.0.1:${this.#port}/v1${path}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close(() => Promise.resolve());
  }

  #request(method: string, path: string, headers: Readonly<Record<string, string>>) {
    return httpRequest({ port: this.#port, host: '127.0.0.1', path: `/v1${path}`, method, headers, agent: false });
  }
}

function framesOf(arrived: string): { id: string; event: string; data: unknown }[] {
  const whole = arrived.slice(0, arrived.lastIndexOf('\n\n') + 2).split('\n\n');
  return whole
    .filter((frame) => frame.startsWith('id: '))
    .map((frame) => {
      const [, id = '', event = '', data = ''] = /^id: (.*)\nevent: (.*)\ndata: (.*)$/.exec(frame) ?? [];
      return { id, event, data: JSON.parse(data) as unknown };
    });
}
