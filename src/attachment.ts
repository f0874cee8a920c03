/** An MCP server that a client wants its agent to use. May hold secrets: it is never stored or logged. */
export type McpServer =
  | {
      readonly transport: 'stdio';
      readonly name: string;
      readonly command: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
    }
  | {
      readonly transport: 'http' | 'sse';
      readonly name: string;
      readonly url: string;
      readonly headers: Readonly<Record<string, string>>;
    };

export interface TerminalExit {
  /** Undefined: a signal ended it. */
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
}

/** A command that runs on the client's side. */
export interface ClientTerminal {
  /** For a `terminal` part of a tool call: the client shows the output itself. */
  readonly id: string;
  output(): Promise<{ readonly text: string; readonly truncated: boolean; readonly exit?: TerminalExit | undefined }>;
  /** Resolves when the command has ended. `signal` ends the wait, not the command. */
  exit(signal?: AbortSignal): Promise<TerminalExit>;
  kill(): Promise<void>;
  /** Ends it, if it runs still. Its output stays shown. Disposing does the same, and never throws. */
  release(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface TerminalCommand {
  readonly command: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Absolute. */
  readonly cwd?: string;
  /** How much of its output is kept: the last bytes. */
  readonly maxOutputBytes?: number;
}

/**
 * A live client of a thread, and what the runs that it started may do on its side. What it cannot do is absent. Every
 * call fails `client-gone` once it has left, and never falls back to another client. With a `signal` that is aborted it
 * fails with that one's reason, and the client is told that nobody waits.
 */
export interface Attachment {
  /** A client that comes back under its name is the same one. */
  readonly id: string;
  readonly mcpServers: readonly McpServer[];
  /** `path` is absolute; `line` counts from 1, `limit` in lines. Includes what the person has not saved. */
  readTextFile?(
    file: { readonly path: string; readonly line?: number; readonly limit?: number },
    signal?: AbortSignal,
  ): Promise<string>;
  /** Makes the file where there is none. `path` is absolute. */
  writeTextFile?(file: { readonly path: string; readonly text: string }, signal?: AbortSignal): Promise<void>;
  /** `signal` ends the wait for the terminal, and not the command in it. */
  runCommand?(command: TerminalCommand, signal?: AbortSignal): Promise<ClientTerminal>;
}
