import type { RunId } from '../../schemas/id.ts';
import type { RunEvent } from '../../schemas/run-event.ts';
import type { Fault } from '../fault.ts';
import { type ExitCode, exitCodeOfRun } from './exit-code.ts';
import { note, type Terminal, typed } from './terminal.ts';

/** Hands on what a run records until it ends. Ctrl-C leaves the run alone. */
export async function followRun(
  terminal: Terminal,
  runId: RunId,
  { after, show }: { readonly after?: string | undefined; readonly show: (event: RunEvent) => Promise<void> },
): Promise<ExitCode> {
  const { client, signal } = terminal;
  const onCut = (why: Fault, attempt: number): void => {
    if (attempt === 2) void note(terminal, `! ${why.message}; trying again`);
  };
  for await (const { event } of client.follow({ runId }, { after, signal, onCut })) {
    await show(event);
    if (event.type === 'run.finished') return exitCodeOfRun(event.outcome);
  }
  if (!signal.aborted) {
    const { outcome } = (await client.run(runId)).run;
    return outcome === undefined ? 1 : exitCodeOfRun(outcome);
  }
  await note(terminal, `\n${runId} goes on without you; to see it again: ${typed(terminal, 'runs', 'tail', runId)}`);
  return 130;
}
