import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { parseCommandLine } from '../../src/cli/command-line.ts';

function textOf(...args: string[]): string {
  const invocation = parseCommandLine(args);
  expect(invocation.run).toBe('print');
  return invocation.run === 'print' ? invocation.text : '';
}

const commands =
  'serve, acp, doctor, send, runs, threads, interrupt, tickets, approve, deny, answer, queue, dead, webhooks';

describe('a command line', () => {
  it('serves with what its flags say', () => {
    const args = ['--port', '0', '--host=::1', '--data', 'here', '--store', 'memory', '--allow-unauthenticated'];
    expect(parseCommandLine(['serve', ...args, '--config', 'my.yaml'])).toEqual({
      run: 'serve',
      configFile: 'my.yaml',
      flags: { port: 0, host: '::1', dataDir: 'here', store: 'memory', allowUnauthenticated: true },
    });
  });

  it('leaves to the configuration what it does not say', () => {
    expect(parseCommandLine(['serve'])).toEqual({ run: 'serve', configFile: undefined, flags: {} });
    expect(parseCommandLine(['doctor', '--data', 'here'])).toMatchObject({ run: 'doctor', flags: { dataDir: 'here' } });
  });

  it.each([
    ['--help'],
    ['-h'],
    ['serve', '--help'],
    ['serve', '--port', '9000', '-h'],
    ['doctor', '--help'],
    ['runs', '-h'],
    ['runs', 'ls', '--help'],
    ['send', 'hi', '--help'],
  ])('explains itself: %s %s', (...args) => {
    expect(textOf(...args)).toMatch(/^(Anyport|anyport (serve|doctor|runs|runs ls|send)):? [\s\S]+\n$/);
  });

  it('shows all commands in groups, and what the exit codes mean', () => {
    const help = textOf('--help');
    expect(help.match(/^[A-Z].*:$/gm)).toEqual([
      'A gateway:',
      'Work on a gateway:',
      'Questions to people:',
      'What waits, and what failed:',
      'Exit codes:',
    ]);
    for (const name of commands.split(', ')) expect(help).toContain(`  anyport ${name} `);
    expect(help).toMatch(/^ {2}4 {4}refused/m);
    expect(textOf('runs', '--help').match(/anyport runs \w+/g)).toEqual([
      'anyport runs ls',
      'anyport runs show',
      'anyport runs tail',
      'anyport runs cancel',
    ]);
  });

  it('tells its version', () => {
    expect(textOf('--version')).toBe(`${manifest.version}\n`);
  });

  const serveFlags =
    '--config FILE, --port N, --host H, --data DIR, --store file|memory, --allow-unauthenticated, --help';

  it('prints settings that start an editor’s agent as it was said, from wherever that is', () => {
    const args = 'acp --print-config zed --agent a --config my.yaml --data here --store memory'.split(' ');
    expect(parseCommandLine(args)).toEqual({
      run: 'print-editor-settings',
      editor: 'zed',
      args: ['acp', '--agent', 'a', '--config', resolve('my.yaml'), '--data', resolve('here'), '--store', 'memory'],
    });
    const url = 'http://there:8080';
    const bridge = ['acp', '--url', url];
    expect(parseCommandLine([...bridge, '--print-config', 'neovim'])).toMatchObject({ args: bridge });
    expect(() => parseCommandLine([...bridge, '--token', 'x', '--print-config', 'zed'])).toThrow('set ANYPORT_TOKEN');
  });

  it.each<[string, object]>([
    ['send', { text: [] }],
    ['send why is it -- --so', { text: ['why', 'is', 'it', '--so'] }],
    ['send - --thread t --steer --no-follow', { text: ['-'], thread: 't', steer: true, 'no-follow': true }],
    ['runs ls --status dead --limit 7', { status: 'dead', limit: 7 }],
    ['runs cancel a b', { id: ['a', 'b'] }],
    ['tickets ls --all --run r', { all: true, run: 'r' }],
    ['approve a --args {"n":1} --note ok', { id: ['a'], args: { n: 1 }, note: 'ok' }],
    ['answer a --value null', { id: ['a'], answers: [{ type: 'value', value: null }] }],
    ['answer a --option x', { id: ['a'], answers: [{ type: 'option', optionId: 'x' }] }],
    ['answer a b --dismiss', { id: ['a', 'b'], answers: [{ type: 'dismiss' }] }],
    ['queue edit t a b c', { thread: 't', activation: 'a', text: ['b', 'c'] }],
    ['dead redrive r', { id: ['r'] }],
    ['webhooks redrive w', { webhook: ['w'] }],
    ['interrupt t', { thread: 't' }],
  ])('asks a gateway: anyport %s', (line, ask) => {
    const defaults = { run: 'call', url: undefined, token: undefined, json: false };
    expect(parseCommandLine(line.split(' '))).toMatchObject({ ...defaults, ask });
  });

  it('says where the gateway is, who calls and for whom', () => {
    const args = ['runs', 'ls', '--url', 'http://there', '--token=secret', '--json'];
    expect(parseCommandLine(args)).toMatchObject({ url: 'http://there', token: 'secret', json: true, ask: {} });
  });

  it.each<[string, string | RegExp]>([
    ['', `a command is missing; allowed: ${commands}, --help, --version`],
    ['server', `unknown command server; allowed: ${commands}, --help, --version`],
    ['--port 80', `unknown command --port; allowed: ${commands}, --help, --version`],
    ['toString', `unknown command toString; allowed: ${commands}, --help, --version`],
    ['serve --prot 80', `serve has no flag --prot; allowed: ${serveFlags}`],
    ['serve -p 80', `serve has no flag -p; allowed: ${serveFlags}`],
    ['serve 80', `serve does not take 80; allowed: ${serveFlags}`],
    ['serve -- --port', `serve does not take --; allowed: ${serveFlags}`],
    ['doctor --port 80', 'doctor has no flag --port; allowed: --config FILE, --data DIR, --help'],
    ['serve --port', '--port takes N'],
    ['serve --port --host x', '--port takes N'],
    ['serve --allow-unauthenticated=no', '--allow-unauthenticated takes no value'],
    ['serve --port http', '--port: Invalid input: expected number, received string'],
    ['serve --port 70000', '--port: Too big: expected number to be <=65535'],
    ['serve --port=-1', '--port: Invalid input: expected number, received string'],
    ['serve --store disk', '--store: Invalid option: expected one of "file"|"memory"'],
    ['serve --data=', '--data: Too small: expected string to have >=1 characters'],
    ['runs', 'runs: a command is missing; allowed: ls, show, tail, cancel, --help'],
    ['runs list', 'runs has no command list; allowed: ls, show, tail, cancel, --help'],
    ['runs show', 'runs show: ID is missing; usage: anyport runs show ID'],
    ['runs show a b', 'runs show does not take b; usage: anyport runs show ID'],
    ['runs ls --status=ended', /^--status: Invalid option: expected one of "created"/],
    ['runs ls --limit 0', '--limit: Too small: expected number to be >=1'],
    ['send -x', /^send has no flag -x; allowed: --thread T, .*; after -- nothing is a flag$/],
    ['send hi --steer --reject', 'of --steer, --interrupt and --reject only one can be'],
    ['send hi --key ü', '--key: must be 1 to 512 characters of ASCII'],
    ['approve', 'approve: ID is missing; usage: anyport approve ID...'],
    ['approve a b --args {}', '--args: fits one ID alone'],
    ['approve a --args {', '--args: { is not JSON'],
    ['approve a --args 1', '--args: Invalid input: expected record, received number'],
    ['answer a', 'answer takes exactly one of --option O, --value JSON, --text T, --dismiss'],
    ['answer a --text b --dismiss', 'answer takes exactly one of --option O, --value JSON, --text T, --dismiss'],
    ['queue edit t', 'queue edit: ACTIVATION is missing; usage: anyport queue edit THREAD ACTIVATION TEXT...'],
  ])('that is wrong says what is allowed: anyport %s', (line, message) => {
    expect(() => parseCommandLine(line.split(' ').filter((word) => word !== ''))).toThrow(
      expect.objectContaining({
        code: 'config-invalid',
        message: typeof message === 'string' ? message : (expect.stringMatching(message) as string),
      }),
    );
  });
});
