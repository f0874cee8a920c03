import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';

export interface WebhookReceiver extends AsyncDisposable {
  readonly url: string;
  readonly accepted: { readonly headers: IncomingHttpHeaders; readonly body: string }[];
}

/** A webhook that fails so many times, and accepts what comes then. */
export async function receiveWebhooks(failures = 0): Promise<WebhookReceiver> {
  const accepted: WebhookReceiver['accepted'] = [];
  let left = failures;
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const fails = left > 0;
      if (fails) left -= 1;
      else accepted.push({ headers: request.headers, body });
      response.writeHead(fails ? 503 : 204).end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/in`,
    accepted,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** What a webhook of a test is asked for with. */
export const webhookConfig = (url: string, more: object = {}) => ({
  tenant: '',
  id: '',
  taskId: '',
  url,
  token: 'known to us',
  authentication: { scheme: 'Bearer', credentials: 's3cret' },
  ...more,
});

/** Every one that came showed the credentials and the token of `webhookConfig`. */
export function assertAuthorized({ accepted }: WebhookReceiver, contentType: string): void {
  expect(accepted).not.toHaveLength(0);
  for (const { headers } of accepted) {
    expect(headers).toMatchObject({
      authorization: 'Bearer s3cret',
      'x-a2a-notification-token': 'known to us',
      'content-type': contentType,
    });
  }
}
