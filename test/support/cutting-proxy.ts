import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A way to a gateway that can be cut, again and again. */
export class CuttingProxy implements AsyncDisposable {
  /** The methods of the requests that went through, in order. */
  readonly requests: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, gateway: string) {
    this.#server = server;
    const { hostname, port } = new URL(gateway);
    server.on('connection', (near) => {
      const far = connect(Number(port), hostname);
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined).once('close', () => void this.#sockets.delete(socket));
      }
      near.on('data', (data: Buffer) => {
        const [, method] = /^(GET|POST) /.exec(data.toString('latin1')) ?? [];
        if (method !== undefined) this.requests.push(method);
      });
      near.pipe(far).once('close', () => near.destroy());
      far.pipe(near).once('close', () => far.destroy());
    });
  }

  static async start(gateway: string): Promise<CuttingProxy> {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new CuttingProxy(server, gateway);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Whatever is on its way is lost. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }
}
