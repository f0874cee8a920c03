// Open questions as A2A tells them: their texts, and one data part each.
import type { Part as WirePart } from '@a2a-js/sdk';
import type { JsonObject } from '../../schemas/json.ts';
import type { Ticket } from '../../schemas/ticket.ts';
import { dataPart, textPart } from './parts.ts';

/** What a caller may know of a question. */
export type Asked = Pick<
  Ticket,
  'id' | 'kind' | 'text' | 'options' | 'schema' | 'editable' | 'mayDecide' | 'toolCallId' | 'subject' | 'expiresAtMs'
>;

export function encodeQuestions(tickets: readonly Asked[]): WirePart[] {
  const text = tickets.map((ticket) => ticket.text).join('\n');
  return [textPart(text), ...tickets.map((ticket) => dataPart(encodeQuestion(ticket)))];
}

function encodeQuestion(ticket: Asked): JsonObject {
  const { id, kind, text, options, schema, editable, mayDecide, toolCallId, subject, expiresAtMs } = ticket;
  return {
    ticketId: id,
    kind,
    text,
    ...(options.length > 0 ? { options } : {}),
    ...(schema === undefined ? {} : { schema }),
    editable,
    mayDecide,
    ...(toolCallId === undefined ? {} : { toolCallId }),
    ...(subject === undefined ? {} : { subject }),
    expiresAt: new Date(expiresAtMs).toISOString(),
  };
}

/** Sign-in alone happens elsewhere; whatever a message can answer is waited for. */
export function isSignInAlone(tickets: readonly Asked[]): boolean {
  return tickets.length > 0 && tickets.every((ticket) => ticket.kind === 'sign-in');
}
