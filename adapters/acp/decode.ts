// What version 1 clients ask, by the tables of https://agentclientprotocol.com/protocol/v1/schema. Objects stay open: what
// a client says beyond them is its own affair.
import * as z from 'zod';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type { Workspace } from '../../schemas/thread.ts';
import type { McpServer } from '../../src/attachment.ts';
import { Fault } from '../../src/fault.ts';
import { decodeBlock } from './parts.ts';
import { RpcError } from './peer.ts';
import { encodePromptCapabilities } from './settings.ts';
import type { ClientSide, Operation, Words } from './version.ts';

const sessionId = z.string().min(1).max(512);
const absolutePath = z
  .string()
  .refine((path) => /^(\/|[A-Za-z]:[\\/]|\\\\)/.test(path), 'must be an absolute path')
  .transform((path) => (path.length > 1 ? path.replace(/(?<![:/\\])[\\/]+$/, '') : path));

const named = z.array(z.object({ name: z.string(), value: z.string() }));
const McpServerV1 = z.discriminatedUnion(
  'type',
  [
    z.object({ type: z.literal(['http', 'sse']), name: z.string(), url: z.string(), headers: named }),
    z.object({
      type: z.literal('stdio').optional(),
      name: z.string(),
      command: z.string(),
      args: z.array(z.string()),
      env: named,
    }),
  ],
  {
    error: ({ code, input }) => {
      const { name, type } = (input ?? {}) as { readonly name?: unknown; readonly type?: unknown };
      if (code !== 'invalid_union') return undefined;
      return `the MCP server ${JSON.stringify(name)} has an unknown transport ${JSON.stringify(type)}`;
    },
  },
);

const mcpServers = z.array(McpServerV1).nullable();
const additionalDirectories = z.array(absolutePath).nullish();
const meta = z.record(z.string(), z.unknown()).nullish().catch(undefined);

const params = {
  authenticate: z.object({ methodId: z.string() }),
  new: z.object({ cwd: absolutePath, mcpServers, additionalDirectories, _meta: meta }),
  load: z.object({ sessionId, cwd: absolutePath, mcpServers, additionalDirectories, _meta: meta }),
  resume: z.object({
    sessionId,
    cwd: absolutePath,
    mcpServers: mcpServers.optional(),
    additionalDirectories,
    _meta: meta,
  }),
  list: z.object({ cwd: absolutePath.nullish(), cursor: z.string().nullish() }),
  session: z.object({ sessionId }),
  prompt: z.object({ sessionId, prompt: z.array(z.unknown()).min(1), _meta: meta }),
  setMode: z.object({ sessionId, modeId: z.string() }),
  setOption: z.object({ sessionId, configId: z.string(), value: z.union([z.string(), z.boolean()]) }),
};

/** @throws Fault `invalid-request` with the path of what is wrong; RpcError −32601 */
export function decodeRequest(method: string, said: unknown, card: AgentCard): Operation {
  switch (method) {
    case 'authenticate':
      return { do: 'authenticate', methodId: parse(params.authenticate, said).methodId };
    case 'session/new': {
      const { _meta, ...surroundings } = parse(params.new, said);
      return { do: 'new', key: textIn(_meta, 'anyport/key'), ...surroundingsOf(surroundings, card) };
    }
    case 'session/load': {
      const { sessionId: id, _meta, ...surroundings } = parse(params.load, said);
      const after = textIn(_meta, 'anyport/after');
      return { do: 'load', sessionId: id, after, ...surroundingsOf(surroundings, card) };
    }
    case 'session/resume': {
      const { sessionId: id, _meta, ...surroundings } = parse(params.resume, said);
      const after = textIn(_meta, 'anyport/after');
      return { do: 'resume', sessionId: id, after, ...surroundingsOf(surroundings, card) };
    }
    case 'session/list': {
      const { cwd, cursor } = parse(params.list, said ?? {});
      // Where strings have no null, the empty one is none.
      return { do: 'list', cwd: cwd ?? undefined, cursor: cursor || undefined };
    }
    case 'session/close':
      return { do: 'close', ...parse(params.session, said) };
    case 'session/delete':
      return { do: 'delete', ...parse(params.session, said) };
    case 'session/prompt':
      return { do: 'prompt', ...promptOf(said, card) };
    case '_session/steering':
      return { do: 'steer', ...promptOf(said, card), onlyIfRunning: wantsPrompt(said) };
    case 'session/set_mode': {
      const { sessionId: id, modeId: mode } = parse(params.setMode, said);
      return { do: 'set-mode', sessionId: id, mode };
    }
    case 'session/set_config_option': {
      const { sessionId: id, configId: option, value } = parse(params.setOption, said);
      return { do: 'set-option', sessionId: id, option, value };
    }
    default:
      throw new RpcError(-32601, `there is no method ${JSON.stringify(method)}`);
  }
}

export function decodeCancel(method: string, said: unknown): string | undefined {
  if (method !== 'session/cancel') return undefined;
  return params.session.safeParse(said).data?.sessionId;
}

interface Said {
  readonly cwd: string;
  readonly mcpServers?: z.infer<typeof mcpServers> | undefined;
  readonly additionalDirectories?: string[] | null | undefined;
}

function surroundingsOf(said: Said, card: AgentCard): { home: Workspace; mcpServers: readonly McpServer[] } {
  const servers = (said.mcpServers ?? []).map(decodeServer);
  const usable = card.capabilities.mcp ?? [];
  const refused = servers.findIndex(({ transport }) => !usable.includes(transport));
  const server = servers[refused];
  if (server !== undefined) {
    const path = `mcpServers[${refused}]`;
    const can =
      usable.length === 0 ? 'uses no MCP servers of its clients' : `reaches them by ${usable.join(', ')} alone`;
    const why = `the MCP server ${JSON.stringify(server.name)} (${server.transport}): ${card.name} ${can}`;
    throw new Fault('unsupported', `${path}: ${why}`, { path });
  }
  return { home: { cwd: said.cwd, additionalDirectories: said.additionalDirectories ?? [] }, mcpServers: servers };
}

function decodeServer(server: z.infer<typeof McpServerV1>): McpServer {
  const valuesOf = (list: z.infer<typeof named>): Record<string, string> =>
    Object.fromEntries(list.map(({ name, value }) => [name, value]));
  if ('url' in server) {
    const { type: transport, name, url, headers } = server;
    return { transport, name, url, headers: valuesOf(headers) };
  }
  const { name, command, args, env } = server;
  return { transport: 'stdio', name, command, args, env: valuesOf(env) };
}

function promptOf(said: unknown, card: AgentCard): { readonly sessionId: string } & Words {
  const { sessionId: id, prompt, _meta } = parse(params.prompt, said);
  const accepted = encodePromptCapabilities(card);
  const parts = prompt.map((block, index) => decodeBlock(block, `prompt[${index}]`, accepted));
  return { sessionId: id, parts, key: textIn(_meta, 'anyport/key'), trace: traceIn(_meta) };
}

/** https://agentclientprotocol.com/protocol/v1/extensibility#the-_meta-field */
function traceIn(said: Record<string, unknown> | null | undefined): Words['trace'] {
  const [traceparent, tracestate] = [textIn(said, 'traceparent'), textIn(said, 'tracestate')];
  if (traceparent === undefined) return undefined;
  return tracestate === undefined ? { traceparent } : { traceparent, tracestate };
}

function wantsPrompt(said: unknown): boolean {
  const steering = z
    .object({ _meta: z.object({ steering: z.object({ idleBehavior: z.literal('promptRequired') }) }) })
    .safeParse(said);
  return steering.success;
}

const can = z.object({}).nullish().catch(undefined);
const yes = z.boolean().nullish().catch(undefined);
/** What is said wrongly is not said: capabilities never fail a client. */
const Client = z.object({
  clientCapabilities: z
    .object({
      fs: z.object({ readTextFile: yes, writeTextFile: yes }).nullish().catch(undefined),
      terminal: yes,
      elicitation: z.object({ form: can, url: can }).nullish().catch(undefined),
      session: z
        .object({
          notices: can,
          compaction: can,
          configOptions: z.object({ boolean: can }).nullish().catch(undefined),
        })
        .nullish()
        .catch(undefined),
      _meta: meta,
    })
    .nullish()
    .catch(undefined),
});

export function decodeClient(said: unknown): ClientSide {
  const { fs, terminal, elicitation, session, _meta } = parse(Client, said).clientCapabilities ?? {};
  const clientId = textIn(_meta, 'anyport/client');
  return {
    clientId,
    takesCursors: clientId !== undefined,
    readsFiles: fs?.readTextFile === true,
    writesFiles: fs?.writeTextFile === true,
    runsCommands: terminal === true,
    asksForms: isThere(elicitation?.form),
    opensUrls: isThere(elicitation?.url),
    showsNotices: isThere(session?.notices),
    showsCompaction: isThere(session?.compaction),
    hasBooleanOptions: isThere(session?.configOptions?.boolean),
  };
}

function isThere(capability: object | null | undefined): boolean {
  return capability !== undefined && capability !== null;
}

function textIn(said: Record<string, unknown> | null | undefined, name: string): string | undefined {
  const value = said?.[name];
  return typeof value === 'string' && value !== '' && value.length <= 256 ? value : undefined;
}

function parse<Schema extends z.ZodType>(schema: Schema, said: unknown): z.output<Schema> {
  const parsed = schema.safeParse(said);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = pathOf(issue?.path ?? []);
  throw new Fault('invalid-request', `${path || 'params'}: ${issue?.message ?? 'is not what the method takes'}`, {
    path,
  });
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`),
    '',
  );
}
