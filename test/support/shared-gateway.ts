import { afterAll, beforeAll, expect } from 'vitest';
import type { Frontend } from './ag-ui-frontend.ts';
import { GatewayProcess, temporaryDirectory } from './gateway-process.ts';
import { violations } from './store-violations.ts';

export interface SharedGateway {
  /** Once the tests run. */
  readonly url: string;
  /** Pages that the tests open: what they were told is held against the store in the end. */
  readonly pages: Frontend[];
}

/** One gateway for all tests of a file. When they are done, nothing that it kept or told breaks an invariant. */
export function shareGateway(): SharedGateway {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let gateway: GatewayProcess;
  const pages: Frontend[] = [];
  beforeAll(async () => {
    directory = await temporaryDirectory();
    gateway = await GatewayProcess.start(directory.path);
  });
  afterAll(async () => {
    expect(await gateway.stop()).toBe(0);
    expect(await violations(directory.path, { transcripts: pages.flatMap((page) => page.transcripts) })).toEqual([]);
    await directory[Symbol.asyncDispose]();
  });
  return {
    get url() {
      return gateway.url;
    },
    pages,
  };
}
