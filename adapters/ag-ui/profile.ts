// What a client's protocol version lets us say. https://docs.ag-ui.com/spec/1.0/basic/versioning
import { type ContentPart, EventType, PROTOCOL_VERSION } from '@ag-ui/core';
import { Fault } from '../../src/fault.ts';
import type { Field } from './field.ts';
import type { Lost, WireEvent, WireUsage } from './wire.ts';

export type ProfileName = '1.x' | '0.x' | 'copilotkit';

/** How a run ended that was stopped on purpose. */
export interface Stopped {
  readonly threadId: string;
  readonly runId: string;
  /** What a client without `cancelled` reads instead. */
  readonly code: 'CANCELLED' | 'LIMIT' | 'abort';
  readonly message: string;
  readonly reason: string;
  readonly usage: WireUsage[] | undefined;
}

/** One era of clients, as what may be written to it. Chosen once per request. */
export interface Profile {
  readonly name: ProfileName;
  /** SUBAGENT_* events; `subagentRunId` tags are understood, or ignored, by all. */
  readonly hasSubagents: boolean;
  /** Deltas may be empty. */
  readonly hasEmptyDeltas: boolean;
  /** `outcome.pendingToolCallIds`; undefined where it may not be written. */
  pendingToolCalls(ids: readonly string[], lost: Lost): string[] | undefined;
  /** The content of a tool's result. */
  toolContent(parts: readonly ContentPart[], lost: Lost): string | ContentPart[];
  userParts(parts: readonly ContentPart[], lost: Lost): ContentPart[];
  /** The terminal event of a run that was stopped on purpose, which no era may take for a success. */
  stopped(run: Stopped): WireEvent;
}

function textOf(parts: readonly ContentPart[]): string {
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

const current: Profile = {
  name: '1.x',
  hasSubagents: true,
  hasEmptyDeltas: true,
  pendingToolCalls: (ids) => (ids.length === 0 ? undefined : [...ids]),
  toolContent: (parts) => (parts.every((part) => part.type === 'text') ? textOf(parts) : [...parts]),
  userParts: (parts) => [...parts],
  stopped: ({ threadId, runId, reason, usage }) => ({
    type: EventType.RUN_FINISHED,
    threadId,
    runId,
    outcome: { type: 'cancelled' },
    usage,
    metadata: { anyport: { reason } },
  }),
};

/** Clients up to 0.0.59 end a run fatally at what these rows keep from them. */
const legacy: Profile = {
  name: '0.x',
  hasSubagents: false,
  hasEmptyDeltas: false,
  pendingToolCalls(ids, lost) {
    if (ids.length > 0) lost('which tool calls are left to the client');
    return undefined;
  },
  toolContent(parts, lost) {
    if (parts.some((part) => part.type !== 'text')) lost('media in a tool result');
    return textOf(parts);
  },
  userParts(parts, lost) {
    const kept = parts.filter((part) => part.type === 'text' || part.source.type !== 'file');
    if (kept.length < parts.length) lost('a file handle in a message');
    return kept;
  },
  stopped: ({ code, message, reason, usage }) => ({
    type: EventType.RUN_ERROR,
    message,
    code,
    usage,
    metadata: { anyport: { reason } },
  }),
};

/**
 * CopilotKit's pages hold a client of before 1.0, and show every error but this one to their users.
 * https://github.com/CopilotKit/CopilotKit/blob/main/packages/core/src/core/run-handler.ts
 */
const copilotkit: Profile = {
  ...legacy,
  name: 'copilotkit',
  stopped: (run) => legacy.stopped(run.code === 'CANCELLED' ? { ...run, code: 'abort' } : run),
};

export const profiles: Readonly<Record<ProfileName, Profile>> = { '1.x': current, '0.x': legacy, copilotkit };

const [ourMajor, ourMinor] = PROTOCOL_VERSION.split('.').map(Number) as [number, number];

/**
 * The profile for a declared version; none declared is a client from before 1.0. A newer minor and what cannot be read
 * are served as our own, with a warning. @throws Fault `unsupported` for a major that we do not know
 */
export function chooseProfile(declared: Field): Profile {
  const version = declared.optional((field) => field.string());
  if (version === undefined) return legacy;
  const [, major, minor] = /^(\d{1,9})\.(\d{1,9})$/.exec(version) ?? [];
  if (major === undefined) {
    declared.warn('is no MAJOR.MINOR; served as the current version');
    return current;
  }
  if (Number(major) === 0) return legacy;
  if (Number(major) !== ourMajor) {
    const { path } = declared;
    throw new Fault('unsupported', `AG-UI ${version} is not spoken here, ${PROTOCOL_VERSION} is`, { path });
  }
  if (Number(minor) > ourMinor) declared.warn(`is newer than ${PROTOCOL_VERSION}, which is spoken here`);
  return current;
}
