// JSON-RPC, of 1.0 and of 0.3 at one URL. https://a2a-protocol.org/v1.0.1/specification/#9-json-rpc-protocol-binding
import { ContentTypeNotSupportedError } from '@a2a-js/sdk/errors';
import { isLegacyJsonRpcMethod, isV1JsonRpcMethod } from '@a2a-js/sdk/compat/v0_3';
import { LegacyJsonRpcTransportHandler } from '@a2a-js/sdk/compat/v0_3/server';
import { JsonRpcTransportHandler } from '@a2a-js/sdk/server';
import type { Exchange } from '../../src/adapter.ts';
import { Fault } from '../../src/fault.ts';
import { isJson, readJson } from '../../src/json-body.ts';
import type { Binding } from './binding.ts';
import type { Call } from './call.ts';
import { checkRaw, unreadable } from './decode.ts';
import { encodeError, encodeJsonRpcError, type JsonRpcId, report } from './faults.ts';
import { writeFrames } from './frames.ts';
import { activate, answer } from './http.ts';
import { chooseVersion, type Version } from './version.ts';
import { withFinals } from './wire-v0-3.ts';

const contentType = 'application/json';
const methodNotFound = -32601;
const parseError = -32700;
const invalidRequest = -32600;
const internalError = -32603;

interface Request {
  readonly id: JsonRpcId;
  readonly method: string;
  readonly body: Record<string, unknown>;
  readonly params: unknown;
}

/** Answers one request. Errors of A2A go out with HTTP 200, whatever they are; those of HTTP with its own status. */
export async function serveJsonRpc(exchange: Exchange, binding: Binding): Promise<void> {
  const { request, response } = exchange;
  const read = await readRequest(exchange, binding);
  if ('problem' in read) {
    answer(response, { ...read.problem, contentType });
    return;
  }
  using open = binding.open(exchange);
  const { call } = open;
  try {
    const version = chooseVersion(call.requestedVersion, ['1.0', '0.3']);
    const isKnown = version === '1.0' ? isV1JsonRpcMethod(read.method) : isLegacyJsonRpcMethod(read.method);
    if (!isKnown) {
      const message = `${JSON.stringify(read.method)} is no method of version ${version}`;
      answer(response, { status: 200, body: plainError(read.id, methodNotFound, message), contentType });
      return;
    }
    const activated = activate(call.requestedExtensions ?? [], await binding.handler.getAgentCard());
    if (activated.length > 0) {
      response.setHeader(version === '1.0' ? 'A2A-Extensions' : 'X-A2A-Extensions', activated.join(', '));
    }
    if (version === '1.0') checkRaw(read.params);
    await dispatch(exchange, binding, { call, read, version });
  } catch (thrown) {
    if (request.destroyed && !response.headersSent && response.destroyed) return;
    report(exchange.log, call.fault ?? thrown);
    answer(response, { status: 200, body: encodeJsonRpcError(read.id, call.fault ?? thrown), contentType });
  }
}

async function dispatch(
  { response }: Exchange,
  binding: Binding,
  { call, read, version }: { readonly call: Call; readonly read: Request; readonly version: Version },
): Promise<void> {
  const { handler, clock, limits } = binding;
  const transport =
    version === '1.0' ? new JsonRpcTransportHandler(handler) : new LegacyJsonRpcTransportHandler(handler);
  const answered: object = await transport.handle(read.body, call);
  if (Symbol.asyncIterator in answered) {
    const encodeFault = (thrown: unknown): object => encodeJsonRpcError(read.id, thrown);
    const frames = answered as AsyncGenerator;
    await writeFrames({ response, clock, limits, call, encodeFault }, version === '1.0' ? frames : withFinals(frames));
    return;
  }
  // The transport keeps an error's message alone.
  if (call.fault !== undefined) throw call.fault;
  // What fails before the handler is reached fails to be read; whether by a rule or by a stumble of the codec's.
  if (!call.isReached && isInternal(answered)) throw unreadable('params');
  answer(response, { status: 200, body: answered, contentType });
}

function isInternal(answered: object): boolean {
  return 'error' in answered && (answered.error as { readonly code: number }).code === internalError;
}

type Read = Request | { readonly problem: { readonly status: number; readonly body: object } };

async function readRequest({ request }: Exchange, { limits }: Binding): Promise<Read> {
  if (!isJson(request.headers['content-type'])) {
    const thrown = new ContentTypeNotSupportedError(`the body must be ${contentType}`);
    return { problem: { status: 200, body: encodeJsonRpcError(null, thrown) } };
  }
  let body: unknown;
  try {
    body = await readJson(request, limits.maxBodyBytes);
  } catch (thrown) {
    const fault = Fault.from(thrown);
    if (fault.code === 'invalid-request') {
      return { problem: { status: 200, body: plainError(null, parseError, fault.message) } };
    }
    return { problem: { status: encodeError(fault).http, body: encodeJsonRpcError(null, fault) } };
  }
  return decodeRequest(body);
}

function decodeRequest(body: unknown): Read {
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
  const members = isObject ? (body as Record<string, unknown>) : undefined;
  const { jsonrpc, id = null, method, params } = members ?? {};
  const isId = id === null || typeof id === 'string' || Number.isInteger(id);
  const known = isId ? (id as JsonRpcId) : null;
  if (members !== undefined && jsonrpc === '2.0' && isId && typeof method === 'string' && method !== '') {
    return { id: known, method, body: members, params };
  }
  const message = 'the body must be one JSON-RPC 2.0 request with a method, and a string, a whole number or null as id';
  return { problem: { status: 200, body: plainError(known, invalidRequest, message) } };
}

/** Errors of JSON-RPC itself, of which A2A says nothing. */
function plainError(id: JsonRpcId, code: number, message: string): object {
  return { jsonrpc: '2.0', id, error: { code, message } };
}
