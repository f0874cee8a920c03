import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

const main = new URL('../../dist/src/main.js', import.meta.url).pathname;

interface GatewayOptions {
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** By default one that is free. */
  readonly port?: number;
}

/** A gateway as a user starts it: a process of its own, on a port of its own, over a data directory. */
export class GatewayProcess {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #errors: string[];

  private constructor(url: string, child: ChildProcess, errors: string[]) {
    this.url = url;
    this.#child = child;
    this.#errors = errors;
  }

  /** With the port of one that has ended, also where somebody else was given it meanwhile: once it is free again. */
  static async start(dataDir: string, options: GatewayOptions = {}): Promise<GatewayProcess> {
    for (;;) {
      try {
        return await GatewayProcess.#launch(dataDir, options);
      } catch (thrown) {
        if (options.port === undefined || !String(thrown).includes('it is in use')) throw thrown;
        await delay(50);
      }
    }
  }

  static async #launch(
    dataDir: string,
    { args = [], environment = {}, port = 0 }: GatewayOptions,
  ): Promise<GatewayProcess> {
    const child = spawn(process.execPath, [main, 'serve', '--port', String(port), '--data', dataDir, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    const errors: string[] = [];
    child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text));
    const lines = createInterface({ input: child.stdout });
    const listening = new Promise<string>((resolve, reject) => {
      lines.on('line', (line) => {
        const url = /listening on (http:\S+)/.exec(line)?.[1];
        if (url !== undefined) resolve(url);
      });
      child.once('exit', (code) => {
        reject(new Error(`the gateway ended with ${code} before it listened:\n${errors.join('')}`));
      });
    });
    return new GatewayProcess(await listening, child, errors);
  }

  /** What it wrote to its log. */
  get log(): string {
    return this.#errors.join('');
  }

  /** As a power cut would: nothing is flushed, nobody is told. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** As an operator would; resolves with the exit code. */
  async stop(): Promise<number | null> {
    return this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    const exited = once(this.#child, 'exit');
    this.#child.kill(signal);
    const [code] = (await exited) as [number | null];
    return code;
  }
}

/** A directory for one test, removed after it. */
export async function temporaryDirectory(): Promise<{ readonly path: string; [Symbol.asyncDispose](): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'anyport-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}
