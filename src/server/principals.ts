import { createHash, timingSafeEqual } from 'node:crypto';
import type { Config } from '../../schemas/config.ts';
import type { Principal } from '../../schemas/id.ts';
import type { Credentials } from '../adapter.ts';
import { Fault } from '../fault.ts';

const local: Principal = { scope: 'local', actor: 'local' };

/** Recognises callers by their bearer token. Without any tokens everyone is the same local caller. */
export class Principals {
  readonly #known: readonly { readonly digest: Buffer; readonly principal: Principal }[];

  /** @throws Fault `config-invalid`: a token stands there twice */
  constructor(tokens: Config['tokens']) {
    const distinct = new Set(tokens.map(({ token }) => token));
    if (distinct.size < tokens.length) {
      throw new Fault('config-invalid', 'tokens: one stands there twice', { path: 'tokens' });
    }
    this.#known = tokens.map(({ token, scope, actor }) => ({ digest: digestOf(token), principal: { scope, actor } }));
  }

  /** @throws Fault `unauthenticated` */
  recognise(credentials: Credentials | undefined): Principal {
    if (credentials !== undefined && 'principal' in credentials) return credentials.principal;
    if (this.#known.length === 0) return local;
    if (credentials === undefined) throw new Fault('unauthenticated', 'a bearer token is needed');
    const principal = this.#find(digestOf(credentials.token));
    if (principal === undefined) throw new Fault('unauthenticated', 'the bearer token is not known');
    return principal;
  }

  /** Takes as long for the first token as for the last and for none: digests of one length, and the list to its end. */
  #find(presented: Buffer): Principal | undefined {
    let found: Principal | undefined;
    for (const { digest, principal } of this.#known) if (timingSafeEqual(digest, presented)) found = principal;
    return found;
  }
}

/** What an `Authorization` header says. https://www.rfc-editor.org/rfc/rfc6750#section-2.1 */
export function bearerOf(authorization: string | undefined): Credentials | undefined {
  const [, token] = /^bearer +(\S+) *$/i.exec(authorization ?? '') ?? [];
  return token === undefined ? undefined : { token };
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
