import type { Activation } from '../../schemas/activation.ts';
import type { ThreadStatus } from '../../schemas/control.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { Run } from '../../schemas/run.ts';
import type { Gateway, Receipt, Submission } from '../../src/gateway.ts';
import { card } from './ag-ui-fake-gateway.ts';

/** What a test lets its gateway do, by name: `submit`, `threads.find`. */
export type Deeds = Readonly<Record<string, (...args: never[]) => unknown>>;

export interface Stub {
  readonly gateway: Gateway;
  /** What was asked of it, in order. */
  readonly called: { readonly name: string; readonly args: readonly unknown[] }[];
  readonly stop: () => void;
}

/** A gateway that does what the test says, and fails at anything else. */
export function stubGateway(deeds: Deeds = {}): Stub {
  const called: { name: string; args: readonly unknown[] }[] = [];
  const stopping = new AbortController();
  const at = (path: string): unknown =>
    new Proxy(() => undefined, {
      get: (_, name) => at(`${path}.${String(name)}`),
      apply(_, __, args: unknown[]) {
        called.push({ name: path, args });
        const deed = deeds[path] as ((...given: unknown[]) => unknown) | undefined;
        if (deed === undefined) throw new Error(`nobody expected ${path}`);
        return deed(...args);
      },
    });
  const gateway = new Proxy({} as Gateway, {
    get(_, name) {
      if (name === 'stopping') return stopping.signal;
      if (name === 'agents') return () => [card];
      return at(String(name));
    },
  });
  const stop = (): void => {
    stopping.abort();
  };
  return { gateway, called, stop };
}

export function receiptFor({ key, agentId }: Submission, was: Receipt['was'] = 'accepted'): Receipt {
  const received = { became: 'running', runId: 'run_1', blockedBy: [] } as const;
  const activation: Activation = {
    id: `control:${key}`,
    door: 'control',
    key,
    actor: 'local',
    agentId,
    digest: 'secret digest',
    acceptedAtMs: 1,
    logId: 'log_1',
    afterSeq: 0,
    endsAt: 'done',
    revision: 1,
    warnings: [],
    received: { ...received, blockedBy: [] },
    messageIds: [],
    state: { is: 'attached', runId: 'run_1', fromSeq: 1 },
  };
  return { activation, was, ...received };
}

export function statusOf(head: number): ThreadStatus {
  const thread = { scope: 'local', id: 't', contextId: 't', settings: { options: {} }, state: {}, metadata: {} };
  return { thread: { ...thread, createdAtMs: 1 }, logId: 'log_1', head, waiting: 0 };
}

export function runOf(change: Partial<Run> = {}): Run {
  return {
    id: 'run_1',
    threadId: 't',
    agentId: 'demo',
    agentVersion: '1',
    status: 'running',
    actor: 'local',
    attempt: 1,
    interruptions: 0,
    activations: ['control:k'],
    rootRunId: 'run_1',
    deliveries: [],
    createdAtMs: 1,
    ...change,
  };
}

/** One line of talk in a log, under a claim. */
export function noticeOf(seq: number, text = `number ${seq}`, runId = 'run_1'): RunEvent {
  return { seq, atMs: 1, threadId: 't', runId, attempt: 1, token: 'clm_secret', type: 'notice', level: 'info', text };
}

export function finishedAt(seq: number, runId = 'run_1'): RunEvent {
  const outcome = { type: 'completed', stop: 'end_turn', pendingToolCalls: [] } as const;
  return {
    seq,
    atMs: 1,
    threadId: 't',
    runId,
    token: 'clm_secret',
    type: 'run.finished',
    outcome: { ...outcome, pendingToolCalls: [] },
  };
}
