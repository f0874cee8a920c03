// What an agent may do on the side of the IDE that started its run: files and terminals, through the connection.
// https://agentclientprotocol.com/protocol/v1/file-system, …/terminals
import type * as acp from '@agentclientprotocol/sdk';
import * as z from 'zod';
import type { ThreadId } from '../../schemas/id.ts';
import type { Attachment, ClientTerminal, TerminalCommand, TerminalExit } from '../../src/attachment.ts';
import { deferred } from '../../src/deferred.ts';
import { Fault } from '../../src/fault.ts';
import { type JsonRpcPeer, RpcError } from './peer.ts';
import type { ClientSide } from './version.ts';

const FileText = z.object({ content: z.string() });
const Created = z.object({ terminalId: z.string() });
const Exit = z.object({ exitCode: z.number().nullish(), signal: z.string().nullish() });
const Output = z.object({ output: z.string(), truncated: z.boolean().catch(false), exitStatus: Exit.nullish() });

export function attachmentOf(
  peer: JsonRpcPeer,
  { id: sessionId, mcpServers }: { readonly id: ThreadId } & Pick<Attachment, 'mcpServers'>,
  client: ClientSide & { readonly clientId: string },
): Attachment {
  const side = new ClientCalls(peer, sessionId);
  return {
    id: client.clientId,
    mcpServers,
    ...(client.readsFiles && { readTextFile: (file, signal) => side.readTextFile(file, signal) }),
    ...(client.writesFiles && { writeTextFile: (file, signal) => side.writeTextFile(file, signal) }),
    ...(client.runsCommands && { runCommand: (command, signal) => side.runCommand(command, signal) }),
  };
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly late?: ((answer: unknown) => void) | undefined;
}

class ClientCalls {
  readonly #peer: JsonRpcPeer;
  readonly #sessionId: ThreadId;

  constructor(peer: JsonRpcPeer, sessionId: ThreadId) {
    this.#peer = peer;
    this.#sessionId = sessionId;
  }

  async readTextFile(file: Omit<acp.ReadTextFileRequest, 'sessionId'>, signal?: AbortSignal): Promise<string> {
    return parse(FileText, await this.#call('fs/read_text_file', file, { signal })).content;
  }

  async writeTextFile({ path, text: content }: { path: string; text: string }, signal?: AbortSignal): Promise<void> {
    await this.#call('fs/write_text_file', { path, content }, { signal });
  }

  async runCommand(what: TerminalCommand, signal?: AbortSignal): Promise<ClientTerminal> {
    const { command, args, env, cwd, maxOutputBytes } = what;
    const params = {
      command,
      ...(args && { args }),
      ...(env && { env: Object.entries(env).map(([name, value]) => ({ name, value })) }),
      ...(cwd !== undefined && { cwd }),
      ...(maxOutputBytes !== undefined && { outputByteLimit: maxOutputBytes }),
    };
    // One that is made all the same, when nobody waits for it, is let go of.
    const late = (created: unknown): void => void this.#terminal(created)[Symbol.asyncDispose]();
    return this.#terminal(await this.#call('terminal/create', params, { signal, late }));
  }

  #terminal(created: unknown): ClientTerminal {
    const { terminalId } = parse(Created, created);
    let released: Promise<void> | undefined;
    const release = (): Promise<void> => {
      released ??= this.#call('terminal/release', { terminalId }).then(() => undefined);
      return released;
    };
    return {
      id: terminalId,
      output: async () => {
        const { output, truncated, exitStatus } = parse(Output, await this.#call('terminal/output', { terminalId }));
        return { text: output, truncated, ...(exitStatus && { exit: exitOf(exitStatus) }) };
      },
      exit: async (signal) =>
        exitOf(parse(Exit, await this.#call('terminal/wait_for_exit', { terminalId }, { signal }))),
      kill: async () => {
        await this.#call('terminal/kill', { terminalId });
      },
      release,
      [Symbol.asyncDispose]: () => release().catch(() => undefined),
    };
  }

  /** What the client refuses, its agent is told in the client's words. `late`: takes an answer that came too late. */
  async #call(method: string, params: object, { signal, late }: CallOptions = {}): Promise<unknown> {
    const aborted = deferred<never>();
    const abort = (): void => {
      aborted.reject(signal?.reason);
    };
    signal?.addEventListener('abort', abort);
    try {
      signal?.throwIfAborted();
      const answer = this.#peer.request(method, { sessionId: this.#sessionId, ...params }, { signal });
      if (late !== undefined) answer.then((value) => signal?.aborted === true && late(value)).catch(() => undefined);
      return await Promise.race([answer, aborted.promise]);
    } catch (thrown) {
      signal?.throwIfAborted();
      if (!(thrown instanceof RpcError)) throw thrown;
      throw new Fault('upstream-failed', `${method}: ${thrown.message}`, { cause: thrown, retryable: false });
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }
}

function exitOf({ exitCode, signal }: z.infer<typeof Exit>): TerminalExit {
  return { exitCode: exitCode ?? undefined, signal: signal ?? undefined };
}

/** What a client answers against its protocol fails the agent's call, not the gateway. */
function parse<Schema extends z.ZodType>(schema: Schema, answer: unknown): z.output<Schema> {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new Fault('upstream-failed', 'the client answered in a way that the protocol does not have', {
    cause: parsed.error,
  });
}
