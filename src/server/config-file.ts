import { access, readFile } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isMap, isScalar, isSeq, parseDocument, Scalar } from 'yaml';
import { Fault } from '../fault.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
export type ImportModule = (url: string) => Promise<unknown>;

const names = ['anyport.yaml', 'anyport.config.ts', 'anyport.config.js', 'anyport.config.mjs'];

/** The path of the file that was asked for, or of the one in the folder; `undefined` when there is none. */
export async function findConfigFile(folder: string, asked: string | undefined): Promise<string | undefined> {
  if (asked !== undefined) return resolve(folder, asked);
  const present: string[] = [];
  for (const name of names) if (await exists(join(folder, name))) present.push(name);
  if (present.length > 1) {
    throw new Fault('config-invalid', `${folder} has ${present.join(' and ')}; keep one, or say which with --config`);
  }
  return present[0] === undefined ? undefined : join(folder, present[0]);
}

/** What a configuration file says, unchecked. @throws Fault `config-invalid` */
export async function readConfigFile(file: string, environment: Environment, load: ImportModule): Promise<unknown> {
  switch (extname(file)) {
    case '.yaml':
    case '.yml':
      return readYaml(file, environment);
    case '.ts':
    case '.js':
    case '.mjs':
      return importConfig(file, load);
    default:
      throw new Fault('config-invalid', `${file}: a configuration is a .yaml, .yml, .ts, .js or .mjs file`);
  }
}

async function readYaml(file: string, environment: Environment): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new Fault('config-invalid', `${file} cannot be read (${cause.code ?? 'unknown'})`, { cause });
  });
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) throw new Fault('config-invalid', `${file} is not YAML: ${error.message}`, { cause: error });
  resolveReferences(document.contents, environment, '');
  return document.toJS() ?? {};
}

/** Puts the environment's values where `${NAME}` stands. */
function resolveReferences(node: unknown, environment: Environment, path: string): void {
  if (isMap(node)) {
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : '?';
      resolveReferences(value, environment, path === '' ? name : `${path}.${name}`);
    }
  } else if (isSeq(node)) {
    for (const [index, item] of node.items.entries()) resolveReferences(item, environment, `${path}[${index}]`);
  } else if (isScalar(node) && typeof node.value === 'string') {
    node.value = resolveText(node.value, node.type === Scalar.PLAIN, environment, path);
  }
}

const reference = /\$\{([^}]*)\}/g;

/** A number without quotes is one, as it would be in its place: `port: ${PORT}`. */
function resolveText(text: string, isPlain: boolean, environment: Environment, path: string): string | number {
  const resolved = text.replace(reference, (_, name: string) => {
    const value = environment[name];
    if (value === undefined) {
      throw new Fault('config-invalid', `${path}: the environment has no variable ${name}`, { path });
    }
    return value;
  });
  return isPlain && resolved !== text && /^\d{1,15}$/.test(resolved) ? Number(resolved) : resolved;
}

async function importConfig(file: string, load: ImportModule): Promise<unknown> {
  const module = await load(pathToFileURL(file).href).catch((cause: unknown) => {
    throw new Fault('config-invalid', importFailure(file, cause), { cause });
  });
  const config = (module as { readonly default?: unknown }).default;
  if (typeof config !== 'object' || config === null) {
    throw new Fault('config-invalid', `${file} must export its configuration by default`);
  }
  return config;
}

function importFailure(file: string, cause: unknown): string {
  if (cause instanceof Error && 'code' in cause && cause.code === 'ERR_UNKNOWN_FILE_EXTENSION') {
    const plain = basename(file).replace(/\.ts$/, '.mjs');
    return `${file}: this Node does not run TypeScript; use Node 22.18 or newer, or write it as ${plain}`;
  }
  return `${file} cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
