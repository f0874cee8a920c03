import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Runs a client as a process of its own: what it prints is what it saw, as JSON. */
export async function runClient<Seen>(script: string, args: readonly (string | number)[]): Promise<Seen> {
  const { pathname } = new URL(script, import.meta.url);
  const argv = ['--import', './scripts/typescript.mjs', pathname, ...args.map(String)];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`the client ended with ${code}`);
  return JSON.parse(text) as Seen;
}
