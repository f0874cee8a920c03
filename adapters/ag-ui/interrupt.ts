// Tickets as interrupts. https://docs.ag-ui.com/concepts/interrupts
import type { Interrupt } from '@ag-ui/core';
import type { JsonObject } from '../../schemas/json.ts';
import type { Ticket } from '../../schemas/ticket.ts';

/** `tagOf`: the wire's name for the subagent that asks. `problem`: what was wrong with the answer that this client gave. */
export function encodeInterrupt(
  ticket: Ticket,
  tagOf: (subagentId: string) => string,
  problem: string | undefined,
): Interrupt {
  const { id, kind, text, options, editable, toolCallId, subagentId, subject } = ticket;
  const responseSchema = schemaOf(ticket);
  const expiresAt = encodeTime(ticket.expiresAtMs);
  const asked: JsonObject = { kind };
  if (options.length > 0) asked['options'] = options.map((option) => ({ ...option }));
  if (kind === 'approval') asked['editable'] = editable;
  if (subject !== undefined) asked['subject'] = subject;
  if (problem !== undefined) asked['problem'] = problem;
  return {
    id,
    reason: reasonOf(ticket),
    message: text,
    ...(toolCallId === undefined ? {} : { toolCallId }),
    ...(responseSchema === undefined ? {} : { responseSchema }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(subagentId === undefined ? {} : { subagentRunId: tagOf(subagentId) }),
    metadata: { anyport: asked },
  };
}

function reasonOf({ kind, toolCallId }: Ticket): string {
  switch (kind) {
    case 'approval':
      return toolCallId === undefined ? 'confirmation' : 'tool_call';
    case 'choice':
    case 'form':
      return 'input_required';
    case 'sign-in':
    case 'url':
      return `anyport:${kind}`;
  }
}

/** What `answerOf` reads, said as JSON Schema. */
function schemaOf({ kind, schema, editable, options }: Ticket): JsonObject | undefined {
  switch (kind) {
    case 'approval':
      return approvalSchema(editable);
    case 'choice': {
      const optionId = { type: 'string', enum: options.map((option) => option.id) };
      return { type: 'object', properties: { optionId }, required: ['optionId'] };
    }
    case 'form':
    case 'sign-in':
    case 'url':
      return schema;
  }
}

function approvalSchema(editable: boolean): JsonObject {
  const approved = { type: 'boolean' };
  const editedArgs = { type: 'object', description: 'Replaces the arguments of the call as a whole.' };
  return {
    type: 'object',
    properties: editable ? { approved, editedArgs } : { approved },
    required: ['approved'],
  };
}

/** Beyond what a date can say, there is nothing to say. */
function encodeTime(atMs: number): string | undefined {
  const time = new Date(atMs);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}
