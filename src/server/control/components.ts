import * as z from 'zod';
import { ActivationOutcome, ClientTool, TicketAnswer, ToolResultInput } from '../../../schemas/activation.ts';
import { AgentCard } from '../../../schemas/agent-card.ts';
import {
  QueueEdit,
  QueueEntry,
  QueueOrder,
  RunReceipt,
  ShownTicket,
  StopReport,
  ThreadFork,
  ThreadInput,
  ThreadPatch,
  ThreadStatus,
  TicketDecision,
} from '../../../schemas/control.ts';
import { FaultRecord } from '../../../schemas/fault.ts';
import { Json, JsonObject } from '../../../schemas/json.ts';
import { Message, MessageInput, ToolCall } from '../../../schemas/message.ts';
import { MediaSource, Part } from '../../../schemas/part.ts';
import { Outcome } from '../../../schemas/run.ts';
import { EventBody } from '../../../schemas/run-event.ts';
import { Thread, ThreadSettings, Workspace } from '../../../schemas/thread.ts';
import { Answer, Decision, TicketOption } from '../../../schemas/ticket.ts';
import { Problem } from '../../problem.ts';
import { ShownActivation, ShownEvent, ShownReport, ShownRun, View } from './shown.ts';
import { SoundInput, SoundSubmission } from './submission.ts';

/** Schemas with a name of their own in the OpenAPI document, and what they are. */
export const components: Readonly<Record<string, readonly [schema: z.ZodType, description: string]>> = {
  RunSubmission: [
    SoundSubmission,
    'What to run: new messages on a thread, as `text` or `messages` but not both, answers to its open questions, or results ' +
      'of tools that were left to the client. At least one of them.',
  ],
  RunInput: [SoundInput, 'New input for one run, as `text` or `messages` but not both.'],
  RunReceipt: [
    RunReceipt,
    'How a request entered. `running`: its run executes. `queued`: behind others. `pending`: input for the running turn, ' +
      'taken at its next boundary. `blocked`: behind a run that waits for answers to `blockedBy`.',
  ],
  Run: [ShownRun, 'The truth of one execution.'],
  RunReport: [ShownReport, 'A run, the open questions that it waits for, and once it is done what it wrote.'],
  Outcome: [Outcome, 'How a run ended.'],
  StopReport: [StopReport, 'What a cancel or an interrupt reached: runs, and requests that no run had taken.'],
  Thread: [Thread, 'One conversation.'],
  ThreadStatus: [ThreadStatus, 'A thread, and what happens on it now.'],
  ThreadInput: [ThreadInput, 'A thread to be made. Without an id it gets a new name.'],
  ThreadPatch: [ThreadPatch, 'What changes. What is absent stays, `null` removes.'],
  ThreadFork: [ThreadFork, 'A thread to be made of the messages up to `at`, or to the head.'],
  ThreadSettings: [ThreadSettings, 'How agents are to work on a thread.'],
  Workspace: [Workspace, 'Where agents are to work.'],
  View: [View, 'A thread as of one event.'],
  Message: [Message, 'A message of a thread: a node of its tree. It never changes.'],
  MessageInput: [MessageInput, 'A message as a client sends it. Without an id it gets one.'],
  ToolCall: [ToolCall, 'A call that an assistant made; `args` is JSON text as the model wrote it.'],
  Part: [Part, 'One piece of content.'],
  MediaSource: [MediaSource, 'Where bytes are: here as base64, in the thread’s blobs, at a URL, or with a provider.'],
  ClientTool: [ClientTool, 'A tool that the client offers to execute. `parameters` is a JSON Schema.'],
  ToolResultInput: [ToolResultInput, 'The result of a tool call that a run left to the client.'],
  Activation: [ShownActivation, 'One caller’s request on a thread, and what became of it.'],
  ActivationOutcome: [ActivationOutcome, 'How a request was answered: its run ended, or waits for a person.'],
  QueueEntry: [QueueEntry, 'A request that no run has taken.'],
  QueueEdit: [QueueEdit, 'Other messages for a request that waits, at the revision that was read.'],
  QueueOrder: [QueueOrder, 'Requests in the order in which they are to be taken.'],
  Ticket: [ShownTicket, 'A question to a person. How it was closed is left out where the answer is a secret.'],
  TicketOption: [TicketOption, 'An answer that a question offers.'],
  TicketAnswer: [TicketAnswer, 'An answer to one question.'],
  TicketDecision: [TicketDecision, 'An answer. The same `decisionId` again is a no-op.'],
  Answer: [Answer, 'Only `approve` approves, only `deny` denies; `dismiss` declines to answer.'],
  Decision: [Decision, 'How a question closed.'],
  Event: [ShownEvent, 'One fact of a thread’s log, numbered from 1 without gaps.'],
  EventBody: [EventBody, 'What happened.'],
  AgentCard: [AgentCard, 'What an agent is and can.'],
  Fault: [FaultRecord, 'Why something was refused or failed.'],
  Problem: [Problem, 'A refusal (RFC 9457). `code` is stable, `path` names what of the request is wrong.'],
  Json: [Json, 'Any JSON value.'],
  JsonObject: [JsonObject, 'Any JSON object.'],
};
