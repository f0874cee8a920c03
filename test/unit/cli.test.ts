import { describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { parseCommandLine } from '../../src/cli.ts';

function textOf(...args: string[]): string {
  const invocation = parseCommandLine(args);
  expect(invocation.run).toBe('print');
  return invocation.run === 'print' ? invocation.text : '';
}

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

  it.each([['--help'], ['-h'], ['serve', '--help'], ['serve', '--port', '9000', '-h'], ['doctor', '--help']])(
    'explains itself: %s %s',
    (...args) => {
      expect(textOf(...args)).toMatch(/^(Anyport|anyport (serve|doctor)):? [\s\S]+\n$/);
    },
  );

  it('tells its version', () => {
    expect(textOf('--version')).toBe(`${manifest.version}\n`);
  });

  const serveFlags =
    '--config FILE, --port N, --host H, --data DIR, --store file|memory, --allow-unauthenticated, --help';

  it.each<[string, string]>([
    ['', 'a command is missing; allowed: serve, doctor, --help, --version'],
    ['server', 'unknown command server; allowed: serve, doctor, --help, --version'],
    ['--port 80', 'unknown command --port; allowed: serve, doctor, --help, --version'],
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
  ])('that is wrong says what is allowed: anyport %s', (line, message) => {
    expect(() => parseCommandLine(line.split(' ').filter((word) => word !== ''))).toThrow(
      expect.objectContaining({ code: 'config-invalid', message }),
    );
  });
});
