// The JSON of 0.3's own definition, which HTTP+JSON of 0.3 speaks: the SDK translates between versions in the types of
// JSON-RPC, and this is between those and the wire.
// https://github.com/a2aproject/A2A/blob/v0.3.0/specification/grpc/a2a.proto
import type { LegacyRestTransportHandler } from '@a2a-js/sdk/compat/v0_3/server';
import * as z from 'zod';
import { JsonObject } from '../../schemas/json.ts';
import { isTooDeep, maxJsonDepth } from '../../src/json-body.ts';
import { type Violation, Violations } from './faults.ts';

type Operations = LegacyRestTransportHandler;
export type LegacySend = Parameters<Operations['sendMessage']>[0];
type LegacyResult = Awaited<ReturnType<Operations['sendMessage']>>;
export type LegacyTask = Extract<LegacyResult, { kind: 'task' }>;
type LegacyMessage = Extract<LegacyResult, { kind: 'message' }>;
export type LegacyEvent =
  Awaited<ReturnType<Operations['sendMessageStream']>> extends AsyncGenerator<infer Event> ? Event : never;
export type LegacyConfig = Parameters<Operations['setTaskPushNotificationConfig']>[0];
type LegacyPart = LegacyMessage['parts'][number];
type LegacyStatus = LegacyTask['status'];
type LegacyArtifact = NonNullable<LegacyTask['artifacts']>[number];
type Wire = Record<string, unknown>;

/** A message of the definition: its fields go by either of their names, and null is none. */
function fields<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.preprocess(camelKeys, z.object(shape));
}

function camelKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const set = Object.entries(value).filter(([, one]) => one !== null);
  return Object.fromEntries(set.map(([name, one]) => [camel(name), one]));
}

function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

const text = z.string().exactOptional();
const metadata = JsonObject.exactOptional();

const File = fields({ fileWithUri: text, fileWithBytes: text, mimeType: text, name: text });

const Part = fields({
  text,
  file: File.exactOptional(),
  data: fields({ data: JsonObject.default({}) }).exactOptional(),
  metadata,
}).transform(({ metadata: said, ...content }, context): LegacyPart => {
  const about = said === undefined ? {} : { metadata: said };
  const decoded = Object.keys(content).length === 1 ? decodeContent(content) : undefined;
  if (decoded !== undefined) return { ...decoded, ...about };
  context.addIssue('must hold one of text, file and data');
  return z.NEVER;
});

interface Content {
  readonly text?: string;
  readonly file?: z.infer<typeof File>;
  readonly data?: { readonly data: JsonObject };
}

function decodeContent({ text: said, file, data }: Content): LegacyPart | undefined {
  if (said !== undefined) return { kind: 'text', text: said };
  if (data !== undefined) return { kind: 'data', data: data.data };
  const { fileWithUri: uri, fileWithBytes: bytes, ...named } = file ?? {};
  if (uri !== undefined) return { kind: 'file', file: { uri, ...named } };
  return bytes === undefined ? undefined : { kind: 'file', file: { bytes, ...named } };
}

const roles = { ROLE_USER: 'user', ROLE_AGENT: 'agent', 1: 'user', 2: 'agent' } as const;

const Message = fields({
  messageId: z.string('is missing').min(1, 'is missing'),
  contextId: text,
  taskId: text,
  role: z.literal(['ROLE_USER', 'ROLE_AGENT', 1, 2], 'must be ROLE_USER').transform((role) => roles[role]),
  content: z.array(Part, 'is missing').min(1, 'must hold at least one part'),
  metadata,
  extensions: z.array(z.string()).exactOptional(),
}).transform(({ content: parts, ...rest }) => ({ kind: 'message' as const, parts, ...rest }));

const PushConfig = fields({
  id: text,
  url: z.string('is missing'),
  token: text,
  authentication: fields({ schemes: z.array(z.string()).default([]), credentials: text }).exactOptional(),
});

const Configuration = fields({
  acceptedOutputModes: z.array(z.string()).exactOptional(),
  pushNotification: PushConfig.exactOptional(),
  historyLength: z.number().exactOptional(),
  blocking: z.boolean().exactOptional(),
}).transform(({ pushNotification, ...rest }) =>
  pushNotification === undefined ? rest : { ...rest, pushNotificationConfig: pushNotification },
);

const SendRequest = fields({
  message: Message.exactOptional(),
  // Its name in the definition, beside the one that it has in JSON.
  request: Message.exactOptional(),
  configuration: Configuration.exactOptional(),
  metadata,
});

const mostLevels = 2 * maxJsonDepth;

const ConfigRequest = fields({ name: text, pushNotificationConfig: PushConfig });

/** @throws Violations */
export function decodeSend(body: object): LegacySend {
  const { message, request = message, ...rest } = decode(SendRequest, body);
  if (request === undefined) throw new Violations([{ field: 'message', description: 'is missing' }]);
  return { ...rest, message: request };
}

/** @throws Violations */
export function decodeConfig(body: object, taskId: string): LegacyConfig {
  // One of the official SDKs sends the whole request, where the definition has its configuration alone as the body.
  const { name = '', pushNotificationConfig } = decode(ConfigRequest, 'config' in body ? body.config : body);
  if (name !== '' && !name.startsWith(`tasks/${taskId}/`)) {
    throw new Violations([{ field: 'name', description: 'is not of the task of the path' }]);
  }
  return { taskId, pushNotificationConfig };
}

function decode<Value>(schema: z.ZodType<Value>, body: unknown): Value {
  // What is in it is looked at later; here it must only be possible to walk through it.
  if (isTooDeep(body, mostLevels)) {
    throw new Violations([{ field: 'body', description: `is nested more than ${mostLevels} levels deep` }]);
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new Violations(parsed.error.issues.map(violationOf));
}

function violationOf({ path, message: description }: z.core.$ZodIssue): Violation {
  const field = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return { field: field.replace(/^\./, '') || 'body', description };
}

export function encodeResult(result: LegacyResult): Wire {
  return result.kind === 'task' ? { task: encodeTask(result) } : { message: encodeMessage(result) };
}

/** With whether its stream ends here, as it does at a question; the SDK says so of the ends of tasks alone. */
function withFinal(event: LegacyEvent): LegacyEvent {
  const asks = event.kind === 'status-update' && event.status.state === 'input-required';
  return asks ? { ...event, final: true } : event;
}

/** The responses of JSON-RPC that a stream is made of. */
export async function* withFinals(responses: AsyncGenerator): AsyncGenerator {
  for await (const response of responses as AsyncGenerator<object>) {
    yield 'result' in response ? { ...response, result: withFinal(response.result as LegacyEvent) } : response;
  }
}

export function encodeEvent(event: LegacyEvent): Wire {
  switch (event.kind) {
    case 'task':
    case 'message':
      return encodeResult(event);
    case 'status-update': {
      const { kind: _, status, ...rest } = withFinal(event) as typeof event;
      return { statusUpdate: { ...rest, status: encodeStatus(status) } };
    }
    case 'artifact-update': {
      const { kind: _, artifact, ...rest } = event;
      return { artifactUpdate: { ...rest, artifact: encodeArtifact(artifact) } };
    }
  }
}

export function encodeTask(task: LegacyTask): Wire {
  const { kind: _, status, artifacts, history, ...rest } = task;
  return {
    ...rest,
    status: encodeStatus(status),
    ...(artifacts === undefined ? {} : { artifacts: artifacts.map(encodeArtifact) }),
    ...(history === undefined ? {} : { history: history.map(encodeMessage) }),
  };
}

export function encodeConfig({ taskId, pushNotificationConfig }: LegacyConfig): Wire {
  const name = `tasks/${taskId}/pushNotificationConfigs/${pushNotificationConfig.id ?? ''}`;
  return { name, pushNotificationConfig };
}

const states: Readonly<Record<LegacyStatus['state'], string>> = {
  submitted: 'TASK_STATE_SUBMITTED',
  working: 'TASK_STATE_WORKING',
  'input-required': 'TASK_STATE_INPUT_REQUIRED',
  completed: 'TASK_STATE_COMPLETED',
  canceled: 'TASK_STATE_CANCELLED',
  failed: 'TASK_STATE_FAILED',
  rejected: 'TASK_STATE_REJECTED',
  'auth-required': 'TASK_STATE_AUTH_REQUIRED',
  unknown: 'TASK_STATE_UNSPECIFIED',
};

function encodeStatus({ state, message, timestamp }: LegacyStatus): Wire {
  return {
    state: states[state],
    ...(message === undefined ? {} : { message: encodeMessage(message) }),
    ...(timestamp === undefined ? {} : { timestamp }),
  };
}

/** Tasks that a message refers to have no field. */
function encodeMessage(message: LegacyMessage): Wire {
  const { kind: _, role, parts, referenceTaskIds: __, ...rest } = message;
  return { ...rest, role: role === 'user' ? 'ROLE_USER' : 'ROLE_AGENT', content: parts.map(encodePart) };
}

function encodeArtifact({ parts, ...rest }: LegacyArtifact): Wire {
  return { ...rest, parts: parts.map(encodePart) };
}

function encodePart(part: LegacyPart): Wire {
  const about = part.metadata === undefined ? {} : { metadata: part.metadata };
  switch (part.kind) {
    case 'text':
      return { text: part.text, ...about };
    case 'data':
      return { data: { data: part.data }, ...about };
    case 'file': {
      const { file } = part;
      if ('uri' in file) {
        const { uri: fileWithUri, ...named } = file;
        return { file: { fileWithUri, ...named }, ...about };
      }
      const { bytes: fileWithBytes, ...named } = file;
      return { file: { fileWithBytes, ...named }, ...about };
    }
  }
}
