// Stock AG-UI clients that survive cuts, join a thread, and stop its runs. None of the three is in the protocol.
// https://docs.ag-ui.com/spec/1.0/basic/transports/http-sse
import { HttpAgent, type RunAgentInput } from '@ag-ui/client';
import { type Fetch, resumableFetch, type ResumableFetchOptions } from './resumable-fetch.ts';

/** What is used of the `HttpAgent` of @ag-ui/client, 0.0.57 and newer. Versions differ in their types. */
export interface StockHttpAgent {
  url: string;
  threadId: string;
  fetch: Fetch;
  abortController: AbortController;
  pendingInterrupts: unknown[];
  run(input: any): unknown;
  connectAgent(parameters?: any, subscriber?: any): Promise<unknown>;
}

/** Protected in the stock client, for those who extend it. */
interface Extensible {
  requestInit(input: RunAgentInput): RequestInit;
}

export interface Cancellable {
  /**
   * Stops the request with this `runId`, or without one all that this caller brought in on the thread. Resolves when that is
   * on record; whoever looks on sees the run end as cancelled. (`abortRun` only stops looking.)
   * @throws Error `HTTP <status>: <body>`
   */
  cancel(runId?: string): Promise<void>;
}

type HttpAgentClass = new (...args: any[]) => StockHttpAgent;

/**
 * An `HttpAgent` whose streams outlive their connections (`resumableFetch`, around a `fetch` of its configuration), whose
 * `connectAgent()` shows the thread as it is and what runs on it to its end, and which can `cancel`.
 */
export function resumable<Base extends HttpAgentClass>(
  base: Base,
  options: Omit<ResumableFetchOptions, 'fetch'> = {},
): Base & (new (...args: any[]) => Cancellable) {
  // Stock clients are cloned without their constructor: nothing here may be kept in a private field.
  class Resumable extends base implements Cancellable {
    constructor(...args: any[]) {
      super(...args);
      this.fetch = resumableFetch({ ...options, fetch: this.fetch });
    }

    /** The gateway is asked what is open, so what the client holds of that does not keep it from asking. */
    override async connectAgent(parameters?: any, subscriber?: any): Promise<unknown> {
      const { pendingInterrupts } = this;
      this.pendingInterrupts = [];
      this.abortController = new AbortController();
      try {
        return await super.connectAgent(parameters, subscriber);
      } catch (thrown) {
        this.pendingInterrupts = pendingInterrupts;
        throw thrown;
      }
    }

    /** Called by `connectAgent`: the stock client's own `run`, asking elsewhere. */
    connect({ threadId, protocolVersion }: RunAgentInput): unknown {
      const version = protocolVersion === undefined ? '' : `?protocolVersion=${protocolVersion}`;
      const init = requestOf(this, 'GET');
      const joining = Object.create(this, {
        url: { value: `${threadUrl(this)}/stream${version}` },
        requestInit: { value: () => init },
        fetch: { value: async (url: string) => nothingIfUnknown(await this.fetch(url, init)) },
      }) as this;
      return super.run.call(joining, emptyInput(threadId));
    }

    async cancel(runId?: string): Promise<void> {
      const query = runId === undefined ? '' : `?runId=${encodeURIComponent(runId)}`;
      // Whoever stops looking first must still be able to stop the run.
      const { signal: _, ...init } = requestOf(this, 'POST');
      const response = await this.fetch(`${threadUrl(this)}/cancel${query}`, init);
      if (!response.ok) throw new Error(`HTTP ${response.status}: ${await response.text()}`);
    }
  }
  return Resumable;
}

/** The `HttpAgent` of the installed @ag-ui/client, made resumable. */
export class ResumableHttpAgent extends resumable(HttpAgent) {}

/** As the client makes its requests, with whatever it was extended to add, but without a body. */
function requestOf(agent: StockHttpAgent, method: 'GET' | 'POST'): RequestInit {
  const { body: _, ...init } = (agent as StockHttpAgent & Extensible).requestInit(emptyInput(agent.threadId));
  const headers = new Headers(init.headers);
  headers.delete('content-type');
  return { ...init, method, headers: Object.fromEntries(headers) };
}

/** What the stock client insists on. It is not sent. */
function emptyInput(threadId: string): RunAgentInput {
  return { threadId, runId: '', state: {}, messages: [], tools: [], context: [], forwardedProps: {} };
}

/** Threads are beside agents: `/ag-ui/threads/{threadId}` and `/ag-ui/{agentId}`. */
function threadUrl({ url, threadId }: StockHttpAgent): string {
  const path = url.replace(/[?#].*$/su, '').replace(/\/+$/u, '');
  return `${path.slice(0, path.lastIndexOf('/'))}/threads/${encodeURIComponent(threadId)}`;
}

/** A thread of which nothing was said yet is empty, and no error. */
async function nothingIfUnknown(response: Response): Promise<Response> {
  if (response.status !== 404) return response;
  const { code } = (await response
    .clone()
    .json()
    .catch(() => ({}))) as { readonly code?: string };
  return code === 'NOT_FOUND' ? new Response('', { headers: { 'content-type': 'text/event-stream' } }) : response;
}
