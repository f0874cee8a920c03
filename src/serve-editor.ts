import { serveStdio } from '../adapters/acp/stdio.ts';
import type { ExitCode } from './cli/exit-code.ts';
import { systemClock } from './clock.ts';
import { Fault } from './fault.ts';
import { withMailbox } from './open-mailbox.ts';
import type { LoadedConfig } from './server/config.ts';
import { leaveStdout } from './server/log.ts';
import { stopSignal } from './server/stop-signals.ts';

const clock = systemClock;
const drainMs = 2000;

/** The editor that started this process is the only caller; its end of the streams is the end of the process. */
export async function serveEditor(loaded: LoadedConfig, agentId: string | undefined): Promise<ExitCode> {
  const log = leaveStdout(loaded.settings.log);
  const url = (): string => loaded.settings.publicUrl ?? '';
  await withMailbox(loaded, { log, url }, async ({ mailbox, agents }) => {
    const card = agentId === undefined ? agents.default.card : mailbox.findAgent(agentId);
    if (card === undefined) throw new Fault('config-invalid', `--agent: no agent has the id ${agentId}`);
    await mailbox.start();
    void stopSignal(process, () => process.exit(130)).then(() => mailbox.stop());
    try {
      const { stdin: input, stdout: output } = process;
      const principal = { scope: 'local', actor: 'local' };
      const { whenBusy } = loaded.settings.acp;
      const who = { principal, card, needsToken: false, whenBusy };
      await serveStdio({ input, output, drainMs, gateway: mailbox, clock, log, ...who });
    } finally {
      await mailbox.stop();
    }
  });
  return 0;
}
