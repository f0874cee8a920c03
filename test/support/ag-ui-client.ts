import type { Fetch } from '../../adapters/ag-ui/client/index.ts';
import type { ProfileName } from '../../adapters/ag-ui/profile.ts';
import { type Client, clients, setFetch } from './ag-ui-clients.ts';

/** An event as it came off the wire; a test looks at what it asserts. */
export interface WireObject {
  readonly type: string;
  readonly [member: string]: unknown;
}

/** What a stock client has after a run. */
export interface Received {
  readonly events: readonly WireObject[];
  readonly messages: readonly (WireObject & { readonly id: string; readonly role: string })[];
  readonly state: unknown;
  readonly interrupts: readonly { readonly id: string }[];
}

export interface AgentInput {
  readonly url: string;
  readonly threadId: string;
  readonly runId: string;
  readonly messages?: readonly object[];
  readonly state?: unknown;
  readonly more?: object;
  readonly fetch?: Fetch;
}

/**
 * A stock client, or the newest one of an era: its whole pipeline, its verifier and reducer included. It rejects what
 * breaks a rule.
 */
export async function runStockClient(client: Client | ProfileName, input: AgentInput): Promise<Received> {
  const events: WireObject[] = [];
  const { url, threadId, messages = [], state = {}, runId, more, fetch } = input;
  const [current, former] = clients;
  const { HttpAgent } = typeof client === 'object' ? client : client === '1.x' ? current : former;
  const agent = new HttpAgent({ url, threadId, initialMessages: messages as never, initialState: state });
  if (fetch !== undefined) setFetch(agent, fetch);
  const subscriber = {
    onEvent({ event }: { event: object }) {
      events.push(structuredClone(event) as WireObject);
    },
  };
  await agent.runAgent({ runId, ...more }, subscriber);
  const interrupts = (agent.pendingInterrupts as typeof agent.pendingInterrupts | undefined) ?? [];
  return { events, messages: agent.messages as never, state: agent.state as unknown, interrupts };
}

/** Feeds a stock client a stream that is already there. */
export async function readStream(
  client: Client | ProfileName,
  sse: string,
  input: Pick<AgentInput, 'messages' | 'state'> & { readonly threadId: string; readonly runId: string },
): Promise<Received> {
  const respond = async (): Promise<Response> =>
    new Response(sse, { headers: { 'content-type': 'text/event-stream' } });
  return await runStockClient(client, { url: 'http://gateway.test/', ...input, fetch: respond });
}

/** The events of a stream as they are on the wire, with their ids. */
export function parseSse(sse: string): { readonly id: string | undefined; readonly event: WireObject }[] {
  return sse
    .split('\n\n')
    .filter((block) => block.includes('data: '))
    .map((block) => {
      const lines = block.split('\n');
      const valueOf = (field: string): string | undefined =>
        lines.find((line) => line.startsWith(field))?.slice(field.length);
      return { id: valueOf('id: '), event: JSON.parse(valueOf('data: ') ?? '') as WireObject };
    });
}
