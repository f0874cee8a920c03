import * as z from 'zod';
import type { WhenBusy } from '../../schemas/activation.ts';
import type { RunReceipt } from '../../schemas/control.ts';
import type { RunId, ThreadId } from '../../schemas/id.ts';
import { Fault } from '../fault.ts';
import { AnswerText } from './answer-text.ts';
import { any, call, Id, Switch } from './command.ts';
import type { ExitCode } from './exit-code.ts';
import { followRun } from './follow-run.ts';
import { jsonLine } from './output.ts';
import { note, show, type Terminal, typed } from './terminal.ts';

export const send = call({
  what: 'sends a message, or what stdin holds, and shows the answer as it comes',
  words: [any('text')],
  flags: {
    thread: { takes: 'T', what: 'the conversation to go on with (default a new one)' },
    agent: { takes: 'A', what: 'who is to answer (default the first that is served)' },
    steer: { what: 'if the thread is busy: into the running turn' },
    interrupt: { what: 'if the thread is busy: instead of what runs' },
    reject: { what: 'if the thread is busy: not at all' },
    key: { takes: 'K', what: 'names the request: the same again gets the same run' },
    'no-follow': { what: 'does not wait for the answer' },
  },
  ask: z
    .object({
      text: z.array(z.string()),
      thread: Id.optional(),
      agent: Id.optional(),
      steer: Switch,
      interrupt: Switch,
      reject: Switch,
      key: z
        .string()
        .regex(/^[ -~]{1,512}$/, 'must be 1 to 512 characters of ASCII')
        .optional(),
      'no-follow': Switch,
    })
    .refine(({ steer, interrupt, reject }) => [steer, interrupt, reject].filter(Boolean).length <= 1, {
      error: 'of --steer, --interrupt and --reject only one can be',
    }),
  async run({ text: words, thread, agent, steer, interrupt, reject, key, 'no-follow': noFollow }, terminal) {
    const { client, signal } = terminal;
    const text = await messageOf(words, terminal);
    const whenBusy: WhenBusy = steer ? 'steer' : interrupt ? 'interrupt' : reject ? 'reject' : 'queue';
    // What the running turn said before is not the answer.
    const after = steer && thread !== undefined ? await positionOf(thread, terminal) : undefined;
    const receipt = await client.submit(
      { text, whenBusy, ...(thread && { threadId: thread }), ...(agent && { agentId: agent }) },
      { idempotencyKey: key, signal },
    );
    return noFollow ? showReceipt(receipt, terminal) : showAnswer(receipt, after, terminal);
  },
});

async function messageOf(words: readonly string[], { stdin }: Terminal): Promise<string> {
  const readsStdin = words.length === 0 ? !stdin.isTerminal : words.length === 1 && words[0] === '-';
  const text = readsStdin ? (await stdin.read()).trimEnd() : words.join(' ');
  if (text.trim() === '') throw new Fault('config-invalid', 'send: TEXT is missing; usage: anyport send [TEXT...]');
  return text;
}

/** Where the thread's log stands; undefined: it begins. */
async function positionOf(threadId: ThreadId, { client }: Terminal): Promise<string | undefined> {
  try {
    const { logId, head } = await client.thread(threadId);
    return `${logId}.${head}`;
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.code === 'not-found') return undefined;
    throw thrown;
  }
}

async function showReceipt(receipt: RunReceipt, terminal: Terminal): Promise<ExitCode> {
  await show(terminal, receipt, () => `${receipt.runId}\n`);
  if (!terminal.json) {
    await note(terminal, standing(receipt));
    await note(terminal, `to see it: ${typed(terminal, 'runs', 'tail', receipt.runId)}`);
  }
  return 0;
}

async function showAnswer(receipt: RunReceipt, after: string | undefined, terminal: Terminal): Promise<ExitCode> {
  const { client, json, out, signal } = terminal;
  const { runId, threadId, activationId, became } = receipt;
  if (json) await out.write(jsonLine(receipt));
  else await note(terminal, standing(receipt));
  const answer = new AnswerText(terminal);
  let wasTaken = became !== 'pending';
  const follow = (id: RunId, from?: string): Promise<ExitCode> =>
    followRun(terminal, id, {
      after: from,
      show: async (event) => {
        wasTaken ||= event.type === 'input.taken' && event.activation === activationId;
        await (json ? out.write(jsonLine(event)) : answer.show(event));
      },
    });
  const code = await follow(runId, became === 'pending' ? after : undefined);
  if (wasTaken || signal.aborted) return code;
  // The turn ended before it took this: a run of its own does.
  const { state } = await client.activation(threadId, activationId);
  return state.is === 'retracted' || state.runId === runId ? code : follow(state.runId);
}

function standing({ threadId, became, blockedBy }: RunReceipt): string {
  switch (became) {
    case 'running':
      return `thread ${threadId}`;
    case 'queued':
      return `thread ${threadId}: queued behind what runs`;
    case 'pending':
      return `thread ${threadId}: on its way into the running turn`;
    case 'blocked':
      return `thread ${threadId}: behind a run that waits for answers to ${blockedBy.join(', ')}`;
    case 'answered':
      return `thread ${threadId}: answered by a run that had ended`;
  }
}
