import type { RequestListener } from 'node:http';
import express, { type ErrorRequestHandler } from 'express';
import type { Log } from '../adapter.ts';
import { Fault } from '../fault.ts';
import { answerProblem } from './problem.ts';

/** Whether requests should be sent here. */
export type Readiness = 'ready' | 'starting' | 'stopping' | 'read-only';

export interface PageSources {
  /** What is served here, for whoever opens the root. */
  readonly about: () => object;
  readonly readiness: () => Readiness;
  readonly log: Log;
}

/** What is no protocol's: the root, health and everything that is not there. */
export function pages({ about, readiness, log }: PageSources): RequestListener {
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
