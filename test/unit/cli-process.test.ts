import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const main = fileURLToPath(new URL('../../dist/src/main.js', import.meta.url));

let folder = '';
const started: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'anyport-cli-'));
});
afterEach(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true });
});

function anyport(...args: string[]) {
  const child = spawn(process.execPath, [main, ...args], { cwd: folder });
  started.push(child);
  return child;
}

async function outcomeOf(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = anyport(...args);
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  return { code, out, err };
}

describe('the anyport command', () => {
  it('exits with 2 and one line when its command line is wrong', async () => {
    expect(await outcomeOf('serve', '--store', 'disk')).toEqual({
      code: 2,
      out: '',
      err: 'anyport: --store: Invalid option: expected one of "file"|"memory"\n',
    });
  });

  it('exits with 2 and one line when its configuration is wrong', async () => {
    await writeFile(join(folder, 'anyport.yaml'), 'host: 0.0.0.0');
    const { code, err } = await outcomeOf('serve', '--store', 'memory');
    expect(err).toBe(
      'anyport: host: others can reach 0.0.0.0, and there are no tokens; ' +
        'add tokens, or set allowUnauthenticated to let everyone in\n',
    );
    expect(code).toBe(2);
  });

  it('exits with 1 and one line when its port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { code, out, err } = await outcomeOf('serve', '--store', 'memory', '--port', String(port));
    other.close();
    expect(err).toBe(`anyport: cannot listen on port ${port} of 127.0.0.1: it is in use; choose another with --port\n`);
    expect({ code, out }).toEqual({ code: 1, out: '' });
  });

  it('serves at the port it prints, and ends when it is told to', async () => {
    const child = anyport('serve', '--store', 'memory', '--port', '0');
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const [, url] = /^listening on (http:\/\/127\.0\.0\.1:\d+)$/.exec(line) ?? [];
    const ready = await fetch(`${url ?? ''}/health/ready`);
    expect(await ready.json()).toEqual({ status: 'ready' });
    const about = (await (await fetch(url ?? '')).json()) as object;
    expect(about).toMatchObject({ name: 'anyport', agents: [{ id: 'demo' }] });
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('serves on when nobody reads any more what it prints and logs', async () => {
    const child = anyport('serve', '--store', 'memory', '--port', '0');
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const [url = ''] = /http:\S+/.exec(line) ?? [];
    child.stdout.destroy();
    child.stderr.destroy();
    for (let asked = 0; asked < 3; asked++) expect((await fetch(url)).status).toBe(200);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});
