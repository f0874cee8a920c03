// What paths of HTTP+JSON name.
import { decodeSegment } from '../../src/url-path.ts';

/** An operation, and what the path says of it. */
export type Operation =
  | { readonly is: 'send' | 'stream' | 'list' | 'card' }
  | { readonly is: 'get' | 'cancel' | 'subscribe' | 'push'; readonly id: string }
  | { readonly is: 'push-config'; readonly id: string; readonly configId: string };

export interface Route {
  readonly operation: Operation;
  readonly methods: readonly string[];
  readonly tenant: string;
}

/** A path of 1.0 below an agent's; undefined: nothing. https://a2a-protocol.org/v1.0.1/specification/#113-url-patterns-and-http-methods */
export function routeOf(segments: readonly string[]): Route | undefined {
  const [first = '', ...rest] = segments;
  const direct = operationAt([first, ...rest], 'extendedAgentCard');
  if (direct !== undefined) return { ...direct, tenant: '' };
  const behindTenant = rest.length > 0 && first !== '' ? operationAt(rest, 'extendedAgentCard') : undefined;
  return behindTenant === undefined ? undefined : { ...behindTenant, tenant: decodeSegment(first) };
}

/** A path of 0.3 below `/v1`; undefined: nothing. https://a2a-protocol.org/v0.3.0/specification/#356-method-mapping-reference-table */
export function legacyRouteOf(segments: readonly string[]): Route | undefined {
  const found = operationAt(segments, 'card');
  return found === undefined ? undefined : { ...found, tenant: '' };
}

function operationAt(
  [first = '', second, third, fourth, ...more]: readonly string[],
  card: string,
): Omit<Route, 'tenant'> | undefined {
  if (more.length > 0) return undefined;
  if (second === undefined) {
    switch (first) {
      case 'message:send':
        return { operation: { is: 'send' }, methods: ['POST'] };
      case 'message:stream':
        return { operation: { is: 'stream' }, methods: ['POST'] };
      case 'tasks':
        return { operation: { is: 'list' }, methods: ['GET'] };
      case card:
        return { operation: { is: 'card' }, methods: ['GET'] };
      default:
        return undefined;
    }
  }
  if (first !== 'tasks' || second === '') return undefined;
  if (third === 'pushNotificationConfigs') {
    const id = decodeSegment(second);
    if (fourth === undefined) return { operation: { is: 'push', id }, methods: ['GET', 'POST'] };
    const configId = decodeSegment(fourth);
    return { operation: { is: 'push-config', id, configId }, methods: ['GET', 'DELETE'] };
  }
  if (third !== undefined) return undefined;
  const [, name = '', verb] = /^(.*?)(?::(cancel|subscribe))?$/.exec(second) ?? [];
  const id = decodeSegment(name);
  if (verb === 'cancel') return { operation: { is: 'cancel', id }, methods: ['POST'] };
  // The texts say POST, the protocol's own definitions GET.
  if (verb === 'subscribe') return { operation: { is: 'subscribe', id }, methods: ['GET', 'POST'] };
  return { operation: { is: 'get', id }, methods: ['GET'] };
}
