export type { Answer, Question } from '../../schemas/ticket.ts';
export type {
  QueueEdit,
  QueueEntry,
  RunInput,
  RunReceipt,
  RunReport,
  RunSubmission,
  ShownTicket,
  StopReport,
  ThreadFork,
  ThreadInput,
  ThreadPatch,
  ThreadStatus,
} from '../../schemas/control.ts';
export type { AgentCard } from '../../schemas/agent-card.ts';
export type { FaultCode } from '../../schemas/fault.ts';
export type { Message } from '../../schemas/message.ts';
export type { Run } from '../../schemas/run.ts';
export type { RunEvent } from '../../schemas/run-event.ts';
export type { DeadWebhook } from '../../schemas/subscription.ts';
export type { Thread } from '../../schemas/thread.ts';
export { Fault } from '../fault.ts';
export type { Backoff } from './backoff.ts';
export {
  AnyportClient,
  type AnyportClientOptions,
  type Page,
  type PageRequest,
  type RunFilter,
  type ShownActivation,
  type SubmitOptions,
  type TicketFilter,
} from './client.ts';
export type { Followed, FollowedEvent, FollowOptions } from './follow.ts';
export { Problem, Unreachable } from './problem.ts';
export type { WaitOptions } from './wait.ts';
