// What HTTP+JSON is in every version; what differs is a version's dialect.
import { ContentTypeNotSupportedError } from '@a2a-js/sdk/errors';
import type { Exchange } from '../../src/adapter.ts';
import { Fault } from '../../src/fault.ts';
import { mediaTypeOf, readJson } from '../../src/json-body.ts';
import type { Binding } from './binding.ts';
import type { Call } from './call.ts';
import { report, Violations } from './faults.ts';
import { writeFrames } from './frames.ts';
import { activate, answer } from './http.ts';
import type { Route } from './rest-routes.ts';
import { chooseVersion, type Version } from './version.ts';

/** How one version of the protocol says HTTP+JSON. */
export interface RestDialect {
  readonly version: Version;
  /** Of its answers. */
  readonly contentType: string;
  /** In which extensions that are in use are told. */
  readonly extensionsHeader: string;
  /** What a path below an agent's names; undefined: nothing of this dialect. */
  readonly routeOf: (segments: readonly string[]) => Route | undefined;
  readonly encodeFault: (thrown: unknown) => { readonly http: number; readonly body: object };
  readonly perform: (performance: Performance) => Promise<void>;
}

/** One operation that was asked for. */
export interface Performance {
  readonly exchange: Exchange;
  readonly binding: Binding;
  readonly call: Call;
  readonly route: Route;
}

export async function serveRest(
  exchange: Exchange,
  binding: Binding,
  { dialect, route }: { readonly dialect: RestDialect; readonly route: Route },
): Promise<void> {
  const { request, response } = exchange;
  const { contentType, extensionsHeader } = dialect;
  using open = binding.open(exchange);
  const { call } = open;
  try {
    if (!route.methods.includes(request.method ?? '')) {
      response.setHeader('allow', route.methods.join(', '));
      const refused = new Fault('unsupported', `only ${route.methods.join(' and ')} is served here`);
      answer(response, { status: 405, body: dialect.encodeFault(refused).body, contentType });
      return;
    }
    chooseVersion(call.requestedVersion, [dialect.version]);
    const activated = activate(call.requestedExtensions ?? [], await binding.handler.getAgentCard());
    if (activated.length > 0) response.setHeader(extensionsHeader, activated.join(', '));
    if (route.tenant !== '') call.setTenant(route.tenant);
    await dialect.perform({ exchange, binding, call, route });
  } catch (thrown) {
    if (response.destroyed) return;
    const fault = call.fault ?? thrown;
    report(exchange.log, fault);
    const { http: status, body } = dialect.encodeFault(fault);
    answer(response, { status, body, contentType });
  }
}

/** The object that a request is. @throws Violations, Fault, the SDK's ContentTypeNotSupported */
export async function readBody({ request }: Exchange, { limits }: Binding): Promise<object> {
  const given = mediaTypeOf(request.headers['content-type']);
  if (given !== 'application/a2a+json' && given !== 'application/json') {
    throw new ContentTypeNotSupportedError('the body must be application/a2a+json or application/json');
  }
  const body = await readJson(request, limits.maxBodyBytes);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new Violations([{ field: 'body', description: 'must be an object' }]);
  }
  return body;
}

export interface Streaming<Event> {
  readonly encode: (event: Event) => unknown;
  readonly encodeFault: RestDialect['encodeFault'];
}

/** Answers with a stream of what a source yields. */
export function stream<Event>(
  { exchange: { response }, binding: { clock, limits }, call }: Performance,
  source: AsyncGenerator<Event>,
  streaming: Streaming<Event>,
): Promise<void> {
  const encodeFault = (thrown: unknown): object => streaming.encodeFault(thrown).body;
  return writeFrames({ response, clock, limits, call, encodeFault }, encoded(source, streaming.encode));
}

async function* encoded<Event>(source: AsyncGenerator<Event>, encode: (event: Event) => unknown): AsyncGenerator {
  for await (const one of source) yield encode(one);
}
