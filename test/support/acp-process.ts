import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { ndJsonStream, type Stream } from '@agentclientprotocol/sdk';

const main = new URL('../../dist/src/main.js', import.meta.url).pathname;

/** An agent as an IDE starts it: `anyport acp` in a process of its own. */
export class AcpProcess implements AsyncDisposable {
  readonly stream: Stream;
  readonly #child: ChildProcess;
  readonly #errors: string[] = [];

  constructor(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const child = spawn(process.execPath, [main, 'acp', ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => this.#errors.push(text));
    // Written to when it is killed.
    child.stdin.on('error', () => undefined);
    this.#child = child;
    this.stream = ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout) as ReadableStream<Uint8Array>);
  }

  get log(): string {
    return this.#errors.join('');
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves with its exit code. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (!this.isRunning) return this.#child.exitCode;
    const exited = once(this.#child, 'exit');
    this.#child.kill(signal);
    const [code] = (await exited) as [number | null];
    return code;
  }

  /** As an IDE that leaves: its end of the streams closes. Resolves with the exit code. */
  async leave(): Promise<number | null> {
    if (!this.isRunning) return this.#child.exitCode;
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end();
    const [code] = (await exited) as [number | null];
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
  }
}
