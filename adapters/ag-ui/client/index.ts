export { type Cancellable, resumable, ResumableHttpAgent, type StockHttpAgent } from './resumable-agent.ts';
export { type Fetch, resumableFetch, type ResumableFetchOptions } from './resumable-fetch.ts';
