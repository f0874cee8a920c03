#!/usr/bin/env node
import { addAbortSignal } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { CallInvocation, Invocation } from './cli/command.ts';
import { parseCommandLine } from './cli/command-line.ts';
import { editorSettings } from './cli/editor-settings.ts';
import type { ExitCode } from './cli/exit-code.ts';
import { perform } from './cli/perform.ts';
import { streamSink } from './cli/stream-sink.ts';
import { AnyportClient } from './client/index.ts';
import { Fault } from './fault.ts';
import type { LoadedConfig } from './server/config.ts';
import { stopSignal } from './server/stop-signals.ts';

/** What takes a gateway is loaded where one is run: a command that calls one starts in half the time without. */
async function run(invocation: Invocation): Promise<ExitCode> {
  switch (invocation.run) {
    case 'print': {
      process.stdout.write(invocation.text);
      return 0;
    }
    case 'doctor':
      return examine((await configured(invocation)).settings.dataDir);
    case 'serve': {
      const config = await configured(invocation);
      const { serve } = await import('./serve.ts');
      return serve(config);
    }
    case 'acp': {
      const config = await configured(invocation);
      const { serveEditor } = await import('./serve-editor.ts');
      return serveEditor(config, invocation.agent);
    }
    case 'acp-bridge': {
      const { agent, url, token = process.env['ANYPORT_TOKEN'] || undefined } = invocation;
      const { bridgeEditor } = await import('./bridge-editor.ts');
      return bridgeEditor({ agent, url, token });
    }
    case 'print-editor-settings': {
      const program = fileURLToPath(import.meta.url);
      process.stdout.write(editorSettings(invocation.editor, [process.execPath, program, ...invocation.args]));
      return 0;
    }
    case 'call':
      return callGateway(invocation);
  }
}

function callGateway(invocation: CallInvocation): Promise<ExitCode> {
  const { env, stdin, stdout, stderr } = process;
  const url = invocation.url ?? (env['ANYPORT_URL'] || 'http://127.0.0.1:8080');
  const token = invocation.token ?? (env['ANYPORT_TOKEN'] || undefined);
  const ctrlC = new AbortController();
  const { signal } = ctrlC;
  void stopSignal(process, () => process.exit(130)).then(() => {
    ctrlC.abort();
  });
  return perform(invocation, {
    // A person waits: whether there is a gateway shows at once.
    client: new AnyportClient({ url, token, signal, retry: { attempts: 3, firstMs: 100 } }),
    out: streamSink(stdout),
    err: streamSink(stderr),
    stdin: { isTerminal: stdin.isTTY, read: () => text(addAbortSignal(signal, stdin)) },
    signal,
    json: invocation.json,
    reach: invocation.url === undefined ? [] : ['--url', url],
  });
}

async function configured({
  configFile,
  flags,
}: Invocation & { run: 'serve' | 'doctor' | 'acp' }): Promise<LoadedConfig> {
  const { loadConfig } = await import('./server/config.ts');
  return loadConfig({
    file: configFile,
    folder: process.cwd(),
    environment: process.env,
    importModule: (url) => import(url) as Promise<unknown>,
    flags,
  });
}

async function examine(dataDir: string): Promise<ExitCode> {
  const { doctor } = await import('./stores/doctor.ts');
  const { threads, events, records, problems } = await doctor(dataDir);
  process.stdout.write(`${dataDir}: ${threads} threads, ${events} events, ${records} records\n`);
  for (const problem of problems) process.stdout.write(`problem: ${problem}\n`);
  process.stdout.write(problems.length === 0 ? 'no problems\n' : `${problems.length} problems\n`);
  return problems.length === 0 ? 0 : 1;
}

/** One clear line for what was foreseen; everything for what was not. */
function report(thrown: unknown): ExitCode {
  const what = thrown instanceof Fault ? thrown.message : thrown instanceof Error ? thrown.stack : String(thrown);
  process.stderr.write(`anyport: ${what}\n`);
  return thrown instanceof Fault && thrown.code === 'config-invalid' ? 2 : 1;
}

async function main(): Promise<ExitCode> {
  try {
    return await run(parseCommandLine(process.argv.slice(2)));
  } catch (thrown) {
    return report(thrown);
  }
}

// Agents may leave timers and connections behind; what has to be kept is in the store, which is closed.
process.exit(await main());
