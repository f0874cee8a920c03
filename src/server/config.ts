import { dirname, resolve } from 'node:path';
import * as z from 'zod';
import { AgentCard } from '../../schemas/agent-card.ts';
import { type AgentEntry, Config, type ConfigInput } from '../../schemas/config.ts';
import type { Agent } from '../agents/agent.ts';
import { Fault } from '../fault.ts';
import { type Environment, findConfigFile, type ImportModule, readConfigFile } from './config-file.ts';

/** What `anyport.config.ts` exports by default: what `anyport.yaml` may say, and agents in code. */
export interface AnyportConfig extends Omit<ConfigInput, 'agents'> {
  readonly agents?: readonly (AgentEntry | Agent)[];
}

export interface LoadedConfig {
  /** The paths of files and folders are absolute. */
  readonly settings: Omit<Config, 'agents'>;
  readonly agents: readonly (AgentEntry | Agent)[];
  /** `undefined`: there is none, and all is as by default. */
  readonly file: string | undefined;
}

export interface ConfigSource {
  /** The file that was asked for; `undefined`: the one in `folder`, if there is one. */
  readonly file: string | undefined;
  /** What relative paths of flags are relative to. */
  readonly folder: string;
  readonly environment: Environment;
  readonly importModule: ImportModule;
  /** What was said at the command line; it wins. */
  readonly flags: Partial<Pick<Config, 'host' | 'port' | 'dataDir' | 'store' | 'allowUnauthenticated'>>;
}

/** @throws Fault `config-invalid`; its message names each key that is wrong and what is allowed there */
export async function loadConfig(source: ConfigSource): Promise<LoadedConfig> {
  const file = await findConfigFile(source.folder, source.file);
  const written = file === undefined ? {} : await readConfigFile(file, source.environment, source.importModule);
  const { agents, ...settings } = parseConfig(written, file ?? source.folder);
  const folder = file === undefined ? source.folder : dirname(file);
  const dataDir =
    source.flags.dataDir === undefined
      ? resolve(folder, settings.dataDir)
      : resolve(source.folder, source.flags.dataDir);
  const a2a = withFilesIn(folder, settings.a2a);
  return { settings: { ...settings, a2a, ...source.flags, dataDir }, agents, file };
}

function withFilesIn(folder: string, a2a: Config['a2a']): Config['a2a'] {
  const { grpc } = a2a;
  if (grpc?.tls === undefined) return a2a;
  const { certFile, keyFile } = grpc.tls;
  const tls = { certFile: resolve(folder, certFile), keyFile: resolve(folder, keyFile) };
  return { ...a2a, grpc: { ...grpc, tls } };
}

function parseConfig(written: unknown, where: string): Omit<Config, 'agents'> & Pick<LoadedConfig, 'agents'> {
  const coded = agentsInCode(written, where);
  const result = Config.safeParse(coded.size === 0 ? written : withEntries(written as AnyportConfig, coded));
  if (!result.success) throw configFault(where, result.error);
  return { ...result.data, agents: result.data.agents.map((entry, index) => coded.get(index) ?? entry) };
}

/** The agents among the entries, by their place; their cards are checked here, at the edge. */
function agentsInCode(written: unknown, where: string): ReadonlyMap<number, Agent> {
  const listed = (written as AnyportConfig | null)?.agents;
  const coded = new Map<number, Agent>();
  if (!Array.isArray(listed)) return coded;
  for (const [index, value] of (listed as readonly unknown[]).entries()) {
    if (!isAgent(value)) continue;
    const card = AgentCard.safeParse(value.card);
    if (!card.success) throw configFault(where, card.error, ['agents', index, 'card']);
    coded.set(index, value);
  }
  return coded;
}

function isAgent(value: unknown): value is Agent {
  return typeof value === 'object' && value !== null && 'run' in value && typeof value.run === 'function';
}

/** Lets an entry stand for each agent in code, so that one schema judges all else, under the right indexes. */
function withEntries(written: AnyportConfig, coded: ReadonlyMap<number, Agent>): object {
  const agents = written.agents?.map((value, index) => {
    const agent = coded.get(index);
    return agent === undefined ? value : { id: agent.card.id, type: 'demo' };
  });
  return { ...written, agents };
}

function configFault(where: string, error: z.ZodError, above: readonly PropertyKey[] = []): Fault {
  const lines = error.issues.map((issue) => {
    const path = pathOf([...above, ...issue.path]);
    return path === '' ? issue.message : `${path}: ${issue.message}`;
  });
  const path = pathOf([...above, ...(error.issues[0]?.path ?? [])]);
  return new Fault('config-invalid', [`${where}:`, ...lines].join(lines.length === 1 ? ' ' : '\n  '), { path });
}

function pathOf(path: readonly PropertyKey[]): string {
  return z.core.toDotPath(path);
}
