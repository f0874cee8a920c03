// A token that says who sends a notification and to whom, and that its body is the one that was sent.
// https://a2a-protocol.org/v1.0.1/topics/streaming-and-async/#example-asymmetric-key-flow-jwt-jwks
import { createHash, randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Signer } from '../signer.ts';
import type { PushMessage } from './sender.ts';

/** Carries the token where the target's own credentials stand in `Authorization`. */
const ownHeader = 'anyport-notification-jwt';
const lifetimeS = 300;

export interface NotificationTokensOptions {
  readonly signer: Signer;
  readonly clock: Clock;
  /** Who sends: how callers reach the gateway. The public keys are at its well-known path. */
  readonly issuer: () => string;
}

export class NotificationTokens {
  readonly #options: NotificationTokensOptions;

  constructor(options: NotificationTokensOptions) {
    this.#options = options;
  }

  /** The message with its token, good for this one attempt. `claims`: what the door says of it beside. */
  async signed(message: PushMessage, claims: Readonly<Record<string, string>> = {}): Promise<PushMessage> {
    const { headers } = message;
    const token = await this.#tokenFor(message, claims);
    const carried =
      headers['authorization'] === undefined ? { authorization: `Bearer ${token}` } : { [ownHeader]: token };
    return { ...message, headers: { ...headers, ...carried } };
  }

  async #tokenFor({ url, body }: PushMessage, claims: Readonly<Record<string, string>>): Promise<string> {
    const { signer, clock, issuer } = this.#options;
    const iat = Math.floor(clock.now() / 1000);
    const said = {
      ...claims,
      iss: issuer(),
      aud: url,
      iat,
      exp: iat + lifetimeS,
      jti: randomUUID(),
      request_body_sha256: createHash('sha256').update(body).digest('hex'),
    };
    const jws = await signer.sign(new TextEncoder().encode(JSON.stringify(said)), { typ: 'JWT' });
    return `${jws.protected}.${jws.payload}.${jws.signature}`;
  }
}
