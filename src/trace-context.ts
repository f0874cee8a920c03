// W3C trace context: https://www.w3.org/TR/trace-context/
import type { IncomingHttpHeaders } from 'node:http';

/** Where a request stands in its caller's trace; undefined: it does not say. */
export function traceOf({
  headers,
}: {
  readonly headers: IncomingHttpHeaders;
}): { traceparent: string; tracestate?: string } | undefined {
  const { traceparent, tracestate } = headers;
  if (typeof traceparent !== 'string') return undefined;
  return typeof tracestate === 'string' ? { traceparent, tracestate } : { traceparent };
}
