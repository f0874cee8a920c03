import { Console } from 'node:console';
import { type Logger, pino, stdSerializers } from 'pino';
import type { Config } from '../../schemas/config.ts';

/** Fields that never reach a log, wherever in a logged object they stand. */
const secrets = ['authorization', 'cookie', 'set-cookie', 'token', 'tokens', 'body', 'secret', 'password'];

export function createLog({ level, pretty }: Config['log'], output: { write(line: string): void }): Logger {
  const paths = secrets.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`]);
  const options = {
    level,
    redact: { paths, censor: '[redacted]' },
    serializers: { error: stdSerializers.err, cause: stdSerializers.err },
    base: null,
  };
  return pino(options, pretty === true ? { write: (line: string) => output.write(prettyLine(line)) } : output);
}

/** The log of this process, which goes on when nobody reads it any more. */
export function logToStderr(settings: Config['log']): Logger {
  process.stderr.on('error', () => undefined);
  return createLog({ pretty: process.stderr.isTTY, ...settings }, process.stderr);
}

/** What agents and libraries print goes to stderr with the log: stdout is a protocol's. */
export function leaveStdout({ level }: Pick<Config['log'], 'level'>): Logger {
  globalThis.console = new Console({ stdout: process.stderr, stderr: process.stderr });
  return logToStderr({ level });
}

interface Entry {
  readonly level: number;
  readonly time: number;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

function prettyLine(line: string): string {
  const { level, time, msg = '', ...fields } = JSON.parse(line) as Entry;
  const name = pino.levels.labels[level] ?? String(level);
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${textOf(value)}`);
  return `${new Date(time).toISOString().slice(11, 23)} ${name.padEnd(5)} ${msg}${rest.join('')}\n`;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const stack = (value as { stack?: unknown } | null)?.stack;
  return typeof stack === 'string' ? `\n${stack}` : JSON.stringify(value);
}
