// Questions as requests to a client. A permission is a question with options, a form or a page elsewhere is an elicitation.
// https://agentclientprotocol.com/protocol/v1/tool-calls#requesting-permission
// https://agentclientprotocol.com/protocol/v1/elicitation
import type * as acp from '@agentclientprotocol/sdk';
import * as z from 'zod';
import { Json, JsonObject } from '../../schemas/json.ts';
import type { Answer, Ticket, TicketOption } from '../../schemas/ticket.ts';
import { Fault } from '../../src/fault.ts';
import { encodeForm } from './forms.ts';

/** What a client may know of a question. */
type Asked = Pick<Ticket, 'id' | 'kind' | 'text' | 'options' | 'schema' | 'toolCallId' | 'subject' | 'secret'>;

/** Whom a question is for, and what that client can do: `elicitation.form` and `elicitation.url`. */
export interface Addressee {
  readonly sessionId: string;
  readonly form: boolean;
  readonly url: boolean;
  /** Why the answer before was none. */
  readonly problem?: string | undefined;
  /** What the client knows a tool call as; by default its id. */
  readonly nameOf?: ((toolCallId: string) => string) | undefined;
}

export interface AskedQuestion {
  readonly method: 'session/request_permission' | 'elicitation/create';
  readonly params: acp.RequestPermissionRequest | acp.CreateElicitationRequest;
  /**
   * Undefined: this is no answer, the question stays open. Only what was offered as an approval is one.
   * @throws Fault `invalid-answer`: it is no result of this request
   */
  decode(result: unknown): Answer | undefined;
  /** The elicitation that its client is told the end of, when it was closed. */
  readonly completes?: string | undefined;
}

/** Undefined: this client cannot be asked that. */
export function encodeQuestion(ticket: Asked, to: Addressee): AskedQuestion | undefined {
  switch (ticket.kind) {
    case 'approval':
      return encodeApproval(ticket, to);
    case 'choice':
      return (to.form ? encodeChoice(ticket, to) : undefined) ?? encodeOptions(ticket, to);
    case 'form':
      // What is secret must not go through a form: the client may keep what is filled in.
      return (to.form && !ticket.secret ? encodeFields(ticket, to) : undefined) ?? encodeOptions(ticket, to);
    case 'sign-in':
    case 'url':
      return (to.url ? encodePage(ticket, to) : undefined) ?? encodeOptions(ticket, to);
  }
}

/** The tool call that a question is shown as which is about no call; undefined: it is shown otherwise. */
export function encodeOwnCall(ticket: Asked, to: Addressee): acp.ToolCall | undefined {
  if (ticket.toolCallId !== undefined) return undefined;
  return encodeQuestion(ticket, to)?.method === 'session/request_permission' ? ownCall(ticket, to) : undefined;
}

function ownCall(ticket: Asked, to: Addressee): acp.ToolCall {
  return { toolCallId: ticket.id, title: messageOf(ticket, to), kind: 'other', status: 'pending' };
}

/** An option as it is shown, and what choosing it says. */
interface Offer {
  readonly option: acp.PermissionOption;
  readonly answer: Answer;
}

const kinds = {
  'allow-once': 'allow_once',
  'allow-always': 'allow_always',
  'reject-once': 'reject_once',
  'reject-always': 'reject_always',
  other: 'allow_once',
} as const satisfies Record<TicketOption['kind'], acp.PermissionOptionKind>;

const allow: Offer = {
  option: { optionId: 'anyport:allow', name: 'Allow', kind: 'allow_once' },
  answer: { type: 'approve' },
};
const reject: Offer = {
  option: { optionId: 'anyport:reject', name: 'Reject', kind: 'reject_once' },
  answer: { type: 'deny' },
};
const dismiss: Offer = {
  option: { optionId: 'anyport:dismiss', name: 'Dismiss', kind: 'reject_once' },
  answer: { type: 'dismiss' },
};

/** Clients show the options and no more: without one to allow and one to reject, somebody could not answer. */
function encodeApproval(ticket: Asked, to: Addressee): AskedQuestion {
  const { options } = ticket;
  const allows = options.some(({ kind }) => kind.startsWith('allow')) ? [] : [allow];
  const rejects = options.some(({ kind }) => kind.startsWith('reject')) ? [] : [reject];
  return encodePermission(ticket, to, [...allows, ...options.map(offerOf), ...rejects]);
}

function encodeOptions(ticket: Asked, to: Addressee): AskedQuestion | undefined {
  if (ticket.options.length === 0) return undefined;
  const offers = ticket.options.map(offerOf);
  const rejects = offers.filter(({ option }) => option.kind.startsWith('reject'));
  if (rejects.length === 0) return encodePermission(ticket, to, [...offers, dismiss]);
  if (rejects.length < offers.length) return encodePermission(ticket, to, offers);
  // All of them reject; which one is still a choice.
  const choices = offers.map(({ option, answer }): Offer => ({ option: { ...option, kind: 'allow_once' }, answer }));
  return encodePermission(ticket, to, [...choices, dismiss]);
}

function offerOf({ id: optionId, name, kind }: TicketOption): Offer {
  return { option: { optionId, name, kind: kinds[kind] }, answer: { type: 'option', optionId } };
}

function encodePermission(ticket: Asked, to: Addressee, offers: readonly Offer[]): AskedQuestion {
  const { toolCallId } = ticket;
  // Of its own call all is said again: a client that has only come back was not told of it.
  const toolCall: acp.ToolCallUpdate =
    toolCallId === undefined
      ? ownCall(ticket, to)
      : { toolCallId: to.nameOf?.(toolCallId) ?? toolCallId, title: messageOf(ticket, to) };
  const answers = new Map(offers.map(({ option, answer }) => [option.optionId, answer]));
  return {
    method: 'session/request_permission',
    params: { sessionId: to.sessionId, toolCall, options: offers.map(({ option }) => option) },
    decode: (result) => decodePermission(result, answers),
  };
}

const PermissionResult = z.looseObject({
  outcome: z.discriminatedUnion('outcome', [
    z.looseObject({ outcome: z.literal('cancelled') }),
    z.looseObject({ outcome: z.literal('selected'), optionId: z.string() }),
  ]),
});

function decodePermission(result: unknown, answers: ReadonlyMap<string, Answer>): Answer {
  const { outcome } = parse(PermissionResult, result);
  if (outcome.outcome === 'cancelled') return { type: 'dismiss' };
  const answer = answers.get(outcome.optionId);
  if (answer !== undefined) return answer;
  const path = 'outcome.optionId';
  throw new Fault('invalid-answer', `${path}: the options are ${[...answers.keys()].join(', ')}`, { path });
}

function encodeChoice(ticket: Asked, to: Addressee): AskedQuestion | undefined {
  const { options, text: title } = ticket;
  if (options.length === 0) return undefined;
  const oneOf = options.map(({ id, name }) => ({ const: id, title: name }));
  const requestedSchema: acp.ElicitationSchema = {
    type: 'object',
    properties: { choice: { type: 'string', title, oneOf } },
    required: ['choice'],
  };
  const accept = ({ choice }: JsonObject): Answer => {
    const chosen = options.find(({ id }) => id === choice);
    if (chosen !== undefined) return { type: 'option', optionId: chosen.id };
    const path = 'content.choice';
    throw new Fault('invalid-answer', `${path}: the options are ${options.map(({ id }) => id).join(', ')}`, { path });
  };
  return encodeElicitation(ticket, to, { asks: { mode: 'form', requestedSchema }, accept });
}

function encodeFields(ticket: Asked, to: Addressee): AskedQuestion | undefined {
  const form = encodeForm(ticket.schema);
  if (form === undefined) return undefined;
  const { requestedSchema } = form;
  const accept = (content: JsonObject): Answer => ({ type: 'value', value: form.decode(content) });
  return encodeElicitation(ticket, to, { asks: { mode: 'form', requestedSchema }, accept });
}

/** Who accepts goes there; what comes of it is told to whoever asked, not to the client. */
function encodePage(ticket: Asked, to: Addressee): AskedQuestion | undefined {
  const { id: elicitationId, subject: url } = ticket;
  if (url === undefined || !isPage(url)) return undefined;
  const asked = encodeElicitation(ticket, to, { asks: { mode: 'url', elicitationId, url }, accept: () => undefined });
  return { ...asked, completes: elicitationId };
}

function isPage(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}

interface Elicitation {
  readonly asks:
    | { readonly mode: 'form'; readonly requestedSchema: acp.ElicitationSchema }
    | { readonly mode: 'url'; readonly elicitationId: string; readonly url: string };
  /** What it means that somebody accepts, with what was filled in. */
  readonly accept: (content: JsonObject) => Answer | undefined;
}

const ElicitationResult = z.looseObject({ action: z.string(), content: z.record(z.string(), Json).nullish() });

function encodeElicitation(ticket: Asked, to: Addressee, { asks, accept }: Elicitation): AskedQuestion {
  const { sessionId } = to;
  const call = ticket.toolCallId;
  const about = call === undefined ? {} : { toolCallId: to.nameOf?.(call) ?? call };
  return {
    method: 'elicitation/create',
    params: { sessionId, ...about, message: messageOf(ticket, to), ...asks },
    decode(result) {
      const { action, content } = parse(ElicitationResult, result);
      switch (action) {
        case 'accept':
          return accept(content ?? {});
        case 'decline':
        case 'cancel':
          return { type: 'dismiss' };
        // An action that is not known is not to be taken for one that is.
        default:
          return undefined;
      }
    },
  };
}

function messageOf({ text }: Asked, { problem }: Addressee): string {
  return problem === undefined ? text : `${text}\n(${problem})`;
}

function parse<Type extends z.ZodType>(type: Type, result: unknown): z.infer<Type> {
  const parsed = type.safeParse(result);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = ['result', ...(issue?.path ?? [])].join('.');
  throw new Fault('invalid-answer', `${path}: ${issue?.message ?? 'is no answer'}`, { path });
}

/** The question for people whose client cannot ask it, and what words it takes: those that `answerInWords` reads. */
export function questionInWords(ticket: Asked): string {
  const { text, options, schema, subject } = ticket;
  const fields = fieldsOf(schema);
  const lines = [...options.map(({ name }) => name), ...fields].map((line) => `- ${line}`);
  return [text, subject, lines.join('\n'), howToAnswer(ticket, fields.length)]
    .filter((paragraph) => paragraph !== undefined && paragraph !== '')
    .join('\n\n');
}

const Fields = z.looseObject({
  properties: z.record(z.string(), z.looseObject({ title: z.string().optional(), type: z.string().optional() })),
  required: z.array(z.string()).default([]),
});

function fieldsOf(schema: JsonObject | undefined): string[] {
  const { success, data } = Fields.safeParse(schema);
  if (!success) return [];
  return Object.entries(data.properties).map(([name, { title = name, type }]) => {
    const about = [type, data.required.includes(name) ? 'required' : undefined].filter((word) => word !== undefined);
    const called = title === name ? name : `${name}: ${title}`;
    return about.length === 0 ? called : `${called} (${about.join(', ')})`;
  });
}

function howToAnswer({ kind, secret }: Asked, fields: number): string {
  if (secret) return 'This client cannot ask for it. Answer it in another client; do not write it here.';
  switch (kind) {
    case 'approval':
      return 'This client cannot ask for it. Answer it in another client: words do not approve.';
    case 'choice':
      return 'Answer with the name of one of them in your next message, or in another client.';
    case 'form': {
      const what = fields > 1 ? 'a JSON object of these fields' : 'the value';
      return `Answer with ${what} in your next message, or in another client.`;
    }
    case 'sign-in':
    case 'url':
      return 'This happens elsewhere: follow it there, or dismiss it in another client.';
  }
}
