// What a caller sends, as what the gateway takes. https://a2a-protocol.org/v1.0.1/specification/#3-a2a-protocol-operations
import {
  type Message as WireMessage,
  type Part as WirePart,
  Role,
  type SendMessageRequest,
  type TaskPushNotificationConfig,
} from '@a2a-js/sdk';
import { ContentTypeNotSupportedError } from '@a2a-js/sdk/errors';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type { JsonObject } from '../../schemas/json.ts';
import type { MessageInput } from '../../schemas/message.ts';
import type { Part } from '../../schemas/part.ts';
import { isTooDeep, maxJsonDepth } from '../../src/json-body.ts';
import { inputModesOf, outputModesOf } from './card.ts';
import { type Violation, Violations } from './faults.ts';
import { a2aKey } from './messages.ts';
import { decodePart } from './parts.ts';

/** A message that was looked through, and what its sender wants of the answer. */
export interface Sent {
  readonly messageId: string;
  readonly taskId: string | undefined;
  readonly contextId: string | undefined;
  readonly parts: readonly Part[];
  readonly references: string[];
  /** Of the message, with what A2A says of it beside. */
  readonly messageMetadata: JsonObject | undefined;
  /** Of the request. */
  readonly metadata: JsonObject;
  readonly acceptedModes: string[];
  readonly historyLength: number | undefined;
  readonly returnImmediately: boolean;
  /** The webhook that it wants told of its task. */
  readonly push: TaskPushNotificationConfig | undefined;
}

const longestName = 512;

/** @throws Violations with every field that is wrong; the SDK's error when the agent takes or gives no such content */
export function decodeSend({ message, configuration, metadata }: SendMessageRequest, agent: AgentCard): Sent {
  const found = [...violationsOf(message, configuration?.historyLength), ...tooDeep('metadata', metadata)];
  if (message === undefined || found.length > 0) throw new Violations(found);
  const acceptedModes = configuration?.acceptedOutputModes ?? [];
  checkModes(message.parts, acceptedModes, agent);
  return {
    messageId: message.messageId,
    taskId: message.taskId || undefined,
    contextId: message.contextId || undefined,
    parts: message.parts.flatMap((part) => decodePart(part) ?? []),
    references: message.referenceTaskIds,
    messageMetadata: metadataOf(message),
    metadata: metadata ?? {},
    acceptedModes,
    historyLength: configuration?.historyLength,
    returnImmediately: configuration?.returnImmediately ?? false,
    push: configuration?.taskPushNotificationConfig,
  };
}

export function messageOf(sent: Sent, parts: readonly Part[]): MessageInput {
  const { messageId: id, messageMetadata: metadata } = sent;
  return { id, role: 'user', parts: [...parts], ...(metadata === undefined ? {} : { metadata }) };
}

function violationsOf(message: WireMessage | undefined, historyLength: number | undefined): Violation[] {
  const found: Violation[] = [...historyViolations(historyLength, 'configuration.historyLength')];
  if (message === undefined) return [{ field: 'message', description: 'is missing' }, ...found];
  const { messageId, role, parts, contextId, taskId } = message;
  if (messageId === '') found.push({ field: 'message.messageId', description: 'is missing' });
  for (const [name, value] of Object.entries({ messageId, contextId, taskId })) {
    if (value.length > longestName) found.push({ field: `message.${name}`, description: 'is too long' });
  }
  if (role !== Role.ROLE_USER) found.push({ field: 'message.role', description: 'must be ROLE_USER' });
  if (parts.length === 0) found.push({ field: 'message.parts', description: 'must hold at least one part' });
  for (const [index, { content, metadata }] of parts.entries()) {
    const field = `message.parts[${index}]`;
    if (content === undefined) found.push({ field, description: 'must hold text, raw, url or data' });
    if (content?.$case === 'data') found.push(...tooDeep(`${field}.data`, content.value));
    found.push(...tooDeep(`${field}.metadata`, metadata));
  }
  found.push(...tooDeep('message.metadata', message.metadata));
  return found;
}

function tooDeep(field: string, value: unknown): Violation[] {
  return isTooDeep(value) ? [{ field, description: `is nested more than ${maxJsonDepth} levels deep` }] : [];
}

export function historyViolations(historyLength: number | undefined, field = 'historyLength'): Violation[] {
  const isOne = historyLength === undefined || (Number.isInteger(historyLength) && historyLength >= 0);
  return isOne ? [] : [{ field, description: 'must be a whole number from 0' }];
}

const texts = ['messageId', 'message_id', 'contextId', 'context_id', 'taskId', 'task_id'];
const contents = ['text', 'raw', 'url', 'data'];

/**
 * The codec makes text of anything, and takes the first of several contents: both is found in the request as it came.
 * @throws Violations
 */
export function checkRaw(params: unknown): void {
  const message = membersOf(membersOf(params)['message']);
  const parts: unknown[] = Array.isArray(message['parts']) ? message['parts'] : [];
  const found = [
    ...notText(message, texts, 'message'),
    ...parts.flatMap((part, index): Violation[] => {
      const field = `message.parts[${index}]`;
      const members = membersOf(part);
      const held = contents.filter((key) => (key === 'data' ? Object.hasOwn(members, key) : members[key] != null));
      const ambiguous = held.length > 1 ? [{ field, description: `must hold one of ${held.join(', ')}` }] : [];
      return [...notText(members, ['text', 'raw', 'url'], field), ...ambiguous];
    }),
  ];
  if (found.length > 0) throw new Violations(found);
}

function notText(members: Readonly<Record<string, unknown>>, names: readonly string[], at: string): Violation[] {
  return names
    .filter((name) => members[name] != null && typeof members[name] !== 'string')
    .map((name) => ({ field: `${at}.${name}`, description: 'must be a string' }));
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** What the codecs cannot read. */
export function unreadable(field: string): Violations {
  return new Violations([{ field, description: 'does not have the shape that is described for it' }]);
}

function metadataOf({ metadata, extensions, referenceTaskIds }: WireMessage): JsonObject | undefined {
  const said: JsonObject = {
    ...(extensions.length > 0 ? { extensions } : {}),
    ...(referenceTaskIds.length > 0 ? { referenceTaskIds } : {}),
  };
  const kept = Object.keys(said).length > 0 ? { [a2aKey]: said } : {};
  const all = { ...metadata, ...kept };
  return Object.keys(all).length > 0 ? all : undefined;
}

function checkModes(parts: readonly WirePart[], acceptedModes: readonly string[], agent: AgentCard): void {
  const taken = inputModesOf(agent);
  for (const { content, mediaType } of parts) {
    const isMedia = content?.$case === 'raw' || content?.$case === 'url';
    if (!isMedia || mediaType === '' || taken.some((mode) => covers(mode, mediaType))) continue;
    throw new ContentTypeNotSupportedError(`the agent takes ${taken.join(', ')}, not ${mediaType}`);
  }
  const given = outputModesOf(agent);
  const canSay =
    acceptedModes.length === 0 ||
    acceptedModes.some((mode) => given.some((one) => covers(mode, one) || covers(one, mode)));
  if (!canSay) throw new ContentTypeNotSupportedError(`the agent answers in ${given.join(', ')}`);
}

/** Whether a media range includes a type. Parameters say nothing here. */
function covers(range: string, type: string): boolean {
  const [wanted, given] = [range, type].map((one) => one.split(';', 1)[0]?.trim().toLowerCase() ?? '');
  if (wanted === undefined || given === undefined) return false;
  if (wanted === 'text') return given === 'text/plain';
  return wanted === '*/*' || wanted === given || (wanted.endsWith('/*') && given.startsWith(wanted.slice(0, -1)));
}
