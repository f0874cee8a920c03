// Where cards are found. https://a2a-protocol.org/v1.0.1/specification/#82-discovery-mechanisms
import { createHash } from 'node:crypto';
import type { AgentCard } from '@a2a-js/sdk';
import type { AgentCard as Agent } from '../../schemas/agent-card.ts';
import type { Exchange } from '../../src/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import { Fault } from '../../src/fault.ts';
import type { Gateway } from '../../src/gateway.ts';
import { decodeSegment } from '../../src/url-path.ts';
import { a2aPrefix, cardOf, type CardSurroundings, encodeCard, encodeHybridCard, urlOf } from './card.ts';
import { type CardSigning, legacySignaturesOf, type Signatures, signaturesOf } from './card-signatures.ts';
import { encodeRestError } from './faults.ts';
import { answer, headerOf } from './http.ts';
import { requestedVersion, type Version } from './version.ts';

/** Of the default agent, on the origin. */
export const wellKnownCard = '/.well-known/agent-card.json';
/** Of all agents. */
export const agentsIndex = a2aPrefix;

interface Page {
  readonly text: string;
  readonly etag: string;
}

export interface CardPagesOptions {
  readonly gateway: Gateway;
  readonly surroundings: () => CardSurroundings;
  readonly clock: Clock;
  readonly maxAgeS: number;
  /** Undefined: cards bear no signatures. */
  readonly signing: CardSigning | undefined;
}

/** What a path names: the index, or an agent's card; undefined: neither. */
type Wanted = { readonly is: 'index' } | { readonly is: 'card'; readonly agentId: string | undefined };

export function cardAt(pathname: string): Wanted | undefined {
  if (pathname === wellKnownCard) return { is: 'card', agentId: undefined };
  if (pathname === agentsIndex) return { is: 'index' };
  const [, segment] = /^\/a2a\/([^/]+)\/\.well-known\/agent-card\.json$/.exec(pathname) ?? [];
  return segment === undefined ? undefined : { is: 'card', agentId: decodeSegment(segment) };
}

/** Cards change with the configuration alone, which is read at start: each is made, and encoded, once. */
export class CardPages {
  readonly #options: CardPagesOptions;
  readonly #lastModified: string;
  readonly #cards = new Map<string, AgentCard>();
  readonly #pages = new Map<string, Page>();
  readonly #signed = new Map<string, AgentCard>();
  readonly #sign: Readonly<Record<Version, (card: AgentCard, signing: CardSigning) => Promise<Signatures>>> = {
    '1.0': (card, signing) => signaturesOf(encodeCard(card), card, signing),
    // The SDK makes another card of it on its way out, which keeps the signatures.
    '0.3': legacySignaturesOf,
  };

  constructor(options: CardPagesOptions) {
    this.#options = options;
    this.#lastModified = new Date(options.clock.now()).toUTCString();
  }

  async serve({ request, response, url }: Exchange, wanted: Wanted): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      const { body } = encodeRestError(new Fault('unsupported', 'only GET is served here'));
      answer(response, { status: 405, body, contentType: 'application/json' });
      return;
    }
    const requested = requestedVersion(headerOf(request, 'a2a-version'), url);
    const { text, etag } = await this.#page(wanted, requested === '0.3' ? 'hybrid' : '1.0');
    const headers = {
      etag,
      'last-modified': this.#lastModified,
      'cache-control': `public, max-age=${this.#options.maxAgeS}`,
      vary: 'A2A-Version',
    };
    if (this.#isFresh(headerOf(request, 'if-none-match'), headerOf(request, 'if-modified-since'), etag)) {
      response.writeHead(304, headers).end();
      return;
    }
    const length = Buffer.byteLength(text);
    response.writeHead(200, { ...headers, 'content-type': 'application/json', 'content-length': length });
    response.end(request.method === 'HEAD' ? '' : text);
  }

  /** https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2 */
  #isFresh(noneMatch: string | undefined, since: string | undefined, etag: string): boolean {
    if (noneMatch !== undefined) {
      return noneMatch.split(',').some((one) => ['*', etag].includes(one.trim().replace(/^W\//, '')));
    }
    return since !== undefined && Date.parse(since) >= Date.parse(this.#lastModified);
  }

  async #page(wanted: Wanted, shape: '1.0' | 'hybrid'): Promise<Page> {
    const agent = wanted.is === 'card' ? this.#agent(wanted.agentId) : undefined;
    const key = `${shape} ${agent?.id ?? ''}`;
    const known = this.#pages.get(key);
    if (known !== undefined) return known;
    const text = JSON.stringify(agent === undefined ? this.#index() : await this.#encode(agent, shape));
    const etag = `"${createHash('sha256').update(text).digest('base64url')}"`;
    const page = { text, etag };
    this.#pages.set(key, page);
    return page;
  }

  /** For callers who are known, in the version that they speak. */
  async extended(agent: Agent, version: Version): Promise<AgentCard> {
    const { signing } = this.#options;
    const key = `${version} ${agent.id}`;
    const known = this.#signed.get(key);
    if (known !== undefined) return known;
    const card = this.plain(agent);
    const signed = signing === undefined ? card : { ...card, ...(await this.#sign[version](card, signing)) };
    this.#signed.set(key, signed);
    return signed;
  }

  /** For everyone, as it is before it is signed. */
  plain(agent: Agent): AgentCard {
    const known = this.#cards.get(agent.id);
    if (known !== undefined) return known;
    const card = cardOf(agent, this.#options.surroundings());
    this.#cards.set(agent.id, card);
    return card;
  }

  async #encode(agent: Agent, shape: '1.0' | 'hybrid'): Promise<object> {
    const { signing } = this.#options;
    const card = this.plain(agent);
    const served = shape === '1.0' ? encodeCard(card) : await encodeHybridCard(card);
    return signing === undefined ? served : { ...served, ...(await signaturesOf(served, card, signing)) };
  }

  #index(): object {
    const surroundings = this.#options.surroundings();
    const agents = this.#options.gateway.agents().map((agent) => {
      const url = urlOf(agent, surroundings);
      const { id, name, description, version } = agent;
      return { id, name, description, version, url, cardUrl: `${url}/.well-known/agent-card.json` };
    });
    return { agents };
  }

  #agent(id: string | undefined): Agent {
    const { gateway } = this.#options;
    const agent = id === undefined ? gateway.agents()[0] : gateway.findAgent(id);
    if (agent === undefined) throw new Fault('agent-not-found', `no agent has the id ${JSON.stringify(id)}`);
    return agent;
  }
}
