import { isDeepStrictEqual } from 'node:util';
import { textOf } from '../../schemas/part.ts';
import type { Store } from '../../src/mailbox/store.ts';
import type { Promises } from './chaos-caller.ts';

/** Holds what callers were told against a store at rest. Returns what does not hold. */
export async function brokenPromises(store: Store, promises: Promises): Promise<string[]> {
  const broken: string[] = [];
  const edited = new Map<string, { revision: number; text: string }>();
  for (const { scope, threadId, activationId, revision, text } of promises.edits) {
    const name = JSON.stringify([scope, threadId, activationId]);
    const activation = await store.findRecord({ scope, threadId }, 'activation', activationId);
    if (activation === undefined || activation.revision < revision) broken.push(`an edit of ${name} is lost`);
    if (activation?.revision === revision) edited.set(name, { revision, text });
  }
  for (const { scope, receipt, text } of promises.receipts) {
    const { threadId, activationId, ...received } = receipt;
    const thread = { scope, threadId };
    const name = JSON.stringify([scope, threadId, activationId]);
    const activation = await store.findRecord(thread, 'activation', activationId);
    if (activation === undefined) {
      broken.push(`${name} was accepted and is not there`);
      continue;
    }
    if (!isDeepStrictEqual(activation.received, received)) broken.push(`${name} was received otherwise than said`);
    const { state, revision, messageIds } = activation;
    if (state.is !== 'answered' && state.is !== 'retracted') {
      broken.push(`${name} is ${state.is} for ever`);
      continue;
    }
    const run = state.is === 'answered' ? await store.findRecord(thread, 'run', state.runId) : undefined;
    const wasTaken = run?.firstSeq !== undefined;
    const messages = await Promise.all(messageIds.map((id) => store.findRecord(thread, 'message', id)));
    const said = messages.flatMap((message) => (message === undefined ? [] : [textOf(message.parts)]));
    const now = edited.get(name)?.text ?? (revision === 1 ? text : undefined);
    if (wasTaken !== (said.length === 1))
      broken.push(`${name} was ${wasTaken ? '' : 'not '}taken, and it says ${said.join()}`);
    if (wasTaken && now !== undefined && said[0] !== now) broken.push(`${name} says ${said.join()} for ${now}`);
  }
  for (const { scope, threadId, activationId } of promises.retracted) {
    const activation = await store.findRecord({ scope, threadId }, 'activation', activationId);
    if (activation?.state.is !== 'retracted')
      broken.push(`${activationId} was taken back, and is ${activation?.state.is}`);
  }
  for (const { scope, ticket } of promises.decisions) {
    const kept = await store.findRecord({ scope, threadId: ticket.threadId }, 'ticket', ticket.id);
    if (!isDeepStrictEqual(kept?.closed?.decision, ticket.closed?.decision))
      broken.push(`${ticket.id} is decided anew`);
  }
  for (const { scope, runId, outcome } of promises.ended) {
    const thread = await store.locate(scope, 'run', runId);
    const run = thread === undefined ? undefined : await store.findRecord(thread, 'run', runId);
    if (!isDeepStrictEqual(run?.outcome, outcome)) broken.push(`${runId} ended otherwise than was said`);
  }
  return broken;
}
