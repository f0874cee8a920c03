import type { AgentCard } from '../../schemas/agent-card.ts';
import type { Config } from '../../schemas/config.ts';
import type { Adapter } from '../adapter.ts';

export interface Welcome {
  readonly settings: Pick<Config, 'host' | 'store' | 'dataDir' | 'tokens'>;
  readonly port: number;
  readonly agents: readonly AgentCard[];
  readonly adapters: readonly Adapter[];
  /** Lines that show how to begin, for this URL. */
  readonly firstSteps: (url: string) => readonly string[];
}

/** What is served and where, for whoever started it. The first line is for programs too. */
export function welcomeText({ settings, port, agents, adapters, firstSteps }: Welcome): string {
  const { host, store, dataDir, tokens } = settings;
  const url = reachableUrl(host, port);
  const entryPoints = adapters.flatMap((adapter) => adapter.entryPoints);
  const width = Math.max(...entryPoints.map(({ what }) => what.length), 'callers'.length) + 2;
  const line = (what: string, text: string): string => `  ${what.padEnd(width)}${text}`;
  return [
    `listening on ${urlOf(host, port)}`,
    '',
    ...entryPoints.map(({ what, path }) => line(what, url + path)),
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
  return urlOf(isWildcard(host) ? '127.0.0.1' : host, port);
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
