// Version 1 of the protocol, its stable part. https://agentclientprotocol.com/protocol/v1/schema
import type * as acp from '@agentclientprotocol/sdk';
import type { AgentCard } from '../../schemas/agent-card.ts';
import type { ThreadId } from '../../schemas/id.ts';
import type { Thread, ThreadSettings } from '../../schemas/thread.ts';
import { manifest } from '../../src/manifest.ts';
import { attachmentOf } from './client-side.ts';
import { decodeCancel, decodeClient, decodeRequest } from './decode.ts';
import { UpdateEncoder } from './encode.ts';
import { encodeOutcome } from './faults.ts';
import { encodeHistory } from './history.ts';
import { encodeOwnCall, encodeQuestion } from './questions.ts';
import type { ListedSession } from './session-list.ts';
import { encodeModes, encodeOptions, encodePromptCapabilities } from './settings.ts';
import { type AskedQuestion, type Audience, type Place, tokenMethod, type Update, type Version } from './version.ts';

export const v1: Version = {
  number: 1,
  decodeClient,
  encodeAgent,
  decodeRequest,
  decodeCancel,
  encodeSession: ({ id, settings, goesOn }, to) => ({
    ...(id !== undefined && { sessionId: id }),
    ...encodeChoices(settings, to),
    ...(goesOn !== undefined && {
      _meta: { 'anyport/cursor': goesOn.cursor, 'anyport/tickets': goesOn.ticketIds },
    }),
  }),
  encodeSessions,
  encodeSettings: (settings, { card, client }) => ({
    configOptions: encodeOptions(card, settings, client.hasBooleanOptions) ?? [],
  }),
  encodeEnd: encodeOutcome,
  encodeSteered,
  newEncoder: ({ card, client }, isOwn) =>
    new UpdateEncoder({
      isOwn,
      notices: client.showsNotices,
      compaction: client.showsCompaction,
      ownCallOf: (ticket) =>
        encodeOwnCall(ticket, { sessionId: ticket.threadId, form: client.asksForms, url: client.opensUrls }),
      settings: (settings) => encodeSettingsUpdates(settings, { card, client }),
    }),
  encodeHistory,
  encodeOpened,
  encodeWords: (messageId, text) => ({
    sessionUpdate: 'agent_message_chunk',
    messageId,
    content: { type: 'text', text },
  }),
  encodeQuestion: (ticket, { client, ...to }) => {
    const { asksForms: form, opensUrls: url, takesCursors } = client;
    const asked = encodeQuestion(ticket, { ...to, form, url });
    if (asked === undefined) return undefined;
    const { completes: elicitationId, ...question } = asked;
    const closing =
      elicitationId === undefined ? undefined : { method: 'elicitation/complete', params: { elicitationId } };
    return { ...(takesCursors ? named(question, ticket.id) : question), closing };
  },
  encodeUpdate,
  attachmentOf,
};

/** A client that comes back knows by it which of its questions this is. */
function named(asked: AskedQuestion, ticketId: string): AskedQuestion {
  return { ...asked, params: { ...asked.params, _meta: { 'anyport/ticket': ticketId } } };
}

function encodeAgent(card: AgentCard, needsToken: boolean): acp.InitializeResponse {
  const { mcp = [] } = card.capabilities;
  return {
    protocolVersion: 1,
    agentCapabilities: {
      loadSession: true,
      promptCapabilities: encodePromptCapabilities(card),
      mcpCapabilities: { http: mcp.includes('http'), sse: mcp.includes('sse') },
      sessionCapabilities: { list: {}, resume: {}, close: {}, delete: {}, additionalDirectories: {} },
    },
    authMethods: needsToken
      ? [{ id: tokenMethod, name: 'Token', description: 'A token of the gateway’s configuration' }]
      : [],
    agentInfo: { name: manifest.name, title: card.name, version: manifest.version },
    ...(card.takesInput && { _meta: { steering: { supported: true } } }),
  };
}

function encodeChoices(settings: ThreadSettings, { card, client }: Audience): Partial<acp.LoadSessionResponse> {
  const modes = encodeModes(card, settings);
  const configOptions = encodeOptions(card, settings, client.hasBooleanOptions);
  return { ...(modes && { modes }), ...(configOptions && { configOptions }) };
}

/** Modes and options are told together, so that neither is ahead of the other. */
function encodeSettingsUpdates(settings: ThreadSettings, { card, client }: Audience): acp.SessionUpdate[] {
  const modes = encodeModes(card, settings);
  const configOptions = encodeOptions(card, settings, client.hasBooleanOptions);
  return [
    ...(modes ? [{ sessionUpdate: 'current_mode_update' as const, currentModeId: modes.currentModeId }] : []),
    ...(configOptions ? [{ sessionUpdate: 'config_option_update' as const, configOptions }] : []),
  ];
}

function encodeSessions(sessions: readonly ListedSession[], nextCursor: string | undefined): acp.ListSessionsResponse {
  return {
    sessions: sessions.map(({ thread: { id, title }, home, updatedAtMs }) => ({
      sessionId: id,
      cwd: home.cwd,
      ...(home.additionalDirectories.length > 0 && { additionalDirectories: home.additionalDirectories }),
      ...(title !== undefined && { title }),
      updatedAt: new Date(updatedAtMs).toISOString(),
    })),
    ...(nextCursor !== undefined && { nextCursor }),
  };
}

/** An extension that agents in the field have in common: `_session/steering`. */
function encodeSteered(became: 'injected' | 'started' | 'not-running'): object {
  switch (became) {
    case 'injected':
      return { outcome: 'injected' };
    case 'started':
      return { outcome: 'startedNewTurn' };
    case 'not-running':
      return { outcome: 'promptRequired', reason: 'noRunningTurn' };
  }
}

function encodeOpened({ title }: Thread, { commands = [] }: AgentCard): Update[] {
  const availableCommands = commands.map(({ name, description, hint }) => ({
    name,
    description,
    ...(hint !== undefined && { input: { hint } }),
  }));
  return [
    ...(commands.length > 0 ? [{ sessionUpdate: 'available_commands_update', availableCommands }] : []),
    ...(title === undefined ? [] : [{ sessionUpdate: 'session_info_update', title }]),
  ];
}

function encodeUpdate(
  sessionId: ThreadId,
  update: Update,
  place: Place | undefined,
): { method: string; params: object } {
  const params = { sessionId, update };
  const method = 'session/update';
  if (place === undefined) return { method, params };
  const name = place.in === 'log' ? 'anyport/cursor' : 'anyport/replayed';
  return { method, params: { ...params, _meta: { [name]: place.cursor } } };
}
