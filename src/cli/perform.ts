import { Unreachable } from '../client/index.ts';
import { Fault } from '../fault.ts';
import type { CallInvocation } from './command.ts';
import { type ExitCode, exitCodeOf } from './exit-code.ts';
import { messageOf, note, type Terminal } from './terminal.ts';

/** Carries out a command; whatever is foreseen becomes one line and an exit code. */
export async function perform(invocation: CallInvocation, terminal: Terminal): Promise<ExitCode> {
  try {
    return await invocation.act(terminal);
  } catch (thrown) {
    if (isClosedPipe(thrown)) return 0;
    if (terminal.signal.aborted) return 130;
    if (!(thrown instanceof Fault)) throw thrown;
    const hint = thrown instanceof Unreachable ? '; start one with anyport serve, or name another with --url' : '';
    await note(terminal, `anyport: ${messageOf(thrown)}${hint}`);
    return exitCodeOf(thrown.code);
  }
}

/** Whoever read our output has seen enough. */
function isClosedPipe(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'EPIPE';
}
