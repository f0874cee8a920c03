import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Express } from 'express';
import type { Adapter, Exchange } from '../../adapter.ts';
import type { Clock } from '../../clock.ts';
import { deferred } from '../../deferred.ts';
import { Fault } from '../../fault.ts';
import type { Gateway } from '../../gateway.ts';
import type { Ids } from '../../ids.ts';
import { answerProblem } from '../../problem.ts';
import { controlApp } from './app.ts';
import { endpoints } from './endpoints.ts';
import { FrameCache } from './frame-cache.ts';

export interface ControlOptions {
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly limits: {
    readonly maxBodyBytes: number;
    /** Silence on a stream after which a comment is written. */
    readonly keepAliveMs: number;
  };
}

/** Frames that are held for further followers, in characters. */
const maxCachedChars = 4 * 1_048_576;

/** The gateway’s own API under `/v1`. */
export function controlAdapter(options: ControlOptions): Adapter {
  return new ControlAdapter(options);
}

class ControlAdapter implements Adapter {
  readonly name = 'control';
  readonly prefixes = ['/v1'];
  readonly entryPoints = [{ what: 'control API', path: '/v1/docs' }];
  readonly #app: Express;
  readonly #exchanges = new WeakMap<IncomingMessage, Exchange>();

  constructor({ gateway, clock, ids, limits: { maxBodyBytes, keepAliveMs } }: ControlOptions) {
    const services = { gateway, clock, ids, keepAliveMs, frames: new FrameCache(maxCachedChars) };
    this.#app = controlApp({
      endpoints,
      services,
      maxBodyBytes,
      exchangeOf: (request) => {
        const exchange = this.#exchanges.get(request);
        if (exchange === undefined) throw new Fault('internal', 'a request has no exchange');
        return exchange;
      },
    });
  }

  async handle(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    if (response.closed) return;
    this.#exchanges.set(request, exchange);
    const closed = deferred();
    response.once('close', closed.resolve);
    this.#app(request, response);
    await closed.promise;
  }

  refuse(fault: unknown, response: ServerResponse): void {
    answerProblem(fault, response);
  }
}
