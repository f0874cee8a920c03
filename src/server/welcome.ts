import type { AgentCard } from '../../schemas/agent-card.ts';
import type { Config } from '../../schemas/config.ts';
import type { Adapter } from '../adapter.ts';

export interface Welcome {
  readonly settings: Pick<Config, 'host' | 'store' | 'dataDir' | 'tokens'>;
  readonly port: number;
  readonly agents: readonly AgentCard[];
  readonly adapters: readonly Adapter[];
  /** What is served on ports of its own. */
  readonly ownPorts: readonly { readonly what: string; readonly address: string }[];
  /** Lines that show how to begin, for this URL. */
  readonly firstSteps: (url: string) => readonly string[];
}

/** What is served and where, for whoever started it. The first line is for programs too. */
export function welcomeText({ settings, port, agents, adapters, ownPorts, firstSteps }: Welcome): string {
  const { host, store, dataDir, tokens } = settings;
  const url = reachableUrl(host, port);
  const entryPoints = adapters.flatMap((adapter) => adapter.entryPoints);
  const names = [...entryPoints, ...ownPorts].map(({ what }) => what.length);
  const width = Math.max(...names, 'callers'.length) + 2;
  const line = (what: string, text: string): string => `  ${what.padEnd(width)}${text}`;
  return [
    `listening on http://${addressOf(host, port)}`,
    '',
    ...entryPoints.map(({ what, path }) => line(what, url + path)),
    ...ownPorts.map(({ what, address }) => line(what, address)),
    line('health', `${url}/health/ready`),
    '',
    line('agents', agents.map(({ id }) => id).join(', ')),
    line('data', store === 'file' ? dataDir : 'in memory: gone when this stops'),
    line('callers', tokens.length === 0 ? 'everyone who can connect' : `whoever has one of ${tokens.length} tokens`),
    '',
    ...firstSteps(url),
    '',
  ].join('\n');
}

/** Where this machine reaches a gateway that listens so. */
export function reachableUrl(host: string, port: number): string {
  return `http://${reachableAddress(host, port)}`;
}

/** The same without a scheme. */
export function reachableAddress(host: string, port: number): string {
  return addressOf(isWildcard(host) ? '127.0.0.1' : host, port);
}

function addressOf(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
