import type { Doors, Passer } from './doors.ts';

/** How a turn ended, as its door told it. */
export type Ending =
  | { readonly is: 'completed' | 'cancelled' }
  /** `code`: the fault's, in whichever letters the door writes it. `told`: all that was said of it. */
  | { readonly is: 'failed'; readonly code: string; readonly told: string };

export interface Question {
  /** By the door's own name of it. */
  readonly id: string;
  readonly text: string;
}

export type Reply = 'approve' | 'deny' | 'dismiss' | { readonly value: object };

/** What somebody is shown of a turn, whether it is their own or they look on. */
export interface Shown {
  /** What the agent said in it until now. */
  readonly text: string;
  /** What it thought. */
  readonly thought: string;
  /** The results of its tool calls. */
  readonly results: readonly string[];
  /** The open questions, once there are so many. */
  asks(count: number): Promise<readonly Question[]>;
  /** Answers, in this order. */
  answer(...replies: readonly (readonly [Question, Reply])[]): Promise<void>;
  /** Gives an answer that is none. Resolves with why, and the question, which is open still. */
  answerWrongly(question: Question, value: object): Promise<{ readonly why: string; readonly question: Question }>;
}

/** One's own turn. */
export interface Turn extends Shown {
  /** Never rejects; never resolves for a connection that was cut. */
  readonly ended: Promise<Ending>;
  cancel(): Promise<void>;
}

/** Somebody at a door, by the official client of its protocol; all that they say is of one conversation. */
export interface Visitor extends AsyncDisposable {
  /** The conversation, as this door names it. */
  readonly conversation: string;
  say(text: string): Turn;
  /** Breaks the connection off. */
  cut(): Promise<void>;
  /** Connects anew, and is shown the latest turn from its beginning to its end. */
  comeBack(): Promise<Shown>;
  /** A conversation as a newcomer is shown it, a line a message: `user: hello`. Empty where there is none to be seen. */
  read(conversation?: string): Promise<readonly string[]>;
  /** Asks for what is nothing. Resolves with the name or code of the protocol’s error. */
  talkNonsense(): Promise<string>;
}

export interface Visit {
  readonly as: Passer;
  readonly agentId?: string;
  /** By default one of its own. */
  readonly conversation?: string;
}

export type OpenVisitor = (doors: Doors, visit: Visit) => Promise<Visitor>;

/** What is asked, once something is. */
export async function questionOf(shown: Shown): Promise<Question> {
  const [question] = await shown.asks(1);
  if (question === undefined) throw new Error('nothing is asked');
  return question;
}
