import type { IncomingHttpHeaders } from 'node:http';
import type { Principal } from '../../schemas/id.ts';
import type { Log } from '../../src/adapter.ts';
import { Fault } from '../../src/fault.ts';
import { traceOf } from '../../src/trace-context.ts';
import { Call } from './call.ts';
import type { CardSurroundings } from './card.ts';
import { CardPages } from './card-pages.ts';
import { Contexts } from './contexts.ts';
import { Handler } from './handler.ts';
import { extensionsOf, headerOf } from './http.ts';
import { type A2aLimits, type A2aOptions, defaultLimits } from './options.ts';
import { PushConfigs } from './push-configs.ts';
import { Tasks } from './tasks.ts';
import { requestedVersion } from './version.ts';

/** What a request says of its call, whatever it came over. */
export interface Asked {
  readonly headers: IncomingHttpHeaders;
  /** Undefined: the request has none. */
  readonly url: URL | undefined;
  readonly principal: Principal;
  readonly log: Log;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** The agents as callers of A2A have them: a handler for each, made when it is first asked for. */
export class Handlers {
  readonly limits: A2aLimits;
  readonly cards: CardPages;
  readonly #options: A2aOptions;
  readonly #known = new Map<string, Handler>();

  constructor(options: A2aOptions) {
    this.#options = options;
    this.limits = { ...defaultLimits, ...options.limits };
    const { gateway, clock, cardMaxAgeS: maxAgeS = 3600, signing } = options;
    this.cards = new CardPages({ gateway, clock, maxAgeS, signing, surroundings: () => this.surroundings });
  }

  /** Of what cards are made, beside the agents. */
  get surroundings(): CardSurroundings {
    const { gateway, baseUrl, grpcAddress, needsToken = false, push } = this.#options;
    return {
      baseUrl: baseUrl(),
      grpcAddress: grpcAddress?.(),
      defaultAgentId: gateway.agents()[0]?.id,
      needsToken,
      pushes: push !== undefined,
    };
  }

  /** Undefined: the agent of callers who name none. @throws Fault `agent-not-found` */
  get(agentId: string | undefined): Handler {
    const { gateway } = this.#options;
    const id = agentId ?? gateway.agents()[0]?.id ?? '';
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const handler = this.#create(id);
    this.#known.set(id, handler);
    return handler;
  }

  open({ headers, url, principal, log, signal }: Asked): Call {
    const { callerIs = 'agent', persons = [] } = this.#options;
    const isPerson = callerIs === 'person' || persons.includes(principal.actor);
    return new Call({
      principal,
      origin: isPerson ? 'user' : 'agent',
      requestedVersion: requestedVersion(headerOf({ headers }, 'a2a-version'), url),
      requestedExtensions: extensionsOf({ headers }),
      lastEventId: headerOf({ headers }, 'last-event-id'),
      idempotencyKey: headerOf({ headers }, 'idempotency-key'),
      trace: traceOf({ headers }),
      signal,
      log,
    });
  }

  #create(agentId: string): Handler {
    const {
      gateway,
      clock,
      push,
      whenBusy = 'queue',
      whenWaiting = 'fork',
      show = ['tools', 'plans', 'steps'],
    } = this.#options;
    const agent = gateway.findAgent(agentId);
    if (agent === undefined) throw new Fault('agent-not-found', `no agent has the id ${JSON.stringify(agentId)}`);
    const { maxWaitMs, cancelWaitMs } = this.limits;
    const tasks = new Tasks({ gateway, agentId, shown: new Set(show) });
    return new Handler({
      gateway,
      clock,
      agent,
      tasks,
      push: new PushConfigs({ gateway, tasks, events: push }),
      contexts: new Contexts({ gateway, agentId, whenWaiting }),
      card: () => this.cards.plain(agent),
      extendedCard: (version) => this.cards.extended(agent, version),
      whenBusy,
      maxWaitMs,
      cancelWaitMs,
    });
  }
}
