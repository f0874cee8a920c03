/**
 * What a user or an operator of Anyport can rely on, a line each. A test that shows one names it in its options:
 *
 *     test('…', { tags: 'one-run-at-a-time' }, …)
 *
 * `npx vitest run --tags-filter=one-run-at-a-time` runs the tests of a behaviour, `npx vitest --list-tags` lists them
 * all. `from` are the numbers of the checklist that a behaviour covers; each of 1 to 238 is in this file once.
 */
export interface Behaviour {
  readonly says: string;
  readonly from: readonly number[];
}

declare module 'vitest' {
  interface TestTags {
    behaviour: BehaviourId;
  }
}

export type BehaviourId = keyof typeof behaviours;

export const behaviours = {
  // limits and names

  'limits-have-defaults': {
    says: 'A gateway without a configuration has a default for every limit.',
    from: [1],
  },
  'limits-can-be-set': {
    says: 'A limit that is configured is the one that holds.',
    from: [2],
  },
  'blank-names-are-refused': {
    says: 'A thread or a request without a name is refused, with the path of what is wrong.',
    from: [15],
  },
  'any-name-is-safe': {
    says: 'Names are kept exactly as given, whatever characters they hold, and never taken for one another; one that no URL can say is refused.',
    from: [17, 220],
  },

  // requests

  'bare-request-is-enough': {
    says: 'A thread and a message are enough of a request; everything else has a default.',
    from: [12, 27],
  },
  'first-agent-is-the-default': {
    says: 'A request that names no agent is for the first one that is served, and one that names no thread begins one.',
    from: [36],
  },
  'empty-request-is-refused': {
    says: 'A request without a message, an answer or a tool result is refused.',
    from: [13],
  },
  'answers-need-no-words': {
    says: 'A request may bring decisions alone, and each of them is judged.',
    from: [14, 24],
  },
  'messages-keep-their-order': {
    says: 'The messages of a request reach its run and its thread whole and in order.',
    from: [18],
  },
  'request-survives-the-queue': {
    says: 'All that a request brings reaches its run, also through the queue and a restart.',
    from: [19, 20, 22],
  },
  'request-says-who-asked': {
    says: 'Who acted, through which door, and whether a person or an agent asked is on record with a request.',
    from: [26, 28],
  },
  'faults-have-stable-codes': {
    says: 'A refusal has a stable code and says what is wrong.',
    from: [31],
  },
  'receipt-says-what-became': {
    says: 'A receipt names the run of a request and says whether it runs, is queued, is pending or is blocked.',
    from: [32, 106],
  },
  'same-request-is-one-run': {
    says: 'The same request again, at once or after its end, is the same run; another body under its key is refused.',
    from: [61, 62, 110],
  },
  'refused-request-writes-nothing': {
    says: 'A request that is refused leaves nothing behind.',
    from: [33, 54],
  },
  'refused-request-leaves-the-run-alone': {
    says: 'A request that is refused does nothing to the run that is open, be it running or waiting.',
    from: [94, 105],
  },
  'expected-run-must-be-open': {
    says: 'A request that expects a run is refused unless that run is the open one.',
    from: [52, 53, 143],
  },
  'session-of-an-editor-is-checked': {
    says: 'An editor’s relative folder or unknown session is refused, its unknown notification ignored, its bad JSON answered.',
    from: [234],
  },
  'approval-completes-the-prompt': {
    says: 'An approval given by an editor’s official client completes the prompt.',
    from: [235],
  },
  'question-an-editor-cannot-show': {
    says: 'A question that an editor cannot show ends its prompt with the question in words.',
    from: [236],
  },
  'branch-needs-its-message': {
    says: 'A branch hangs on a message that is there, or is refused.',
    from: [224],
  },

  // threads and queues

  'accepted-run-is-on-record': {
    says: 'A run is on record and in the log from its acceptance on, before it starts.',
    from: [34],
  },
  'next-run-knows-the-last': {
    says: 'A run begins with the messages and the shared state that the runs before it left.',
    from: [35],
  },
  'run-keeps-agent-version': {
    says: 'A run says which version of its agent its request was accepted for, also when another one executes it.',
    from: [55],
  },
  'requests-at-once-lose-nothing': {
    says: 'Requests that come to one thread at the same time all enter, each once.',
    from: [56, 70],
  },
  'one-run-at-a-time': {
    says: 'A thread executes one run at a time; others wait in its queue.',
    from: [63, 66, 69, 103, 107],
  },
  'priority-then-order': {
    says: 'What waits goes by priority, and within a priority in the order in which it came.',
    from: [65],
  },
  'threads-do-not-block-each-other': {
    says: 'Threads never wait for one another, and a waiting run takes no slot.',
    from: [67],
  },
  'next-run-starts-by-itself': {
    says: 'When a run ends, the next of its thread starts by itself.',
    from: [109],
  },
  'ready-work-is-found': {
    says: 'Every thread with something to start is found, in turns over scopes and actors.',
    from: [83],
  },
  'work-waits-for-its-time': {
    says: 'What is to start later starts when its time comes, not before, and needs no event to do so.',
    from: [64, 75, 111],
  },
  'lost-wake-is-made-up-for': {
    says: 'A wake-up that is lost, or that comes while nothing can start, costs a bounded delay and no work.',
    from: [204, 205, 206, 207],
  },
  'ended-run-is-not-reused': {
    says: 'A run that is done stays done: what comes later is a run of its own.',
    from: [44, 45, 76, 171],
  },
  'queued-input-starts-its-own-run': {
    says: 'What is queued behind a waiting run never executes as that run, nor against one that is done.',
    from: [58],
  },
  'old-events-are-purged': {
    says: 'Events of ended runs are evicted when they are old enough, and nothing that is still open.',
    from: [82, 198],
  },

  // a busy thread

  'busy-thread-does-as-asked': {
    says: 'A request says what to do on a busy thread: queue, steer, interrupt or reject.',
    from: [162],
  },
  'reject-refuses-on-a-busy-thread': {
    says: 'A request that does not want to wait is refused on a busy thread, with a conflict and not an error.',
    from: [102],
  },
  'steered-input-is-taken-once': {
    says: 'Input steered into a running turn is taken once, at a boundary, and enters the thread once.',
    from: [138, 148, 218],
  },
  'steer-falls-back-to-the-queue': {
    says: 'Input that the running turn cannot take becomes a run of its own, and the receipt says that it queues.',
    from: [139, 144],
  },
  'words-can-answer-a-waiting-run': {
    says: 'Words steered at a waiting run resume that very run, its questions still open.',
    from: [41, 42, 145],
  },
  'input-for-a-run-continues-it': {
    says: 'Input that belongs to a run continues it while it is open, and is never made part of another.',
    from: [163, 164, 217],
  },
  'waiting-input-can-be-changed': {
    says: 'Queued and pending input can be listed, edited, reordered and retracted, until a run has taken it.',
    from: [59, 216],
  },
  'client-copy-deletes-nothing': {
    says: 'A shorter or changed copy of a conversation branches; no message is deleted or appended twice.',
    from: [223],
  },

  // executing

  'claim-alone-may-write': {
    says: 'Only the claim that is current writes: whatever an earlier one still says changes nothing.',
    from: [71, 72, 81, 91],
  },
  'nothing-starts-unrecorded': {
    says: 'An agent is called only for a start that is durable.',
    from: [116],
  },
  'stopped-before-start-never-runs': {
    says: 'A run that is told to stop before its agent was called ends without calling it.',
    from: [92],
  },
  'answer-is-recorded-with-its-outcome': {
    says: 'What an agent wrote and how its run ended are recorded together.',
    from: [117, 120],
  },
  'attempts-are-numbered': {
    says: 'Every event says which attempt wrote it, and an agent is told its attempt.',
    from: [115],
  },
  'retries-fire-alone': {
    says: 'A failed attempt is retried when its delay is over: no request, no restart, nobody has to ask.',
    from: [11, 122],
  },
  'retry-delays-double': {
    says: 'The first retry waits the base delay, each further one twice as long, and none longer than the cap.',
    from: [6, 7, 8, 9],
  },
  'failed-attempt-is-told': {
    says: 'A failed attempt is in the log with its fault, the next attempt’s number and its time.',
    from: [73, 125],
  },
  'retry-is-no-end': {
    says: 'While a retry is pending nobody is told that the run has ended; in the end everybody is told once.',
    from: [127, 133],
  },
  'attempts-are-bounded': {
    says: 'A run whose agent keeps failing is dead after its last attempt, with the last fault.',
    from: [74, 169],
  },
  'permanent-fault-ends-at-once': {
    says: 'A fault that a retry cannot help ends its run after one attempt.',
    from: [118, 121, 124, 126],
  },
  'unreadable-work-holds-up-nobody': {
    says: 'Work that cannot be read is reported, calls no agent, and holds up no other thread.',
    from: [114, 119],
  },
  'unsettled-end-is-settled-later': {
    says: 'An end that could not be written is made up for when the store writes again.',
    from: [128, 129],
  },
  'slots-come-back': {
    says: 'However an attempt ends, its slot is free again.',
    from: [130],
  },
  'lost-claim-stops-the-run': {
    says: 'An attempt whose claim is gone is told to stop, and nothing that it still says is recorded.',
    from: [136, 137],
  },
  'resumed-run-is-not-clobbered': {
    says: 'A run that goes on is never ended or changed by anything that an older attempt of it left.',
    from: [178],
  },

  // cancel and interrupt

  'queued-run-can-be-cancelled': {
    says: 'A queued run is cancelled at once, without a start.',
    from: [77],
  },
  'cancel-reaches-what-it-names': {
    says: 'A cancel reaches a request, a run or a thread; what is not there is not found.',
    from: [155],
  },
  'ended-run-says-how': {
    says: 'A run that was cancelled or superseded is done, and says by whom and why.',
    from: [89, 168],
  },
  'interrupt-supersedes-own-queue': {
    says: 'An interrupt ends the run and what the same actor had queued; the work of others stays.',
    from: [88, 96],
  },
  'interrupt-starts-the-next-soon': {
    says: 'After an interrupt the next run starts as soon as the old agent has let go.',
    from: [90, 100],
  },
  'slow-agent-fails-no-interrupt': {
    says: 'An interrupt does not fail because the old agent is slow: at the end of the grace the next run starts.',
    from: [98, 99],
  },
  'interrupt-of-an-idle-thread-is-nothing': {
    says: 'An interrupt with nothing open and nothing queued changes nothing.',
    from: [156],
  },
  'unknown-thread-is-not-found': {
    says: 'A decision, cancel or interrupt on a thread that is not there, or is another scope’s, is not found.',
    from: [154, 161],
  },
  'cancelled-waiting-run-stays-cancelled': {
    says: 'A waiting run that is cancelled stays cancelled, also after a restart; the next message is a new run.',
    from: [166],
  },
  'decided-end-survives-a-crash': {
    says: 'An end that was decided when its process died is carried out by the next.',
    from: [170],
  },

  // questions to people

  'unknown-question-is-not-found': {
    says: 'A decision on a question that was never asked is refused and changes nothing.',
    from: [150],
  },
  'question-survives-a-restart': {
    says: 'A question that was asked before a restart is answered after it, and its run goes on.',
    from: [149, 151],
  },
  'restart-wakes-no-waiting-run': {
    says: 'A run that waits for a person waits on through a restart: nothing but its answer runs it.',
    from: [193],
  },
  'one-decision-per-question': {
    says: 'The first decision wins; the same again is told the same, another is refused.',
    from: [165],
  },
  'late-decision-does-nothing': {
    says: 'A decision that comes after its question has expired is refused, without side effects.',
    from: [152],
  },
  'invalid-answer-leaves-it-open': {
    says: 'An answer that does not fit its question is refused with the reason; the question stays open.',
    from: [123],
  },
  'some-answers-leave-the-rest-open': {
    says: 'A run of which some questions are answered waits on for the others, and says for which.',
    from: [167],
  },
  'thread-shows-its-open-run': {
    says: 'A thread shows the run that is open on it, and that there is none.',
    from: [157, 160],
  },
  'waiting-run-shows-its-questions': {
    says: 'A run that waits shows its open questions.',
    from: [159, 230],
  },
  'questions-are-everybodys': {
    says: 'A question asked through one door can be answered through another, with the same effect.',
    from: [238],
  },

  // durability and restarts

  'unreadable-record-is-reported': {
    says: 'A record that cannot be read is reported to who asks for it, and to nobody else.',
    from: [23, 226],
  },
  'failed-commit-is-told': {
    says: 'A commit that fails is told to whom it concerns, and what was kept before stays as it was.',
    from: [84, 195],
  },
  'commit-is-all-or-nothing': {
    says: 'Of what changes together all is kept or nothing.',
    from: [221],
  },
  'kill-loses-nothing-told': {
    says: 'Whenever a process is killed, all that anybody was told is there afterwards.',
    from: [86],
  },
  'torn-log-is-not-passed-over': {
    says: 'A part of the log that cannot be read is reported, and never passed over.',
    from: [225],
  },
  'second-process-is-refused': {
    says: 'A data directory is held by one process; a second one is refused and told by whom.',
    from: [57, 190, 222],
  },
  'queued-work-survives-a-restart': {
    says: 'What was queued when a process ended is started by the next.',
    from: [188],
  },
  'dead-process-costs-an-interruption': {
    says: 'A run whose process died goes on as its agent allows; too many deaths end it, and none is a failure.',
    from: [80, 189, 197],
  },
  'recovery-reaches-every-thread': {
    says: 'A start takes over all that earlier processes left, however many threads that are.',
    from: [194, 202, 203],
  },
  'not-ready-before-recovery': {
    says: 'A gateway is not ready, and serves nothing, before it has taken over what was left.',
    from: [179],
  },
  'stop-waits-for-what-is-under-way': {
    says: 'A stop resolves when nothing is under way any more, and leaves nothing claimed.',
    from: [186],
  },

  // streams

  'stream-begins-at-once': {
    says: 'An accepted request is answered by a stream at once, before its run does anything.',
    from: [95],
  },
  'leaving-client-ends-nothing': {
    says: 'A client that goes away ends nothing, and may come back as often as it likes.',
    from: [208, 209],
  },
  'stream-ends-with-its-run': {
    says: 'A stream ends with its run’s terminal event.',
    from: [210],
  },
  'silence-is-commented': {
    says: 'A stream with nothing to say says so from time to time.',
    from: [211],
  },
  'follow-has-no-gap-and-no-repeat': {
    says: 'Following replays and goes on live without a gap or a repeat.',
    from: [212],
  },
  'replay-is-the-same-again': {
    says: 'A replayed stream is the same byte for byte; a cursor that is no longer there is said to be expired.',
    from: [213],
  },
  'slow-client-stalls-nobody': {
    says: 'A client that does not read stalls no run, and loses nothing.',
    from: [215],
  },
  'stream-shows-everything': {
    says: 'A stream shows all that a run does: text, reasoning, tools, state, plans, artifacts, its start and its end.',
    from: [227],
  },
  'nothing-follows-the-end': {
    says: 'Nothing of a run follows its terminal event.',
    from: [228],
  },
  'stream-is-well-formed': {
    says: 'A stream is in the order that its protocol asks for, as its official client holds it to.',
    from: [229],
  },

  // tasks

  'ill-formed-message-is-refused': {
    says: 'A message of another version, content type or role, or with an ambiguous part, is refused with its reason.',
    from: [231],
  },
  'webhooks-are-served-apart': {
    says: 'Webhooks are kept and told as they were asked for, and each caller’s are its own.',
    from: [233],
  },
  'tasks-of-a-context-stay-apart': {
    says: 'Tasks of one context keep their own ids and histories, and a waiting task’s id resumes that task.',
    from: [232],
  },
} as const satisfies Record<string, Behaviour>;

/** What the checklist has and Anyport has no counterpart of. */
export const notHeld: readonly { readonly why: string; readonly from: readonly number[] }[] = [
  {
    why: 'A start recovers once, thread by thread; there is no lifecycle handle to start, drop, abort or await.',
    from: [3, 4, 180, 181, 182, 183, 184, 185],
  },
  {
    why: 'An acceptance claims in its own commit: nothing is queued under a guard to be claimed inline.',
    from: [5, 101, 108],
  },
  {
    why: 'A single log needs no signals, no live channel between nodes and no receipt of one.',
    from: [10, 97, 140, 141, 142, 146, 147],
  },
  {
    why: 'A name is exact: it is not trimmed.',
    from: [16],
  },
  {
    why: 'How records are encoded and built inside is no behaviour.',
    from: [21, 37, 38, 60, 85],
  },
  {
    why: 'A run has no mode: what a request does is said by what it brings and by whenBusy.',
    from: [29, 30, 219],
  },
  {
    why: 'A dispatch has no id and no life apart from its run: both are one record in one commit.',
    from: [39, 40, 191, 192],
  },
  {
    why: 'A lane has one open run: there are no pointers to it that could disagree.',
    from: [43, 158],
  },
  {
    why: 'A turn reads what is committed; what a process keeps in memory is told nobody and decides nothing.',
    from: [46, 47, 48, 49, 50, 51],
  },
  {
    why: 'A claim is by thread, and a claimed dispatch is executed by its own process alone.',
    from: [68, 112, 113],
  },
  {
    why: 'A store that one process holds exclusively needs no leases.',
    from: [78, 79, 134, 135],
  },
  {
    why: 'An interrupt supersedes in its own turn: there is no epoch.',
    from: [87, 93],
  },
  {
    why: 'Input has no barriers.',
    from: [104],
  },
  {
    why: 'A decision names its question, which is one place for it.',
    from: [153],
  },
  {
    why: 'There is one store: nothing is coordinated, reconciled, republished or repaired between two.',
    from: [172, 173, 174, 175, 177, 201, 214],
  },
  {
    why: 'An agent is one port; there is no second way to hand one over.',
    from: [176],
  },
  {
    why: 'Maintenance has no callback, and threads have no workers to collect.',
    from: [187, 199, 200],
  },
  {
    why: 'There are no background tasks that outlive the turn that began them.',
    from: [196],
  },
];

/** What belongs to a door that is not there yet. */
export const later: readonly { readonly door: string; readonly says: string; readonly from: readonly number[] }[] = [
  {
    door: 'remote agents',
    says: 'A run knows the thread and the run that asked for it.',
    from: [25],
  },
  {
    door: 'metrics',
    says: 'How long runs waited and took is measured, under outcomes whose names do not change.',
    from: [131, 132],
  },
  {
    door: 'AI SDK',
    says: 'A history with tools that the provider executed leads to an answer.',
    from: [237],
  },
];
