import { EventEmitter } from 'node:events';
import type { WebSocket } from 'ws';
import { wellFormed } from './well-formed.ts';

/** https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1 */
const unsupportedData = 1003;

/** A WebSocket as the SDK is shown it: text alone, and no error that would fall on the process once it listens no more. */
export class SdkSocket extends EventEmitter {
  readonly #webSocket: WebSocket;
  readonly #endCode: () => number;

  /** `endCode`: what a close without a code of its own says. */
  constructor(webSocket: WebSocket, endCode: () => number) {
    super();
    this.#webSocket = webSocket;
    this.#endCode = endCode;
    webSocket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) webSocket.close(unsupportedData, 'ACP is spoken in text frames');
      else this.emit('message', data.toString());
    });
    webSocket.once('close', () => this.emit('close'));
    webSocket.on('error', (error) => {
      if (this.listenerCount('error') > 0) this.emit('error', error);
    });
  }

  /** What the client has not read, in bytes. */
  get bufferedAmount(): number {
    return this.#webSocket.bufferedAmount;
  }

  send(text: string): void {
    this.#webSocket.send(wellFormed(text));
  }

  close(code: number = this.#endCode(), reason = ''): void {
    this.#webSocket.close(code, reason);
  }
}
