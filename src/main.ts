#!/usr/bin/env node
import { Console } from 'node:console';
import { join } from 'node:path';
import { addAbortSignal } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { acpAdapter, bridgeStdio, serveStdio } from '../adapters/acp/index.ts';
import { a2aAdapter, type A2aOptions, openGrpc, TaskPusher } from '../adapters/a2a/index.ts';
// Past its index, which also exports a client that would cost 0.2 s of every start.
import { agUiAdapter, type AgUiOptions } from '../adapters/ag-ui/adapter.ts';
import { MediaLinks } from '../adapters/ag-ui/media-links.ts';
import type { Config } from '../schemas/config.ts';
import type { Principal } from '../schemas/id.ts';
import type { Log } from './adapter.ts';
import type { Agent } from './agents/agent.ts';
import { type Counter, FileCounter, MemoryCounter } from './agents/demo/counter.ts';
import { DemoAgent } from './agents/demo/demo-agent.ts';
import { AgentRegistry } from './agents/registry.ts';
import type { CallInvocation, Invocation } from './cli/command.ts';
import { editorSettings } from './cli/editor-settings.ts';
import { parseCommandLine } from './cli/command-line.ts';
import type { ExitCode } from './cli/exit-code.ts';
import { perform } from './cli/perform.ts';
import { streamSink } from './cli/stream-sink.ts';
import { AnyportClient } from './client/index.ts';
import { systemClock } from './clock.ts';
import { Fault } from './fault.ts';
import { TimeOrderedIds } from './ids.ts';
import { Mailbox, pushRules } from './mailbox/mailbox.ts';
import { NotificationTokens } from './push/notification-tokens.ts';
import { WebhookSender } from './push/webhook-sender.ts';
import { manifest } from './manifest.ts';
import type { Store, StoreHealth } from './mailbox/store.ts';
import { loadConfig, type LoadedConfig } from './server/config.ts';
import { controlAdapter } from './server/control/adapter.ts';
import { HttpServer } from './server/http-server.ts';
import { JwsKeys, jwksPath } from './server/jws-keys.ts';
import { createLog } from './server/log.ts';
import { loadSigningKey, newSigningKey } from './server/signing-key.ts';
import { OwnPort } from './server/own-port.ts';
import { bearerOf, Principals } from './server/principals.ts';
import { stopSignal } from './server/stop-signals.ts';
import { reachableAddress, reachableUrl, welcomeText } from './server/welcome.ts';
import { doctor } from './stores/doctor.ts';
import { FileStore } from './stores/file-store.ts';
import { MemoryStore } from './stores/memory-store.ts';

const clock = systemClock;
const ids = new TimeOrderedIds();

async function run(invocation: Invocation): Promise<ExitCode> {
  switch (invocation.run) {
    case 'print': {
      process.stdout.write(invocation.text);
      return 0;
    }
    case 'doctor':
      return examine((await configured(invocation)).settings.dataDir);
    case 'serve':
      return serve(await configured(invocation));
    case 'acp':
      return serveIde(invocation.agent, await configured(invocation));
    case 'acp-bridge':
      return bridgeIde(invocation);
    case 'print-editor-settings': {
      const program = fileURLToPath(import.meta.url);
      process.stdout.write(editorSettings(invocation.editor, [process.execPath, program, ...invocation.args]));
      return 0;
    }
    case 'call':
      return callGateway(invocation);
  }
}

function callGateway(invocation: CallInvocation): Promise<ExitCode> {
  const { env, stdin, stdout, stderr } = process;
  const url = invocation.url ?? (env['ANYPORT_URL'] || 'http://127.0.0.1:8080');
  const token = invocation.token ?? (env['ANYPORT_TOKEN'] || undefined);
  const ctrlC = new AbortController();
  const { signal } = ctrlC;
  void stopSignal(process, () => process.exit(130)).then(() => {
    ctrlC.abort();
  });
  return perform(invocation, {
    // A person waits: whether there is a gateway shows at once.
    client: new AnyportClient({ url, token, signal, retry: { attempts: 3, firstMs: 100 } }),
    out: streamSink(stdout),
    err: streamSink(stderr),
    stdin: { isTerminal: stdin.isTTY, read: () => text(addAbortSignal(signal, stdin)) },
    signal,
    json: invocation.json,
    reach: invocation.url === undefined ? [] : ['--url', url],
  });
}

function configured({ configFile, flags }: Invocation & { run: 'serve' | 'doctor' | 'acp' }): Promise<LoadedConfig> {
  return loadConfig({
    file: configFile,
    folder: process.cwd(),
    environment: process.env,
    importModule: (url) => import(url) as Promise<unknown>,
    flags,
  });
}

async function examine(dataDir: string): Promise<ExitCode> {
  const { threads, events, records, problems } = await doctor(dataDir);
  process.stdout.write(`${dataDir}: ${threads} threads, ${events} events, ${records} records\n`);
  for (const problem of problems) process.stdout.write(`problem: ${problem}\n`);
  process.stdout.write(problems.length === 0 ? 'no problems\n' : `${problems.length} problems\n`);
  return problems.length === 0 ? 0 : 1;
}

async function serve(loaded: LoadedConfig): Promise<ExitCode> {
  const { settings } = loaded;
  const stop = stopSignal(process, (signal) => {
    process.exit(signal === 'SIGINT' ? 130 : 143);
  });
  const log = createLog({ pretty: process.stderr.isTTY, ...settings.log }, process.stderr);
  let url = settings.publicUrl?.replace(/\/$/, '') ?? '';
  await withMailbox(loaded, { log, url: () => url }, async ({ mailbox, agents, store, keys }) => {
    const { maxBodyBytes, keepAliveMs } = settings.limits;
    const doorLimits = { maxBodyBytes, keepAliveMs };
    const signing =
      keys !== undefined && settings.signing.cards ? { signer: keys, keysUrl: () => url + jwksPath } : undefined;
    let grpcAt: GrpcAddresses | undefined;
    const a2aDoor = {
      gateway: mailbox,
      clock,
      baseUrl: () => url,
      grpcAddress: () => grpcAt?.forCallers,
      signing,
      ...a2aOptions(settings),
    };
    const adapters = [
      agUiAdapter({
        gateway: mailbox,
        clock,
        ...agUiOptions(settings),
        links: new MediaLinks({ key: await signingKey(settings), baseUrl: () => url, clock }),
      }),
      a2aAdapter(a2aDoor),
      acpAdapter({ gateway: mailbox, clock, ...acpOptions(settings) }),
      controlAdapter({ gateway: mailbox, clock, ids, limits: doorLimits }),
    ];
    const entryPoints = adapters.flatMap((adapter) => adapter.entryPoints);
    const about = (): object => ({
      name: manifest.name,
      version: manifest.version,
      agents: agents.cards(),
      entryPoints,
    });
    const publicKeys = keys === undefined ? undefined : (): object => keys.published();
    const storeHealth = (): StoreHealth => store.health();
    const server = new HttpServer({ settings, adapters, about, storeHealth, publicKeys, clock, ids, log });
    const grpc = await grpcPort(settings, a2aDoor, log);
    const port = await server.listen();
    if (url === '') url = reachableUrl(settings.host, port);
    try {
      await mailbox.start();
      if (grpc !== undefined) grpcAt = grpcAddresses(settings, await grpc.listen());
      server.open();
      const firstSteps = (at: string): string[] => quickStart(at, agents.default.card.id, settings.tokens.length > 0);
      const ownPorts = grpcAt === undefined ? [] : [{ what: 'A2A gRPC', address: grpcAt.here }];
      const welcome = { settings, port, agents: agents.cards(), adapters, ownPorts, firstSteps };
      process.stdout.write(welcomeText(welcome));
      log.info({ signal: await stop }, 'stopping');
    } finally {
      await Promise.all([server.close(() => mailbox.stop()), grpc?.close()]);
    }
  });
  log.info({}, 'stopped');
  return 0;
}

interface MailboxParts {
  readonly mailbox: Mailbox;
  readonly agents: AgentRegistry;
  readonly store: Store;
  /** With what is signed; undefined: nothing is. */
  readonly keys: JwsKeys | undefined;
}

/** What a gateway is made of, whatever its doors are. Whoever uses the mailbox starts and stops it. */
async function withMailbox(
  { settings, agents: entries }: LoadedConfig,
  { log, url }: { readonly log: ReturnType<typeof createLog>; readonly url: () => string },
  use: (parts: MailboxParts) => Promise<void>,
): Promise<void> {
  const { limits } = settings;
  const counter = counterFor(settings);
  const agents = new AgentRegistry(entries.map((entry) => ('run' in entry ? entry : demoNamed(entry.id, counter))));
  const { maxSending, ...receivers } = settings.webhooks;
  const sender = new WebhookSender({ clock, ...receivers });
  const store = await openStore(settings);
  try {
    const rules = { ...limits, retentionMs: limits.retention.maxAgeMs };
    const a2a = new TaskPusher({ gateway: () => mailbox, shown: new Set(settings.a2a.show) });
    const keys = await jwsKeys(settings);
    const tokens =
      keys !== undefined && settings.signing.notifications
        ? new NotificationTokens({ signer: keys, clock, issuer: url })
        : undefined;
    const push = { sender, pushers: { a2a }, tokens, rules: pushRules, maxSending };
    const mailbox: Mailbox = new Mailbox({ store, agents, clock, ids, limits: rules, log, push });
    await use({ mailbox, agents, store, keys });
  } finally {
    await store.close();
  }
}

/** The IDE that started this process is the only caller; its end of the streams is the end of the process. */
async function serveIde(agentId: string | undefined, loaded: LoadedConfig): Promise<ExitCode> {
  const { log, drainMs } = beSilent(loaded.settings.log);
  const url = (): string => loaded.settings.publicUrl ?? '';
  await withMailbox(loaded, { log, url }, async ({ mailbox, agents }) => {
    const card = agentId === undefined ? agents.default.card : mailbox.findAgent(agentId);
    if (card === undefined) throw new Fault('config-invalid', `--agent: no agent has the id ${agentId}`);
    await mailbox.start();
    void stopSignal(process, () => process.exit(130)).then(() => mailbox.stop());
    try {
      const { stdin: input, stdout: output } = process;
      const principal = { scope: 'local', actor: 'local' };
      const { whenBusy } = loaded.settings.acp;
      const who = { principal, card, needsToken: false, whenBusy };
      await serveStdio({ input, output, drainMs, gateway: mailbox, clock, log, ...who });
    } finally {
      await mailbox.stop();
    }
  });
  return 0;
}

async function bridgeIde({ agent, url, token }: Invocation & { run: 'acp-bridge' }): Promise<ExitCode> {
  const { log, drainMs } = beSilent({ level: 'warn' });
  const { stdin: input, stdout: output, env } = process;
  const as = token ?? (env['ANYPORT_TOKEN'] || undefined);
  const client = new AnyportClient({ url, token: as, retry: { attempts: 1, firstMs: 100 } });
  const agentId = async (): Promise<string> => agent ?? (await client.agents())[0]?.id ?? '';
  await bridgeStdio({ input, output, drainMs, clock, log, url, token: as, agentId });
  return 0;
}

/** What agents and libraries print is not the protocol's, which has stdout to itself. */
function beSilent({ level }: Config['log']): { readonly log: ReturnType<typeof createLog>; readonly drainMs: number } {
  globalThis.console = new Console({ stdout: process.stderr, stderr: process.stderr });
  return { log: createLog({ level, pretty: process.stderr.isTTY }, process.stderr), drainMs: 2000 };
}

function acpOptions({
  acp,
  limits,
  tokens,
}: LoadedConfig['settings']): Omit<Parameters<typeof acpAdapter>[0], 'gateway' | 'clock'> {
  const { maxBodyBytes, keepAliveMs, slowViewerMs } = limits;
  const { whenBusy, ...connections } = acp;
  const needsToken = tokens.length > 0;
  return { whenBusy, needsToken, limits: { maxBodyBytes, keepAliveMs, slowViewerMs, ...connections } };
}

function agUiOptions({
  agUi,
  limits,
}: LoadedConfig['settings']): Pick<AgUiOptions, 'limits' | 'whenBusy' | 'onDisconnect' | 'slowViewers'> {
  const { maxBodyBytes, keepAliveMs, slowViewerMs } = limits;
  const { whenBusy, onDisconnect: is, disconnectGraceMs: graceMs, slowViewers } = agUi;
  const onDisconnect = is === 'cancel' ? { is, graceMs } : { is };
  return { limits: { maxBodyBytes, keepAliveMs, slowViewerMs }, whenBusy, onDisconnect, slowViewers };
}

function a2aOptions({
  a2a,
  limits,
  tokens,
}: LoadedConfig['settings']): Omit<A2aOptions, 'gateway' | 'clock' | 'baseUrl'> {
  const { maxBodyBytes, keepAliveMs, slowViewerMs } = limits;
  const { maxWaitMs, cancelWaitMs, grpc: _, ...options } = a2a;
  const needsToken = tokens.length > 0;
  return { ...options, needsToken, limits: { maxBodyBytes, keepAliveMs, slowViewerMs, maxWaitMs, cancelWaitMs } };
}

/** Undefined: gRPC is not served. */
async function grpcPort(settings: LoadedConfig['settings'], door: A2aOptions, log: Log): Promise<OwnPort | undefined> {
  const { grpc } = settings.a2a;
  if (grpc === undefined) return undefined;
  const principals = new Principals(settings.tokens);
  const recognise = (authorization: string | undefined): Principal => principals.recognise(bearerOf(authorization));
  const handler = await openGrpc({ ...door, recognise, log });
  const { host = settings.host, port, tls, insecure } = grpc;
  return OwnPort.create({ path: 'a2a.grpc', host, port, tls, insecure, settings, handler, clock, log });
}

/** Where gRPC is reached, as host and port: from this machine, and by callers. */
interface GrpcAddresses {
  readonly here: string;
  readonly forCallers: string;
}

function grpcAddresses({ a2a: { grpc }, host, publicUrl }: LoadedConfig['settings'], port: number): GrpcAddresses {
  const here = reachableAddress(grpc?.host ?? host, port);
  const ofPublicHost = publicUrl === undefined ? undefined : `${new URL(publicUrl).hostname}:${port}`;
  return { here, forCallers: grpc?.publicAddress ?? ofPublicHost ?? here };
}

function signingKey({ store, dataDir }: LoadedConfig['settings']): Promise<Uint8Array> | Uint8Array {
  return store === 'file' ? loadSigningKey(dataDir) : newSigningKey();
}

/** Undefined where nothing is signed that others check. */
async function jwsKeys({ signing, store, dataDir }: LoadedConfig['settings']): Promise<JwsKeys | undefined> {
  const { notifications, cards, keys, rotateAfterMs } = signing;
  if (!notifications && !cards) return undefined;
  if (keys.length > 0) return JwsKeys.read(keys);
  const nowMs = clock.now();
  return store === 'file' ? JwsKeys.keep(dataDir, { nowMs, rotateAfterMs }) : JwsKeys.make(nowMs);
}

function demoNamed(id: string, counter: Counter): Agent {
  return new DemoAgent({ id, clock, counter });
}

function counterFor({ store, dataDir }: Pick<Config, 'store' | 'dataDir'>): Counter {
  return store === 'file' ? new FileCounter(join(dataDir, 'demo-count.jsonl')) : new MemoryCounter();
}

function openStore({ store, dataDir, limits }: LoadedConfig['settings']): Promise<Store> | Store {
  if (store === 'memory') return new MemoryStore({ clock });
  return FileStore.open({ directory: dataDir, clock, minFreeDiskBytes: limits.minFreeDiskBytes });
}

function quickStart(url: string, agentId: string, needsToken: boolean): string[] {
  const message = '{"id":"m1","role":"user","content":"/help"}';
  return [
    'try it:',
    `  curl -N ${url}/ag-ui/${encodeURIComponent(agentId)} -H 'content-type: application/json' \\`,
    ...(needsToken ? [`    -H 'authorization: Bearer TOKEN' \\`] : []),
    `    -d '{"threadId":"t1","runId":"r1","messages":[${message}]}'`,
  ];
}

/** One clear line for what was foreseen; everything for what was not. */
function report(thrown: unknown): ExitCode {
  const what = thrown instanceof Fault ? thrown.message : thrown instanceof Error ? thrown.stack : String(thrown);
  process.stderr.write(`anyport: ${what}\n`);
  return thrown instanceof Fault && thrown.code === 'config-invalid' ? 2 : 1;
}

async function main(): Promise<ExitCode> {
  try {
    return await run(parseCommandLine(process.argv.slice(2)));
  } catch (thrown) {
    return report(thrown);
  }
}

// Agents may leave timers and connections behind; what has to be kept is in the store, which is closed.
process.exit(await main());
