import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { onDisk } from './fixture.ts';
import { rate, type Row } from './table.ts';

const updates = 50_000;
const forMs = 3000;

interface Measured {
  /** A second. */
  readonly prompts: number;
  readonly promptsAtOnce: number;
  readonly pieces: number;
}

/** One IDE on stdio, beside an agent that does nothing but lines and beside the SDK's own app. */
export async function acp(): Promise<readonly Row[]> {
  const agent = new URL('acp-agent.ts', import.meta.url).pathname;
  const raw = await measure(['--import', './scripts/typescript.mjs', agent, 'raw']);
  const sdk = await measure(['--import', './scripts/typescript.mjs', agent, 'sdk']);
  const rows: Row[] = [];
  for (const store of ['memory', 'file']) {
    for (const mergeWindowMs of [0, 16]) {
      const ours = await onDisk(async (directory) => {
        const config = join(directory, 'bench.yaml');
        await writeFile(config, JSON.stringify({ limits: { mergeWindowMs }, log: { level: 'silent' } }));
        const main = ['--max-semi-space-size=64', 'dist/src/main.js'];
        return measure([...main, 'acp', '--store', store, '--config', config, '--data', join(directory, 'data')]);
      });
      const conditions = `${store} store, merge window ${mergeWindowMs} ms; the IDE reads raw lines in a process of its own`;
      const row = (what: string, of: keyof Measured): Row[] => [
        { what, value: ours[of], unit: '/s', beside: { what: 'raw JSON lines', value: raw[of] }, conditions },
        { what, value: ours[of], unit: '/s', beside: { what: 'the SDK’s agent app', value: sdk[of] }, conditions },
      ];
      rows.push(...row('pieces of text of one answer over ACP', 'pieces'));
      if (mergeWindowMs > 0) continue;
      rows.push(
        ...row('ACP prompts, one after the other', 'prompts'),
        ...row('ACP prompts of 64 sessions', 'promptsAtOnce'),
      );
    }
  }
  return rows;
}

async function measure(args: readonly string[]): Promise<Measured> {
  const ide = new LineIde(args);
  await ide.request('initialize', { protocolVersion: 1 });
  const sessions = await Promise.all(Array.from({ length: 64 }, () => ide.newSession()));
  const [session = ''] = sessions;
  await rate(16, 500, (n) => ide.prompt(sessions[n % 64] ?? '', 'warm up'));
  const prompts = await rate(1, forMs, () => ide.prompt(session, 'hello'));
  const promptsAtOnce = await rate(64, forMs, (n) => ide.prompt(sessions[n % 64] ?? '', 'hello'));
  const startedAt = performance.now();
  await ide.prompt(session, `/stream ${updates}`);
  const pieces = (updates * 1000) / (performance.now() - startedAt);
  await ide.leave();
  return { prompts, promptsAtOnce, pieces };
}

/** Reads every line, and no more of it than a client must. */
class LineIde {
  readonly #child: ChildProcess;
  readonly #answers = new Map<number, (result: unknown) => void>();
  #ids = 0;

  constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const output = this.#child.stdout;
    if (output === null) throw new Error('the agent has no output');
    createInterface({ input: output }).on('line', (line) => {
      const { id, result, error } = JSON.parse(line) as { id?: number; result?: unknown; error?: unknown };
      if (id === undefined) return;
      if (error !== undefined) throw new Error(`the agent answered ${line}`);
      this.#answers.get(id)?.(result);
      this.#answers.delete(id);
    });
  }

  request(method: string, params: object): Promise<unknown> {
    const id = (this.#ids += 1);
    return new Promise((resolve) => {
      this.#answers.set(id, resolve);
      this.#child.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    });
  }

  async newSession(): Promise<string> {
    const opened = (await this.request('session/new', { cwd: '/', mcpServers: [] })) as { sessionId: string };
    return opened.sessionId;
  }

  prompt(sessionId: string, text: string): Promise<unknown> {
    return this.request('session/prompt', { sessionId, prompt: [{ type: 'text', text }] });
  }

  async leave(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end();
    // The peers know no end of their own.
    setTimeout(() => this.#child.kill(), 3000).unref();
    await exited;
  }
}
