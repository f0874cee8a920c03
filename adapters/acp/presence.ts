import type { WebSocket } from 'ws';
import type { Clock } from '../../src/clock.ts';

/**
 * Asks a client whether it is still there, and cuts it off when nothing came from it since it was asked last. One that is
 * only slow reads on, and hears the question late.
 */
export function watchPresence(webSocket: WebSocket, clock: Clock, pingMs: number): void {
  let isHeard = true;
  let unreadBytes = 0;
  let cancel: () => void = () => undefined;
  const hear = (): void => {
    isHeard = true;
  };
  const ask = (): void => {
    const { bufferedAmount } = webSocket;
    if (!isHeard && bufferedAmount >= unreadBytes) {
      webSocket.terminate();
      return;
    }
    isHeard = false;
    unreadBytes = bufferedAmount;
    webSocket.ping();
    cancel = clock.at(clock.now() + pingMs, ask);
  };
  webSocket.on('pong', hear);
  webSocket.on('message', hear);
  webSocket.once('close', () => {
    cancel();
  });
  cancel = clock.at(clock.now() + pingMs, ask);
}
