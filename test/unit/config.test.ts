import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Config } from '../../schemas/config.ts';
import type { Agent } from '../../src/agents/agent.ts';
import { MemoryCounter } from '../../src/agents/demo/counter.ts';
import { DemoAgent } from '../../src/agents/demo/demo-agent.ts';
import { systemClock } from '../../src/clock.ts';
import { type ConfigSource, loadConfig, type LoadedConfig } from '../../src/server/config.ts';

let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'anyport-config-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function write(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  return path;
}

function load(source: Partial<ConfigSource> = {}): Promise<LoadedConfig> {
  return loadConfig({
    file: undefined,
    folder,
    environment: {},
    flags: {},
    importModule: (url) => import(url) as Promise<unknown>,
    ...source,
  });
}

async function loadYaml(text: string, source: Partial<ConfigSource> = {}): Promise<LoadedConfig> {
  await write('anyport.yaml', text);
  return load(source);
}

/** What is wrong with a file, without its path. */
async function problemsIn(text: string, environment = {}): Promise<string> {
  const problem: unknown = await loadYaml(text, { environment }).catch((thrown: unknown) => thrown);
  expect(problem).toMatchObject({ code: 'config-invalid' });
  return (problem as Error).message.replace(join(folder, 'anyport.yaml'), 'FILE');
}

/** The keys that a section may have. */
function allowedIn(section: string): string[] {
  const result = Config.safeParse({ [section]: { nonsense: 1 } });
  const [, allowed = ''] = /allowed: (.*)$/.exec(result.error?.issues[0]?.message ?? '') ?? [];
  return allowed.split(', ');
}

describe('a gateway without a configuration', () => {
  it(
    'listens to this machine alone, keeps its data here, and serves the demo agent',
    { tags: 'limits-have-defaults' },
    async () => {
      const { settings, agents, file } = await load();
      expect(settings).toMatchObject({
        host: '127.0.0.1',
        port: 8080,
        dataDir: join(folder, '.anyport'),
        store: 'file',
        tokens: [],
        limits: { maxRunning: 256, maxAttempts: 5, ticketTtlMs: 604_800_000, retention: { maxAgeMs: 2_592_000_000 } },
        log: { level: 'info' },
      });
      expect(Object.keys(settings.limits)).toEqual(allowedIn('limits'));
      expect(Object.values(settings.limits)).not.toContain(undefined);
      expect(agents).toEqual([{ id: 'demo', type: 'demo' }]);
      expect(file).toBeUndefined();
    },
  );
});

describe('anyport.yaml', () => {
  it('is found in the folder, and its paths are relative to it', async () => {
    const tls = '{ certFile: cert.pem, keyFile: ../key.pem }';
    const a2a = `a2a: { grpc: { port: 9090, tls: ${tls} } }`;
    const { settings, file } = await loadYaml(`port: 9000\ndataDir: data\nlimits: { maxRunning: 4 }\n${a2a}\n`);
    expect(settings).toMatchObject({
      port: 9000,
      dataDir: join(folder, 'data'),
      limits: { maxRunning: 4, graceMs: 5000 },
      a2a: { grpc: { port: 9090, tls: { certFile: join(folder, 'cert.pem'), keyFile: join(folder, '../key.pem') } } },
    });
    expect(file).toBe(join(folder, 'anyport.yaml'));
  });

  it('is read from where it is said to be', async () => {
    await write('deep/other.yml', 'dataDir: data');
    const { settings } = await load({ file: 'deep/other.yml' });
    expect(settings.dataDir).toBe(join(folder, 'deep/data'));
  });

  it('may be empty', async () => {
    expect((await loadYaml('# nothing\n')).settings.port).toBe(8080);
  });

  it('gives way to flags, whose paths are relative to where they were said', async () => {
    await write('deep/anyport.yaml', 'port: 9000\nhost: 10.0.0.1\ndataDir: data');
    const { settings } = await load({ file: 'deep/anyport.yaml', flags: { port: 0, dataDir: 'here' } });
    expect(settings).toMatchObject({ port: 0, host: '10.0.0.1', dataDir: join(folder, 'here') });
  });

  it('takes values from the environment', async () => {
    const environment = { PORT: '9001', TOKEN: '12345', NAME: 'example.com' };
    const { settings } = await loadYaml(
      'port: ${PORT}\npublicUrl: "https://${NAME}/x"\ntokens: [{ token: "${TOKEN}", actor: ann }]',
      { environment },
    );
    expect(settings).toMatchObject({
      port: 9001,
      publicUrl: 'https://example.com/x',
      tokens: [{ token: '12345', scope: 'local', actor: 'ann' }],
    });
  });
});

describe('what is wrong with a configuration', () => {
  it.each([
    ['port: many', 'FILE: port: Invalid input: expected number, received string'],
    ['port: 70000', 'FILE: port: Too big: expected number to be <=65535'],
    ['store: disk', 'FILE: store: Invalid option: expected one of "file"|"memory"'],
    ['agents: [{ id: a, type: llm }]', "FILE: agents[0].type: Invalid discriminator value. Expected 'demo'"],
    ["agents: [{ id: '..', type: demo }]", 'FILE: agents[0].id: must not be . or ..'],
    ['agents: []', 'FILE: agents: Too small: expected array to have >=1 items'],
    ['log: { level: loud }', /^FILE: log\.level: .*"debug"\|"info"\|"warn"\|"error"\|"silent"/],
    ['limits: { maxRuns: 1 }', /^FILE: limits: unknown key maxRuns; allowed: .*maxRunning/],
    ['hosst: x', /^FILE: unknown key hosst; allowed: host, port, /],
    ['limits: { headersTimeoutMs: 70000 }', 'FILE: limits.headersTimeoutMs: must not be above requestTimeoutMs'],
    ['limits: { keepAliveMs: 0 }', 'FILE: limits.keepAliveMs: Too small: expected number to be >=1000'],
    ['limits: { wakeFallbackMs: 0 }', 'FILE: limits.wakeFallbackMs: Too small: expected number to be >=1000'],
    ['publicUrl: example.com', 'FILE: publicUrl: must be a URL that starts with http:// or https://'],
    ['allowedOrigins: [https://a.example/]', /^FILE: allowedOrigins\[0\]: must be an origin without a path/],
    ['allowedHosts: [a.example:80]', 'FILE: allowedHosts[0]: must be a host name without scheme and port'],
    ['tokens: [{ token: "a b", actor: x }]', /^FILE: tokens\[0\]\.token: must be letters/],
    ['- port', 'FILE: Invalid input: expected object, received array'],
    ['port: [', /^FILE is not YAML: .*line 1/s],
    ['tokens: [{ token: "${TOKEN}" }]', 'tokens[0].token: the environment has no variable TOKEN'],
  ])('is said with its key and what is allowed: %s', async (text, message) => {
    expect(await problemsIn(text)).toMatch(message);
  });

  it('is said all at once', async () => {
    expect((await problemsIn('port: x\nstore: y')).split('\n')).toEqual([
      'FILE:',
      '  port: Invalid input: expected number, received string',
      '  store: Invalid option: expected one of "file"|"memory"',
    ]);
  });

  it('does not show a token', async () => {
    expect(await problemsIn('tokens: [{ token: "secret word", actor: x }]')).not.toContain('secret word');
  });

  it.each([
    ['nowhere.yaml', /nowhere\.yaml cannot be read \(ENOENT\)/],
    ['anyport.toml', /a configuration is a \.yaml, \.yml, \.ts, \.js or \.mjs file/],
    ['nowhere.mjs', /nowhere\.mjs cannot be loaded: /],
  ])('may be that there is none: %s', async (file, message) => {
    await expect(load({ file })).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringMatching(message),
    });
  });

  it('may be that there are two', async () => {
    await write('anyport.config.mjs', 'export default {}');
    await expect(loadYaml('')).rejects.toThrow(
      'has anyport.yaml and anyport.config.mjs; keep one, or say which with --config',
    );
  });
});

describe('a configuration in code', () => {
  const echo = `{
    card: {
      id: 'echo', version: '1', name: 'Echo', description: '', skills: [], recovery: 'rerun', takesInput: false,
      capabilities: {
        input: [], reasoning: false, tools: false, clientTools: false, state: false, approvals: false, subagents: false,
      },
    },
    async *run() {},
  }`;

  it('adds agents of its own, in their place', async () => {
    await write(
      'anyport.config.mjs',
      `export default { port: 9000, agents: [${echo}, { id: 'demo', type: 'demo' }] };`,
    );
    const { settings, agents } = await load();
    expect(settings.port).toBe(9000);
    expect((agents[0] as Agent).card.name).toBe('Echo');
    expect(agents[1]).toEqual({ id: 'demo', type: 'demo' });
  });

  it('may hold instances of classes', async () => {
    const agent = new DemoAgent({ id: 'mine', clock: systemClock, counter: new MemoryCounter() });
    const importModule = (): Promise<unknown> => Promise.resolve({ default: { agents: [agent] } });
    expect((await load({ file: 'anyport.config.js', importModule })).agents).toEqual([agent]);
  });

  it('is told what is wrong with a card', async () => {
    await write(
      'anyport.config.mjs',
      `export default { agents: [{ id: 'demo', type: 'demo' }, { card: { id: '' }, run() {} }] };`,
    );
    await expect(load()).rejects.toThrow(/agents\[1\]\.card\.id: must have 1 to 512 characters/);
  });

  it('must export something by default', async () => {
    await write('anyport.config.mjs', 'export const config = {};');
    await expect(load()).rejects.toThrow('must export its configuration by default');
  });

  it('is told when this Node does not run TypeScript', async () => {
    const file = await write('anyport.config.ts', 'export default {};');
    const unknown = Object.assign(new TypeError('Unknown file extension'), { code: 'ERR_UNKNOWN_FILE_EXTENSION' });
    await expect(load({ importModule: () => Promise.reject(unknown) })).rejects.toThrow(
      `${file}: this Node does not run TypeScript; use Node 22.18 or newer, or write it as anyport.config.mjs`,
    );
  });
});
