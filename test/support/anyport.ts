import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

const main = new URL('../../dist/src/main.js', import.meta.url).pathname;

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** The command as a user types it, against one gateway. */
export class Anyport {
  readonly #environment: NodeJS.ProcessEnv;

  constructor(environment: Readonly<Record<string, string>>) {
    this.#environment = { ...process.env, ...environment };
  }

  /** What a shell would need to run it. */
  get shell(): { readonly command: string; readonly environment: NodeJS.ProcessEnv } {
    return { command: `'${process.execPath}' '${main}'`, environment: this.#environment };
  }

  start(...args: readonly string[]): RunningCommand {
    return new RunningCommand(spawn(process.execPath, [main, ...args], { env: this.#environment }));
  }

  run(...args: readonly string[]): Promise<Ended> {
    return this.start(...args).typed('');
  }

  /** Its output as JSON. @throws when it fails */
  async json<Value>(...args: readonly string[]): Promise<Value> {
    const { code, out, err } = await this.run(...args, '--json');
    if (code !== 0) throw new Error(`anyport ${args.join(' ')} ended with ${code}: ${err}`);
    return JSON.parse(out) as Value;
  }
}

/** One that has not ended. */
export class RunningCommand {
  out = '';
  err = '';
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (piece: string) => (this.out += piece));
    child.stderr?.setEncoding('utf8').on('data', (piece: string) => (this.err += piece));
    this.#ended = once(child, 'close').then(([code]) => code as number | null);
  }

  ctrlC(): void {
    this.#child.kill('SIGINT');
  }

  /** Gives it this on stdin and waits for its end. */
  typed(input: string): Promise<Ended> {
    this.#child.stdin?.end(input);
    return this.ended();
  }

  async ended(): Promise<Ended> {
    const code = await this.#ended;
    return { code, out: this.out, err: this.err };
  }
}

/** What a line of a shell does. */
export async function shell(line: string, environment: NodeJS.ProcessEnv): Promise<Ended> {
  const child = spawn('bash', ['-o', 'pipefail', '-c', line], { env: environment });
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { code, out, err };
}
