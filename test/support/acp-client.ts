import { setImmediate as nextTick } from 'node:timers/promises';
import { client as clientApp, type ClientConnection, type Stream } from '@agentclientprotocol/sdk';
import type * as acp from '@agentclientprotocol/sdk';
import { assertValid, type Definition } from './acp-schema.ts';
import { until } from './until.ts';

type Permission = acp.RequestPermissionRequest;
type Answering<Request, Response> = (request: Request, signal: AbortSignal) => Promise<Response> | Response;

export interface IdeOptions {
  readonly capabilities?: acp.ClientCapabilities;
  /** How its person answers a permission; left alone, it waits. */
  readonly onPermission?: Answering<Permission, acp.RequestPermissionResponse>;
  readonly onElicitation?: Answering<acp.CreateElicitationRequest, acp.CreateElicitationResponse>;
  readonly files?: Map<string, string>;
}

/** An IDE as the SDK makes one, unmodified; everything that it is sent is checked against the protocol's schema. */
export class Ide implements AsyncDisposable {
  readonly updates: acp.SessionNotification[] = [];
  readonly permissions: Permission[] = [];
  readonly elicitations: acp.CreateElicitationRequest[] = [];
  readonly completed: string[] = [];
  readonly #connection: ClientConnection;

  constructor(stream: Stream, options: IdeOptions = {}) {
    const { onPermission = never, onElicitation = never, files } = options;
    const app = clientApp({ name: 'test-ide' })
      .onNotification('session/update', ({ params }) => {
        this.updates.push(params);
      })
      .onRequest('session/request_permission', async ({ params, signal }) => {
        this.permissions.push(params);
        return onPermission(params, signal);
      })
      .onRequest('elicitation/create', async ({ params, signal }) => {
        this.elicitations.push(params);
        return onElicitation(params, signal);
      })
      .onNotification('elicitation/complete', ({ params }) => {
        this.completed.push(params.elicitationId);
      })
      .onRequest('fs/read_text_file', ({ params: { path } }) => ({ content: files?.get(path) ?? '' }))
      .onRequest('fs/write_text_file', ({ params: { path, content } }) => {
        files?.set(path, content);
        return {};
      });
    this.#connection = app.connect(checked(stream));
  }

  /** Connected, and past `initialize`. */
  static async open(stream: Stream, options: IdeOptions = {}): Promise<Ide> {
    const ide = new Ide(stream, options);
    await ide.request('initialize', {
      protocolVersion: 1,
      clientCapabilities: options.capabilities ?? {},
      clientInfo: { name: 'test-ide', version: '1' },
    });
    return ide;
  }

  get agent(): ClientConnection['agent'] {
    return this.#connection.agent;
  }

  request: ClientConnection['agent']['request'] = (...args: readonly unknown[]) =>
    (this.agent.request as (...all: readonly unknown[]) => Promise<never>)(...args);

  open(session: acp.NewSessionRequest): Promise<acp.NewSessionResponse> {
    return this.agent.request('session/new', session);
  }

  async newSession(cwd = '/home/ann'): Promise<string> {
    return (await this.open({ cwd, mcpServers: [] })).sessionId;
  }

  async prompt(sessionId: string, text: string, signal?: AbortSignal): Promise<acp.StopReason> {
    const prompt = [{ type: 'text' as const, text }];
    const options = signal === undefined ? {} : { cancellationSignal: signal };
    const { stopReason } = await this.agent.request('session/prompt', { sessionId, prompt }, options);
    // The SDK settles a request before handlers of what came with it have run.
    await nextTick();
    return stopReason;
  }

  cancel(sessionId: string): Promise<void> {
    return this.agent.notify('session/cancel', { sessionId });
  }

  of(sessionId: string): acp.SessionUpdate[] {
    return this.updates.filter((one) => one.sessionId === sessionId).map(({ update }) => update);
  }

  /** What the agent said, whole. */
  textOf(sessionId: string, kind: acp.SessionUpdate['sessionUpdate'] = 'agent_message_chunk'): string {
    return this.of(sessionId)
      .map((update) => textIn(update, kind))
      .join('');
  }

  /** The calls as they stand, by their ids. */
  callsOf(sessionId: string): Map<string, Partial<acp.ToolCall>> {
    const calls = new Map<string, Partial<acp.ToolCall>>();
    for (const update of this.of(sessionId)) {
      if (update.sessionUpdate !== 'tool_call' && update.sessionUpdate !== 'tool_call_update') continue;
      const { sessionUpdate: _, ...said } = update;
      calls.set(said.toolCallId, { ...calls.get(said.toolCallId), ...(said as Partial<acp.ToolCall>) });
    }
    return calls;
  }

  seen<Found>(what: string, find: () => Found | undefined | false): Promise<Found> {
    return until(what, async () => find() || undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.close();
    await this.#connection.closed;
  }
}

function textIn(update: acp.SessionUpdate, kind: acp.SessionUpdate['sessionUpdate']): string {
  if (update.sessionUpdate !== kind || !('content' in update)) return '';
  const { content } = update as { content: unknown };
  return typeof content === 'object' && content !== null && 'text' in content ? String(content.text) : '';
}

/** A person who answers nothing, until the question is withdrawn. */
function never(_: unknown, signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason as Error);
    });
  });
}

const results: Readonly<Record<string, Definition>> = {
  initialize: 'InitializeResponse',
  'session/new': 'NewSessionResponse',
  'session/load': 'LoadSessionResponse',
  'session/resume': 'ResumeSessionResponse',
  'session/list': 'ListSessionsResponse',
  'session/close': 'CloseSessionResponse',
  'session/delete': 'DeleteSessionResponse',
  'session/prompt': 'PromptResponse',
  'session/set_mode': 'SetSessionModeResponse',
  'session/set_config_option': 'SetSessionConfigOptionResponse',
  authenticate: 'AuthenticateResponse',
};

/** What the definition of each of a client's own messages is called. */
export const clientRequests: Readonly<Record<string, Definition>> = {
  'session/update': 'SessionNotification',
  'session/request_permission': 'RequestPermissionRequest',
  'elicitation/create': 'CreateElicitationRequest',
  'fs/read_text_file': 'ReadTextFileRequest',
  'fs/write_text_file': 'WriteTextFileRequest',
  'terminal/create': 'CreateTerminalRequest',
  'terminal/output': 'TerminalOutputRequest',
  'terminal/wait_for_exit': 'WaitForTerminalExitRequest',
  'terminal/kill': 'KillTerminalRequest',
  'terminal/release': 'ReleaseTerminalRequest',
  'elicitation/complete': 'CompleteElicitationNotification',
  '$/cancel_request': 'CancelRequestNotification',
};

interface Wire {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
}

/** The same stream; what comes through it must be as the protocol's schema says, or it breaks. */
function checked({ readable, writable }: Stream): Stream {
  const asked = new Map<unknown, string>();
  const sent = new TransformStream<acp.AnyMessage, acp.AnyMessage>({
    transform(message, controller) {
      const { id, method } = message as Wire;
      if (id !== undefined && method !== undefined) asked.set(id, method);
      controller.enqueue(message);
    },
  });
  const came = new TransformStream<acp.AnyMessage, acp.AnyMessage>({
    transform(message, controller) {
      const { id, method, params, result } = message as Wire;
      const definition = method === undefined ? results[asked.get(id) ?? ''] : clientRequests[method];
      if (method !== undefined && definition === undefined) throw new Error(`no schema for ${method}`);
      if (definition !== undefined && (method !== undefined || result !== undefined)) {
        assertValid(definition, method === undefined ? result : params);
      }
      controller.enqueue(message);
    },
  });
  void sent.readable.pipeTo(writable).catch(() => undefined);
  return { readable: readable.pipeThrough(came), writable: sent.writable };
}
