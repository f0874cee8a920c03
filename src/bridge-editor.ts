import { bridgeStdio } from '../adapters/acp/stdio.ts';
import type { ExitCode } from './cli/exit-code.ts';
import { AnyportClient } from './client/index.ts';
import { systemClock } from './clock.ts';
import { leaveStdout } from './server/log.ts';

const drainMs = 2000;

/** Leads the editor that started this process to an agent behind a gateway that runs. */
export async function bridgeEditor({
  agent,
  url,
  token,
}: {
  readonly agent: string | undefined;
  readonly url: string;
  readonly token: string | undefined;
}): Promise<ExitCode> {
  const log = leaveStdout({ level: 'warn' });
  const { stdin: input, stdout: output } = process;
  const agentId = async (signal: AbortSignal): Promise<string> => {
    if (agent !== undefined) return agent;
    const client = new AnyportClient({ url, token, signal, retry: { attempts: 1, firstMs: 100 } });
    return (await client.agents())[0]?.id ?? '';
  };
  await bridgeStdio({ input, output, drainMs, clock: systemClock, log, url, token, agentId });
  return 0;
}
