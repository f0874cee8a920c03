import { a2aAdapter, type A2aOptions, openGrpc } from '../adapters/a2a/index.ts';
import { acpAdapter, type AcpOptions } from '../adapters/acp/index.ts';
// Past its index, which also exports a client that would cost 0.2 s of every start.
import { agUiAdapter, type AgUiOptions } from '../adapters/ag-ui/adapter.ts';
import { MediaLinks } from '../adapters/ag-ui/media-links.ts';
import type { Principal } from '../schemas/id.ts';
import type { Log } from './adapter.ts';
import type { ExitCode } from './cli/exit-code.ts';
import { systemClock } from './clock.ts';
import { TimeOrderedIds } from './ids.ts';
import type { StoreHealth } from './mailbox/store.ts';
import { manifest } from './manifest.ts';
import { withMailbox } from './open-mailbox.ts';
import type { LoadedConfig } from './server/config.ts';
import { controlAdapter } from './server/control/adapter.ts';
import { HttpServer } from './server/http-server.ts';
import { jwksPath } from './server/jws-keys.ts';
import { logToStderr } from './server/log.ts';
import { OwnPort } from './server/own-port.ts';
import { bearerOf, Principals } from './server/principals.ts';
import { loadSigningKey, newSigningKey } from './server/signing-key.ts';
import { stopSignal } from './server/stop-signals.ts';
import { reachableAddress, reachableUrl, welcomeText } from './server/welcome.ts';

const clock = systemClock;
const ids = new TimeOrderedIds();

/** Puts a gateway together and serves it until the process is told to stop. */
export async function serve(loaded: LoadedConfig): Promise<ExitCode> {
  const { settings } = loaded;
  const stop = stopSignal(process, (signal) => {
    process.exit(signal === 'SIGINT' ? 130 : 143);
  });
  const log = logToStderr(settings.log);
  process.stdout.on('error', () => undefined);
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

function acpOptions({ acp, limits, tokens }: LoadedConfig['settings']): Omit<AcpOptions, 'gateway' | 'clock'> {
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

function quickStart(url: string, agentId: string, needsToken: boolean): string[] {
  const message = '{"id":"m1","role":"user","content":"/help"}';
  return [
    'try it:',
    `  curl -N ${url}/ag-ui/${encodeURIComponent(agentId)} -H 'content-type: application/json' \\`,
    ...(needsToken ? [`    -H 'authorization: Bearer TOKEN' \\`] : []),
    `    -d '{"threadId":"t1","runId":"r1","messages":[${message}]}'`,
  ];
}
