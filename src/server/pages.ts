import type { RequestListener } from 'node:http';
import express, { type ErrorRequestHandler } from 'express';
import type { Log } from '../adapter.ts';
import { Fault } from '../fault.ts';
import { jwksPath } from './jws-keys.ts';
import { answerProblem } from '../problem.ts';

/** Whether requests should be sent here. */
export type Readiness = 'ready' | 'starting' | 'stopping' | 'read-only';

export interface PageSources {
  /** What is served here, for whoever opens the root. */
  readonly about: () => object;
  readonly readiness: () => Readiness;
  /** The public keys of what this gateway signs; undefined: it signs nothing. */
  readonly publicKeys: (() => object) | undefined;
  readonly log: Log;
}

/** What is no protocol's: the root, health and everything that is not there. */
export function pages({ about, readiness, publicKeys, log }: PageSources): RequestListener {
  const app = express();
  app.disable('x-powered-by');
  app.get('/', (_, response) => {
    response.json(about());
  });
  app.get('/health/live', (_, response) => {
    response.json({ status: 'live' });
  });
  app.get('/health/ready', (_, response) => {
    const status = readiness();
    response.status(status === 'ready' ? 200 : 503).json({ status });
  });
  if (publicKeys !== undefined) {
    app.get(jwksPath, (_, response) => {
      // No longer than a receiver may take to learn of a new key.
      response.set('cache-control', 'public, max-age=300').type('application/jwk-set+json').json(publicKeys());
    });
  }
  app.use(({ path }, response) => {
    answerProblem(new Fault('not-found', `there is nothing at ${path}`), response);
  });
  const answerThrown: ErrorRequestHandler = (thrown: unknown, _, response, _next) => {
    log.error({ error: thrown }, 'a page failed');
    answerProblem(thrown, response);
  };
  app.use(answerThrown);
  return app;
}
