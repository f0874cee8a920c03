import { parseCommandLine } from '../../src/cli/command-line.ts';
import type { ExitCode } from '../../src/cli/exit-code.ts';
import { perform } from '../../src/cli/perform.ts';
import type { GatewayClient, Terminal } from '../../src/cli/terminal.ts';

/** A terminal that keeps what is written; calls that the test did not foresee fail. */
export class FakeTerminal {
  out = '';
  err = '';
  readonly calls: [string, ...unknown[]][] = [];
  readonly #abort = new AbortController();
  readonly #terminal: Omit<Terminal, 'json'>;

  constructor({
    client = {},
    columns,
    stdin,
  }: {
    readonly client?: Partial<GatewayClient>;
    readonly columns?: number;
    readonly stdin?: string;
  } = {}) {
    const { calls } = this;
    this.#terminal = {
      client: new Proxy({} as GatewayClient, {
        get:
          (_, name: keyof GatewayClient) =>
          (...args: unknown[]) => {
            calls.push([name, ...args]);
            const method = client[name] as ((...args: unknown[]) => unknown) | undefined;
            if (method === undefined) throw new Error(`${name} was called`);
            return method(...args);
          },
      }),
      out: {
        columns,
        write: async (text) => {
          this.out += text;
        },
      },
      err: {
        columns,
        write: async (text) => {
          this.err += text;
        },
      },
      stdin: { isTerminal: stdin === undefined, read: () => Promise.resolve(stdin ?? '') },
      signal: this.#abort.signal,
      reach: [],
    };
  }

  ctrlC(): void {
    this.#abort.abort();
  }

  async run(...words: readonly string[]): Promise<ExitCode> {
    const invocation = parseCommandLine(words);
    if (invocation.run !== 'call') throw new Error(`${words.join(' ')} asks no gateway`);
    const reach = invocation.url === undefined ? [] : ['--url', invocation.url];
    return perform(invocation, { ...this.#terminal, reach, json: invocation.json });
  }
}
