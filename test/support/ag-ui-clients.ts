import { createRequire } from 'node:module';
import { HttpAgent as CurrentHttpAgent } from '@ag-ui/client';
import { HttpAgent as HttpAgent0053 } from 'ag-ui-client-0-0-53';
import { HttpAgent as HttpAgent0057 } from 'ag-ui-client-0-0-57';
import { HttpAgent as HttpAgent0059 } from 'ag-ui-client-0-0-59';
import type { Fetch } from '../../adapters/ag-ui/client/index.ts';

type HttpAgentClass = typeof CurrentHttpAgent;

/** A published client, unmodified. */
export interface Client {
  readonly name: string;
  readonly HttpAgent: HttpAgentClass;
  readonly era: '1.x' | '0.x';
  /** Whether it answers interrupts. With others a page reads and answers them itself. */
  readonly knowsInterrupts: boolean;
}

// Node finds no patches for the ES modules of these two, as `fast-json-patch` is none. Bundlers do.
const require = createRequire(import.meta.url);
const commonJs0049 = require('ag-ui-client-0-0-49') as { readonly HttpAgent: HttpAgentClass };
const commonJs0045 = require('ag-ui-client-0-0-45') as { readonly HttpAgent: HttpAgentClass };

export const clients: readonly [Client, Client] = [
  { name: '@ag-ui/client 1.0.0', HttpAgent: CurrentHttpAgent, era: '1.x', knowsInterrupts: true },
  { name: '@ag-ui/client 0.0.59', HttpAgent: asCurrent(HttpAgent0059), era: '0.x', knowsInterrupts: true },
];

/** Those in the field that are older. */
export const olderClients: readonly Client[] = [
  { name: '@ag-ui/client 0.0.57', HttpAgent: asCurrent(HttpAgent0057), era: '0.x', knowsInterrupts: true },
  { name: '@ag-ui/client 0.0.53', HttpAgent: asCurrent(HttpAgent0053), era: '0.x', knowsInterrupts: false },
  { name: '@ag-ui/client 0.0.49', HttpAgent: commonJs0049.HttpAgent, era: '0.x', knowsInterrupts: false },
  { name: '@ag-ui/client 0.0.45', HttpAgent: commonJs0045.HttpAgent, era: '0.x', knowsInterrupts: false },
];

/** Their types differ in what no test looks at. */
function asCurrent(HttpAgent: unknown): HttpAgentClass {
  return HttpAgent as HttpAgentClass;
}

/** Clients before 0.0.57 call the global `fetch`: it hands on the requests that carry a `fetch` of their own. */
const ownFetch = Symbol('fetch');
const globalFetch = globalThis.fetch;
globalThis.fetch = async (to, init) => {
  const own = (init as { readonly [ownFetch]?: Fetch } | undefined)?.[ownFetch];
  return own === undefined ? await globalFetch(to, init) : await own(String(to), init as RequestInit);
};

/** Has a client make its requests by a `fetch`. */
export function setFetch(agent: CurrentHttpAgent, fetch: Fetch): void {
  if ('fetch' in agent) {
    agent.fetch = fetch;
    return;
  }
  const extensible = agent as unknown as { requestInit(input: unknown): RequestInit };
  const requestInit = extensible.requestInit.bind(agent);
  extensible.requestInit = (input) => ({ ...requestInit(input), [ownFetch]: fetch });
}

/** The one that was there before. */
export const plainFetch: Fetch = (to, init) => globalFetch(to, init);
