import { expect, test } from 'vitest';
import type { RunEventBody } from '../../../schemas/run-event.ts';
import type { Activated, RunContext } from '../../../src/agents/agent.ts';
import type { Attachment } from '../../../src/attachment.ts';
import { deferred } from '../../../src/deferred.ts';
import { Fault } from '../../../src/fault.ts';
import { alice, open, say, scripted } from '../../support/mailbox-fixture.ts';

function clientThatReads(text: string): Attachment {
  return { id: 'ide', mcpServers: [], readTextFile: () => Promise.resolve(text) };
}

async function* readFile(_: Activated, context: RunContext): AsyncGenerator<RunEventBody> {
  const { client } = context;
  const text = await client?.readTextFile?.({ path: '/a' }).catch((thrown: unknown) => Fault.from(thrown).code);
  yield* say(context, 'a', client === undefined ? 'no client' : (text ?? 'it reads no files'));
}

test('a run reaches the live client that it was started from, and no other', async () => {
  const { mailbox, submit, done, events } = await open(scripted(readFile));
  mailbox.attach(alice, 't', clientThatReads('from the IDE'));
  mailbox.attach(alice, 't', { ...clientThatReads('from another'), id: 'other' });
  await submit('one', { attachmentId: 'ide' });
  await done('one');
  await submit('two');
  await done('two');
  expect((await events()).flatMap((event) => (event.type === 'text.delta' ? event.delta : []))).toEqual([
    'from the IDE',
    'no client',
  ]);
});

test('a client that has left is gone, until it comes back under its name', async () => {
  const goesOn = deferred();
  const asked = deferred();
  const { mailbox, submit, done, events } = await open(
    scripted(async function* (_, context) {
      yield* readFile(_, context);
      asked.resolve();
      await goesOn.promise;
      const again = await context.client?.readTextFile?.({ path: '/a' });
      yield* say(context, 'b', again ?? '');
    }),
  );
  mailbox.attach(alice, 't', clientThatReads('first'))[Symbol.dispose]();
  await submit('one', { attachmentId: 'ide' });
  await asked.promise;
  mailbox.attach(alice, 't', clientThatReads('back again'));
  goesOn.resolve();
  await done('one');
  expect((await events()).flatMap((event) => (event.type === 'text.delta' ? event.delta : []))).toEqual([
    'client-gone',
    'back again',
  ]);
});

test('another actor’s client does not take its place, whatever it is called', async () => {
  const { mailbox, submit, done, events } = await open(scripted(readFile));
  mailbox.attach(alice, 't', clientThatReads('from the IDE'));
  mailbox.attach({ ...alice, actor: 'mallory' }, 't', clientThatReads('from mallory'));
  await submit('one', { attachmentId: 'ide' });
  await done('one');
  expect((await events()).find((event) => event.type === 'text.delta')).toMatchObject({ delta: 'from the IDE' });
});

test('one that leaves late takes nothing from the one that came back', async () => {
  const { mailbox, submit, done, events } = await open(scripted(readFile));
  const first = mailbox.attach(alice, 't', clientThatReads('first'));
  mailbox.attach(alice, 't', clientThatReads('second'));
  first[Symbol.dispose]();
  await submit('one', { attachmentId: 'ide' });
  await done('one');
  expect((await events()).find((event) => event.type === 'text.delta')).toMatchObject({ delta: 'second' });
});

test('the connection is no part of what tells a request from another', async () => {
  const { submit } = await open(scripted(readFile));
  const { runId } = await submit('one', { attachmentId: 'ide' });
  expect(await submit('one', { attachmentId: 'ide again' })).toMatchObject({ was: 'repeated', runId });
});

test('an agent is told the thread’s workspace and settings, also in a later attempt', async () => {
  const told: unknown[] = [];
  const { mailbox, submit, done } = await open(
    scripted(async function* ({ workspace, settings }, context) {
      told.push({ workspace, settings });
      if (context.attempt === 1) throw new Fault('agent-failed', 'not yet');
      yield* say(context, 'a', 'done');
    }),
    { limits: { backoffBaseMs: 1 } },
  );
  const workspace = { cwd: '/home/ann', additionalDirectories: [] };
  await mailbox.threads.create(alice, { id: 't', workspace, settings: { mode: 'calm', options: {} } });
  await submit('one');
  await done('one');
  expect(told).toEqual([
    { workspace, settings: { mode: 'calm', options: {} } },
    { workspace, settings: { mode: 'calm', options: {} } },
  ]);
});
