import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { clients } from '../support/ag-ui-clients.ts';
import { Frontend } from '../support/ag-ui-frontend.ts';
import { GatewayProcess, temporaryDirectory } from '../support/gateway-process.ts';

const [client] = clients;

test('a limit that is configured is the one that holds', { tags: 'limits-can-be-set' }, async () => {
  await using directory = await temporaryDirectory();
  const outcomes: (string | undefined)[] = [];
  for (const maxAttempts of [2, 3]) {
    const config = join(directory.path, 'anyport.yaml');
    await writeFile(config, `limits: { maxAttempts: ${maxAttempts}, backoffBaseMs: 1 }`);
    const gateway = await GatewayProcess.start(join(directory.path, 'data'), { args: ['--config', config] });
    const turn = await new Frontend(client, { url: gateway.url }).say('/fail transient 2');
    outcomes.push(turn.outcome);
    await gateway.stop();
  }
  expect(outcomes).toEqual([expect.stringMatching(/^error/), 'success']);
});
