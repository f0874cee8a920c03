import * as z from 'zod';
import { WhenBusy } from './activation.ts';
import { Actor, AgentId, Scope } from './id.ts';
import { PushFilter } from './subscription.ts';

/** An object without other keys; an unknown one is answered with those that there are. */
function section<Shape extends z.ZodRawShape>(shape: Shape) {
  const allowed = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? `unknown key ${issue.keys.join(', ')}; allowed: ${allowed}` : undefined,
  });
}

const count = (byDefault: number, what: string) => z.int().min(1).default(byDefault).describe(what);
const size = (byDefault: number, what: string) => z.int().min(1024).default(byDefault).describe(`${what}, in bytes`);
const interval = (byDefault: number, what: string) => z.int().min(1000).default(byDefault).describe(`${what}, in ms`);
const duration = (byDefault: number, what: string) => z.int().min(0).default(byDefault).describe(`${what}, in ms`);

const mebibyte = 1_048_576;
const dayMs = 86_400_000;

/** What the gateway allows itself and its callers. */
const Limits = section({
  maxBodyBytes: size(16 * mebibyte, 'the longest request body'),
  maxHeaderBytes: size(16_384, 'the longest request head'),
  maxConnections: count(10_000, 'open connections; further ones are dropped'),
  maxRunning: count(256, 'attempts that execute at once; further runs wait in their queues'),
  maxAttempts: count(5, 'attempts that an agent may fail before its run does'),
  backoffBaseMs: duration(250, 'the delay before the first retry, doubled for each further one'),
  backoffCapMs: duration(30_000, 'the longest delay before a retry'),
  maxInterruptions: count(20, 'how often a run may lose its process before it fails'),
  graceMs: duration(5_000, 'how long an agent that was told to stop may take'),
  parkAfterMs: duration(300_000, 'how long a run that waits for a person keeps its process state'),
  ticketTtlMs: duration(7 * dayMs, 'how long a question to a person stays open'),
  wakeFallbackMs: interval(2_000, 'how late a lost wake-up may make anything'),
  mergeWindowMs: duration(16, 'how long after an append further deltas of one item are gathered; 0 gathers none'),
  maxUnflushedBytes: size(mebibyte, 'what a run may have yielded and not yet stored before its agent has to wait'),
  maxRunEvents: count(1_000_000, 'events of one run'),
  maxRunBytes: size(64 * mebibyte, 'content of one run'),
  keepAliveMs: interval(15_000, 'the longest silence on a stream'),
  slowViewerMs: duration(30_000, 'how long a viewer may leave its connection full before it counts as slow'),
  queuePerThread: count(100, 'runs and input that wait on one thread'),
  queueInAll: count(10_000, 'runs and input that wait on all threads'),
  minFreeDiskBytes: z
    .int()
    .min(0)
    .default(64 * mebibyte)
    .describe('free space on the disk below which nothing new is accepted, in bytes'),
  headersTimeoutMs: duration(15_000, 'how long a request head may take to arrive; 0 for ever'),
  requestTimeoutMs: duration(
    60_000,
    'how long a whole request may take to arrive; 0 for ever. Answers may stream longer',
  ),
  idleConnectionMs: duration(75_000, 'how long a connection is kept for its next request'),
  shutdownGraceMs: duration(10_000, 'how long runs and open streams may take to end when the gateway stops'),
  retention: section({
    maxAgeMs: duration(
      30 * dayMs,
      'how long the events of an ended run are kept; messages stay as long as their thread',
    ),
  }).prefault({}),
}).refine(
  // Node refuses a server that would wait longer for the head of a request than for all of it.
  ({ headersTimeoutMs, requestTimeoutMs }) => requestTimeoutMs === 0 || headersTimeoutMs <= requestTimeoutMs,
  { path: ['headersTimeoutMs'], error: 'must not be above requestTimeoutMs' },
);

/** Someone who may call, and as whom. */
const Token = section({
  token: z
    .string()
    .regex(/^[A-Za-z0-9\-._~+/]+=*$/, 'must be letters, digits and -._~+/ alone, as a bearer token is')
    .describe('what the caller sends as `Authorization: Bearer …`'),
  scope: Scope.default('local').describe('who is isolated from whom: callers of another scope see nothing of this one'),
  actor: Actor.describe('who acts, inside the scope'),
});

/** An agent that comes with Anyport. */
export const AgentEntry = z.discriminatedUnion('type', [
  section({ id: AgentId, type: z.literal('demo').describe('the built-in demo agent: needs no key and no network') }),
]);
export type AgentEntry = z.infer<typeof AgentEntry>;

const httpUrl = z.url({ protocol: /^https?$/, error: 'must be a URL that starts with http:// or https://' });

const origin = httpUrl.refine((url) => URL.canParse(url) && new URL(url).origin === url, {
  error: 'must be an origin without a path, like https://app.example.com',
});

const hostName = z.string().regex(/^[^\s/:@]+$|^\[[0-9a-fA-F:.]+\]$/, 'must be a host name without scheme and port');

const address = z
  .string()
  .regex(/^([^\s/:@]+|\[[0-9a-fA-F:.]+\]):\d{1,5}$/, 'must be a host name and a port, like agents.example.com:443');

/** A2A over gRPC, which cannot share a port with HTTP. */
const Grpc = section({
  port: z.int().min(0).max(65_535).describe('the port to listen on; 0 takes a free one'),
  host: z.string().min(1).optional().describe('the address to listen on; that of the gateway if left out'),
  publicAddress: address
    .optional()
    .describe('host and port by which callers reach it, where those are not the public host and this port'),
  tls: section({
    certFile: z.string().min(1).describe('the certificate chain, in PEM; relative to the configuration file'),
    keyFile: z.string().min(1).describe('its private key, in PEM; relative to the configuration file'),
  })
    .optional()
    .describe('the certificate to serve with'),
  insecure: z
    .boolean()
    .default(false)
    .describe('serve others than this machine without TLS, behind a proxy that has it'),
});

/** What `anyport.yaml` says. */
export const Config = section({
  host: z.string().min(1).default('127.0.0.1').describe('the address to listen on'),
  port: z.int().min(0).max(65_535).default(8080).describe('the port to listen on; 0 takes a free one'),
  dataDir: z
    .string()
    .min(1)
    .default('./.anyport')
    .describe('where the file store keeps everything; created if missing'),
  store: z.enum(['file', 'memory']).default('file').describe('`memory` forgets everything at the end'),
  publicUrl: httpUrl.optional().describe('how callers reach this gateway, where that is not host and port'),
  allowUnauthenticated: z
    .boolean()
    .default(false)
    .describe('listen on an address that others can reach although there are no tokens'),
  tokens: z.array(Token).default([]).describe('who may call; none: everyone who can connect'),
  allowedOrigins: z.array(origin).default([]).describe('web pages that may call, beside those on this machine'),
  allowedHosts: z.array(hostName).default([]).describe('names that this gateway is called by, beside localhost'),
  agents: z
    .array(AgentEntry)
    .min(1)
    .default([{ id: 'demo', type: 'demo' }])
    .describe('what answers; the first one where a caller names none'),
  agUi: section({
    whenBusy: WhenBusy.default('queue').describe('what a request does when its thread is busy'),
    onDisconnect: z
      .enum(['detach', 'cancel'])
      .default('detach')
      .describe('what it means when a client leaves before the end: nothing, or that its request is cancelled'),
    disconnectGraceMs: duration(10_000, 'how long a client may be away before its request is cancelled'),
    slowViewers: z
      .enum(['snapshot', 'end'])
      .default('snapshot')
      .describe('a viewer that reads too slowly is shown the thread as it is then, or cut off'),
  }).prefault({}),
  a2a: section({
    callerIs: z
      .enum(['agent', 'person'])
      .default('agent')
      .describe('who answers questions here: an agent may not answer those that only a person may'),
    persons: z.array(Actor).default([]).describe('actors behind whom there is a person, whatever `callerIs` says'),
    whenBusy: WhenBusy.default('queue').describe('what a message for a new task does when its context is busy'),
    whenWaiting: z
      .enum(['fork', 'queue'])
      .default('fork')
      .describe('what it does when its context waits for a person: goes on beside it, or stands behind it'),
    show: z
      .array(z.enum(['reasoning', 'tools', 'plans', 'steps']))
      .default(['tools', 'plans', 'steps'])
      .describe('what of the work is told as status messages, beside artifacts'),
    push: PushFilter.default('status').describe(
      'what webhooks are told: how the task stands, or each frame of its stream',
    ),
    maxWaitMs: duration(60_000, 'how long SendMessage waits for its task; then the task is answered as it is'),
    cancelWaitMs: duration(6_000, 'how long CancelTask waits for the task to end'),
    cardMaxAgeS: z.int().min(0).default(3600).describe('how long agent cards may be kept, in seconds'),
    grpc: Grpc.optional().describe(
      'serves gRPC too, on a port of its own; needs the packages @grpc/grpc-js and @bufbuild/protobuf',
    ),
  }).prefault({}),
  acp: section({
    whenBusy: WhenBusy.default('queue').describe('what a prompt does when its session is busy'),
    maxConnections: count(1000, 'clients that are connected at once; further ones are refused'),
    maxConnectionsPerActor: count(100, 'those of one actor'),
    idleMs: interval(600_000, 'how long an HTTP connection without a request or a stream is kept'),
    pingMs: interval(
      30_000,
      'how often a WebSocket’s client is asked whether it is there, and how long it may take to say so',
    ),
    initializeMs: interval(30_000, 'how long a client that has connected may take to say who it is'),
    maxBufferedBytes: size(
      4 * mebibyte,
      'what is held for a client that does not read, before its agents have to wait',
    ),
    connectTicketMs: duration(30_000, 'how long a ticket for a WebSocket may be used, once'),
    maxConnectTicketsPerActor: count(100, 'tickets for WebSockets that one actor may hold'),
    closeMs: duration(1_000, 'how long connections may go on to say their last when the gateway stops'),
  }).prefault({}),
  webhooks: section({
    allow: z
      .array(z.string().min(1))
      .default([])
      .describe('hosts, addresses and CIDR blocks that are sent to although they are not public'),
    timeoutMs: duration(15_000, 'how long a receiver has to answer'),
    maxSending: z.int().min(1).default(64).describe('how many requests may be under way'),
  }).prefault({}),
  signing: section({
    notifications: z.boolean().default(false).describe('what webhooks are sent bears a signed token'),
    cards: z.boolean().default(false).describe('agent cards of A2A bear signatures'),
    keys: z
      .array(z.string().min(1))
      .default([])
      .describe(
        'private keys on P-256, in PEM (PKCS #8): the first one signs, the public halves of all are published; none: one that is made and kept in the data directory',
      ),
    rotateAfterMs: duration(
      90 * dayMs,
      'the age from which on a key of the data directory is replaced at a start; 0 for never. The last three stay published',
    ),
  }).prefault({}),
  limits: Limits.prefault({}),
  log: section({
    level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
    pretty: z.boolean().optional().describe('lines for people instead of JSON; by default when stderr is a terminal'),
  }).prefault({}),
});
export type Config = z.infer<typeof Config>;
/** A configuration as it is written: what is left out takes its default. */
export type ConfigInput = z.input<typeof Config>;
