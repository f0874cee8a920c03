import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { QueueEntry, RunReceipt, RunReport, ShownTicket, ThreadStatus } from '../../schemas/control.ts';
import type { Message } from '../../schemas/message.ts';
import type { Run } from '../../schemas/run.ts';
import type { Page } from '../../src/client/index.ts';
import { Anyport, type RunningCommand, shell } from '../support/anyport.ts';
import { GatewayProcess, temporaryDirectory } from '../support/gateway-process.ts';
import { until } from '../support/until.ts';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let gateway: GatewayProcess;
let anyport: Anyport;

beforeAll(async () => {
  directory = await temporaryDirectory();
  gateway = await GatewayProcess.start(directory.path);
  anyport = new Anyport({ ANYPORT_URL: gateway.url });
});

afterAll(async () => {
  await gateway.stop();
  await directory[Symbol.asyncDispose]();
});

async function said(command: RunningCommand, text: string): Promise<void> {
  await until(`“${text}” in ${command.out}${command.err}`, () => (command.out + command.err).includes(text));
}

describe('anyport, as a newcomer uses it', () => {
  it('sends a message and shows the answer', async () => {
    const { code, out, err } = await anyport.run('send', 'hello', 'there');
    expect({ code, out }).toEqual({ code: 0, out: 'You said: “hello there”\n' });
    expect(err).toMatch(/^thread \S+\n$/);
  });

  it('sends what it is piped, once under one key', async () => {
    const first = await anyport.start('send', '-', '--key', 'mine', '--json').typed('from a pipe\n');
    const again = await anyport.start('send', '--key', 'mine', '--json').typed('from a pipe\n');
    expect(first.code).toBe(0);
    const [receipt, ...events] = first.out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(receipt).toMatchObject({ became: 'running' });
    expect(events.at(-1)).toMatchObject({ type: 'run.finished', outcome: { type: 'completed' } });
    expect(again.out).toBe(first.out);
    const other = await anyport.run('send', 'something else', '--key', 'mine');
    expect(other.code).toBe(4);
  });

  it('works with a thread that is busy', async () => {
    const running = await anyport.json<RunReceipt>('send', '/steer 2000', '--thread', 'busy', '--no-follow');
    expect(running.became).toBe('running');
    const second = await anyport.json<RunReceipt>('send', 'second', '--thread', 'busy', '--no-follow');
    const third = await anyport.json<RunReceipt>('send', 'third', '--thread', 'busy', '--no-follow');
    expect([second.became, third.became]).toEqual(['queued', 'queued']);
    expect((await anyport.run('send', 'no', '--thread', 'busy', '--reject')).code).toBe(4);

    const edited = await anyport.run('queue', 'edit', 'busy', second.activationId, 'in', 'other', 'words');
    expect(edited).toMatchObject({ code: 0, out: `${second.activationId} revision 2\n` });
    const dropped = await anyport.run('queue', 'drop', 'busy', third.activationId);
    expect(dropped).toMatchObject({ code: 0, out: `${third.activationId} retracted\n` });
    const queue = await anyport.json<Page<QueueEntry>>('queue', 'ls', 'busy');
    expect(queue.items.map(({ activation }) => activation.id)).toEqual([second.activationId]);
    expect((await anyport.run('queue', 'ls', 'busy')).out).toMatch(/^ACTIVATION .*\n.* in other words\n$/);
    expect((await anyport.run('queue', 'drop', 'busy', 'control:never-there')).code).toBe(3);

    const steered = anyport.start('send', 'more', '--thread', 'busy', '--steer');
    await said(steered, 'I took “more” after step');
    expect(steered.out).not.toContain('step 1 of');
    expect(steered.err).toContain('on its way into the running turn');

    const shown = await anyport.run('threads', 'show', 'busy');
    expect(shown.out).toContain(`${running.runId} by demo, running`);
    expect(shown.out).toContain('in other words');

    const tail = anyport.start('runs', 'tail', second.runId);
    const cancelled = await anyport.run('runs', 'cancel', running.runId);
    expect(cancelled.out).toContain(`${running.runId}  stopping`);
    expect(await steered.ended()).toMatchObject({ code: 1, err: expect.stringContaining('cancelled by') as string });
    expect(await tail.ended()).toMatchObject({ code: 0, out: expect.stringContaining('in other words') as string });
    const { messages } = await anyport.json<RunReport>('runs', 'show', second.runId);
    expect(messages.at(-1)).toMatchObject({ parts: [{ text: 'You said: “in other words”' }] });
  });

  it('approves', async () => {
    const asking = anyport.start('send', '/approve 2', '--thread', 'asking');
    await until('two questions', () => asking.err.match(/anyport approve tkt_/g)?.length === 2);
    const { items } = await anyport.json<Page<ShownTicket>>('tickets', 'ls', '--thread', 'asking');
    const ids = items.map(({ id }) => id);
    expect(ids).toHaveLength(2);
    expect((await anyport.run('tickets', 'ls', '--thread', 'asking')).out).toMatch(/^TICKET .*\n.* approval .*\n/);
    expect(await anyport.run('approve', ...ids)).toMatchObject({
      code: 0,
      out: ids.map((id) => `${id} answered\n`).join(''),
    });
    expect((await asking.ended()).code).toBe(0);
    expect((await anyport.run('deny', ids[0] ?? '')).code).toBe(4);
    expect(await anyport.run('tickets', 'ls', '--thread', 'asking')).toMatchObject({ out: '', err: 'no questions\n' });
    const all = await anyport.json<Page<ShownTicket>>('tickets', 'ls', '--thread', 'asking', '--all');
    expect(all.items.map(({ closed }) => closed?.how)).toEqual(['answered', 'answered']);
  });

  it('fills in a form', async () => {
    const { runId } = await anyport.json<RunReceipt>('send', '/form', '--no-follow');
    const [ticket] = await until('a form', async () => {
      const { items } = await anyport.json<Page<ShownTicket>>('tickets', 'ls', '--run', runId);
      return items.length > 0 ? items : undefined;
    });
    const id = ticket?.id ?? '';
    const wrong = await anyport.run('answer', id, '--value', '{"name":"Ann","age":"old"}');
    expect(wrong).toMatchObject({ code: 4, out: '', err: expect.stringMatching(/^anyport: .*age.*\n$/) as string });
    expect((await anyport.run('answer', id, '--value', '{"name":"Ann","age":41}')).code).toBe(0);
    expect((await anyport.run('runs', 'tail', runId)).code).toBe(0);
    expect((await anyport.run('runs', 'show', runId)).out).toContain('Hello Ann, you are 41 years old.');
  });

  it('leaves a run alone when it is left by Ctrl-C', async () => {
    const watched = anyport.start('send', '/steer 2000', '--thread', 'left');
    await said(watched, 'step 1 of');
    watched.ctrlC();
    const { code, err } = await watched.ended();
    const [, runId = ''] = /(run_\S+) goes on without you; to see it again: anyport runs tail \1\n/.exec(err) ?? [];
    expect(code).toBe(130);
    expect(await anyport.json<RunReport>('runs', 'show', runId)).toMatchObject({ run: { status: 'running' } });
    expect((await anyport.run('interrupt', 'left')).out).toContain(`${runId}  stopping`);
    expect((await anyport.run('runs', 'tail', runId)).code).toBe(1);
  });

  it('sees to what failed for good', async () => {
    const failed = await anyport.run('send', '/fail permanent', '--thread', 'failing');
    expect(failed).toMatchObject({ code: 1, err: expect.stringContaining('asked to fail for good') as string });
    const dead = async (): Promise<string[]> =>
      (await anyport.json<Page<Run>>('dead', 'ls', '--thread', 'failing')).items.map(({ id }) => id);
    const [first = ''] = await dead();
    const { runId } = await anyport.json<RunReceipt>('dead', 'redrive', first);
    expect((await anyport.run('runs', 'tail', runId)).code).toBe(1);
    expect(await dead()).toEqual([runId]);
    expect((await anyport.run('dead', 'discard', runId)).out).toBe(`${runId} discarded\n`);
    expect(await dead()).toEqual([]);
    const { items } = await anyport.json<Page<Run>>('runs', 'ls', '--thread', 'failing', '--status', 'done');
    expect(items.map(({ id, retryOf }) => [id, retryOf])).toEqual([
      [runId, first],
      [first, undefined],
    ]);
  });

  it('lists and shows threads', async () => {
    await anyport.run('send', 'remember this', '--thread', 'a thread');
    expect((await anyport.run('threads', 'ls')).out).toMatch(/^a thread {2}/m);
    const shown = await anyport.json<ThreadStatus & { messages: Message[] }>('threads', 'show', 'a thread');
    expect(shown).toMatchObject({ thread: { id: 'a thread' }, waiting: 0 });
    expect(shown.messages.map(({ role }) => role)).toEqual(['user', 'assistant']);
  });

  it('ends quietly when its reader has seen enough', async () => {
    const { runId } = await anyport.json<RunReceipt>('send', '/stream 3000', '--no-follow');
    const { command, environment } = anyport.shell;
    const { code, out, err } = await shell(`${command} runs tail ${runId} | head -n 2`, environment);
    expect({ code, err, lines: out.split('\n').length }).toEqual({ code: 0, err: '', lines: 3 });
  });

  it('says in one line what is wrong', async () => {
    const missing = await anyport.run('runs', 'show', 'run_never');
    expect(missing).toMatchObject({
      code: 3,
      out: '',
      err: expect.stringMatching(/^anyport: .*run_never\n$/) as string,
    });
    const nowhere = await anyport.run('runs', 'ls', '--url', 'http://127.0.0.1:1');
    expect(nowhere.code).toBe(1);
    expect(nowhere.err).toMatch(/^anyport: cannot reach http:\/\/127\.0\.0\.1:1.*anyport serve.*--url\n$/);
    const noUrl = await anyport.run('runs', 'ls', '--url', 'here');
    expect(noUrl).toMatchObject({ code: 2, err: 'anyport: here is not a URL that starts with http:// or https://\n' });
  });
});

it('goes on following when the gateway is killed and started again', async () => {
  await using own = await temporaryDirectory();
  const first = await GatewayProcess.start(own.path);
  const command = new Anyport({ ANYPORT_URL: first.url });
  const watched = command.start('send', '/steer 15');
  await said(watched, 'step 3 of');
  await first.kill();
  const second = await GatewayProcess.start(own.path, { port: Number(new URL(first.url).port) });
  const { code, out } = await watched.ended();
  expect(code).toBe(0);
  const steps = [...out.matchAll(/This was step (\d+) of 15/g)].map(([, step]) => Number(step));
  expect([...new Set(steps)]).toEqual(Array.from({ length: 15 }, (_, index) => index + 1));
  await second.stop();
});

it('shows who it is by its token', async () => {
  await using own = await temporaryDirectory();
  const config = join(own.path, 'anyport.yaml');
  await writeFile(config, 'tokens: [{ token: secret, actor: ann }]');
  const closed = await GatewayProcess.start(own.path, { args: ['--config', config] });
  const stranger = await new Anyport({ ANYPORT_URL: closed.url }).run('threads', 'ls');
  expect(stranger).toMatchObject({ code: 4, out: '' });
  const ann = await new Anyport({ ANYPORT_URL: closed.url, ANYPORT_TOKEN: 'secret' }).run('send', 'hi');
  expect(ann).toMatchObject({ code: 0, out: 'You said: “hi”\n' });
  await closed.stop();
});
