import { describe, expect, it } from 'vitest';
import type { RunEvent } from '../../../schemas/run-event.ts';
import type { Lane } from '../../../src/lane/lane.ts';
import type { RecordKind, Records } from '../../../src/lane/records.ts';
import { checkStore, type StoreReader, type Transcript } from '../../support/checker.ts';
import { alice, bob, failed, LaneDriver } from '../../support/lane-driver.ts';
import type { WireEvent } from '../../support/transcript.ts';

/** A thread with a bit of everything: done, retried, cancelled and refused runs, one that waits, queued and pending input. */
function livedIn(): LaneDriver {
  const driver = new LaneDriver();
  const first = driver.start({ key: 'first', messages: ['one'], endsAt: 'waiting' });
  driver.say(first.token, 'answer one', 'a1');
  const secret = driver.askAndWait(first.token, 'q', { kind: 'form', secret: true });
  driver.decide(secret, { type: 'value', value: 'hunter2' }, bob);
  driver.settle(first.token, failed(true));
  driver.pass(250);
  driver.settle(driver.claim().token);
  const second = driver.start({ key: 'second', messages: ['two'] });
  driver.accept({ key: 'steered', messages: ['and this'], whenBusy: 'steer' });
  driver.do({ type: 'takeInput', token: second.token, key: '1' });
  driver.say(second.token, 'answer two', 'a2');
  driver.settle(second.token);
  const third = driver.start({ key: 'third', messages: ['three'] });
  driver.accept({ key: 'retracted', whenBusy: 'steer' });
  driver.do({ type: 'retract', activationId: 'ag-ui:retracted', by: alice });
  driver.accept({ key: 'queued', messages: ['later'], by: bob });
  driver.accept({ key: 'cancelled', messages: ['never'] });
  driver.cancel({ activation: 'ag-ui:cancelled' });
  driver.askAndWait(third.token, 'q');
  return driver;
}

/** What a store holds, to be tampered with. */
class Copy {
  lane: Lane;
  events: RunEvent[];
  readonly #driver: LaneDriver;
  readonly #changed = new Map<string, unknown>();

  constructor(driver: LaneDriver) {
    if (driver.lane === undefined) throw new Error('there is no thread');
    this.#driver = driver;
    this.lane = driver.lane;
    this.events = [...driver.log];
  }

  /** Changes a record; undefined leaves it out. */
  change<Kind extends RecordKind>(kind: Kind, id: string, change: Partial<Records[Kind]> | undefined): void {
    const value = change === undefined ? undefined : { ...this.#driver.get(kind, id), ...change };
    this.#changed.set(`${kind}/${id}`, value);
  }

  /** Changes the events that a filter finds; undefined leaves them out. */
  alter(which: (event: RunEvent) => boolean, change: Partial<RunEvent> | undefined): void {
    this.events = this.events.flatMap((event) =>
      which(event) ? (change === undefined ? [] : [{ ...event, ...change } as RunEvent]) : [event],
    );
  }

  reader(): StoreReader {
    const reader = this.#driver.reader();
    return {
      ...reader,
      findLane: () => Promise.resolve(this.lane),
      readEvents: (_, after, limit) =>
        Promise.resolve(this.events.filter((event) => event.seq > after).slice(0, limit)),
      listRecords: async (thread, kind, after, limit) => {
        const records = await reader.listRecords(thread, kind, after, limit);
        return records.flatMap((record) => {
          const id =
            'id' in record ? record.id : 'key' in record && 'door' in record ? `${record.door}:${record.key}` : '';
          const key = `${kind}/${id}`;
          const value = this.#changed.has(key) ? this.#changed.get(key) : record;
          return value === undefined ? [] : [value as typeof record];
        });
      },
    };
  }
}

function tampered(tamper: (copy: Copy, driver: LaneDriver) => void): Promise<string[]> {
  const driver = livedIn();
  const copy = new Copy(driver);
  tamper(copy, driver);
  return checkStore(copy.reader(), ['local']);
}

const isOf =
  (type: RunEvent['type']) =>
  (event: RunEvent): boolean =>
    event.type === type;

function runOf(driver: LaneDriver, key: string): string {
  const { state } = driver.get('activation', `ag-ui:${key}`);
  return 'runId' in state ? state.runId : '';
}

describe('the checker', () => {
  it('finds nothing wrong with a store as the rules leave it', async () => {
    expect(await tampered(() => {})).toEqual([]);
  });

  it('finds nothing wrong where old events were evicted', async () => {
    const found = await tampered((copy, driver) => {
      const { lastSeq = 0 } = driver.get('run', runOf(driver, 'first'));
      copy.events = copy.events.filter((event) => event.seq > lastSeq);
    });
    expect(found).toEqual([]);
  });

  it('reads every page of a long log', async () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    for (let text = 0; text < 600; text++) driver.say(token, `text ${text}`);
    driver.settle(token);
    expect(await checkStore(driver.reader(), ['local', 'other'])).toEqual([]);
  });

  it.each<[string, (copy: Copy, driver: LaneDriver) => void, RegExp]>([
    ['a gap in the numbers', (copy) => copy.alter((event) => event.seq === 5, undefined), /number 6 stands where 5/],
    ['a head beyond the log', (copy) => copy.events.pop(), /the log ends at/],
    [
      'a run that is listed otherwise than it stands',
      (copy, driver) => copy.change('run', runOf(driver, 'second'), { actor: 'somebody else' }),
      /is not listed as it stands/,
    ],
    [
      'a run that is listed as it stood',
      (copy, driver) => copy.change('run', runOf(driver, 'third'), { status: 'running' }),
      /is listed as it stood/,
    ],
    ['time that goes back', (copy) => copy.alter((event) => event.seq === 9, { atMs: 1 }), /time goes back/],
    ['an event of no run', (copy) => copy.alter((event) => event.seq === 9, { runId: 'run-0' }), /without a record/],
    [
      'two runs at once',
      (copy, driver) =>
        copy.alter((event) => event.seq === driver.get('run', runOf(driver, 'first')).lastSeq, {
          type: 'notice',
          level: 'info',
          text: '',
        }),
      /starts at \d+ while .* is open/,
    ],
    [
      'a run without its end',
      (copy, driver) =>
        copy.alter((event) => event.seq === driver.get('run', runOf(driver, 'second')).lastSeq, {
          type: 'notice',
          level: 'info',
          text: '',
        }),
      /is done and has 0 run.finished/,
    ],
    [
      'an event after the end',
      (copy, driver) => copy.alter((event) => event.seq === copy.lane.head, { runId: runOf(driver, 'second') }),
      /goes on after its end/,
    ],
    [
      'an end of a run that is not done',
      (copy, driver) => copy.change('run', runOf(driver, 'second'), { status: 'running' }),
      /is running and has a run.finished/,
    ],
    [
      'two outcomes',
      (copy, driver) =>
        copy.change('run', runOf(driver, 'second'), {
          outcome: { type: 'cancelled', by: 'alice', reason: 'cancelled' },
        }),
      /has two outcomes/,
    ],
    [
      'a run that was consumed twice',
      (copy, driver) => {
        const id = runOf(driver, 'second');
        const { deliveries } = driver.get('run', id);
        copy.change('run', id, { deliveries: [...deliveries, ...deliveries] });
      },
      /was consumed 2 times/,
    ],
    [
      'an old token that writes',
      (copy) =>
        copy.alter((event) => event.seq === copy.lane.head, {
          token: copy.events.find(isOf('run.started'))?.token ?? '',
        }),
      /an old token writes/,
    ],
    [
      'two tokens in one attempt',
      (copy, driver) =>
        copy.alter((event) => event.runId === runOf(driver, 'second') && isOf('run.finished')(event), { token: 'x' }),
      /two tokens for one attempt/,
    ],
    [
      'a queued run that is lost',
      (copy) => (copy.lane = { ...copy.lane, queue: [] }),
      /is created and not in the lane/,
    ],
    [
      'an open run that is lost',
      (copy) => (copy.lane = { ...copy.lane, open: undefined }),
      /is waiting and not in the lane/,
    ],
    [
      'a request that is lost',
      (copy) => copy.change('request', 'ag-ui:third', undefined),
      /ag-ui:third has no request/,
    ],
    [
      'an activation that is nowhere',
      (copy) => (copy.lane = { ...copy.lane, queue: copy.lane.queue.map((run) => ({ ...run, activations: [] })) }),
      /acp:queued is queued, in the lane over/,
    ],
    [
      'an answer beyond the log',
      (copy, driver) => {
        const { state } = driver.get('activation', 'ag-ui:second');
        if (state.is === 'answered') copy.change('activation', 'ag-ui:second', { state: { ...state, toSeq: 9_999 } });
      },
      /is answered by \d+ to 9999/,
    ],
    [
      'an answer that its run did not give',
      (copy, driver) => {
        const { state } = driver.get('activation', 'ag-ui:second');
        const outcome = { type: 'cancelled', by: 'alice', reason: 'cancelled' } as const;
        if (state.is === 'answered') copy.change('activation', 'ag-ui:second', { state: { ...state, outcome } });
      },
      /is answered otherwise than its run ended/,
    ],
    [
      'an answer by a question that nobody asked',
      (copy, driver) => {
        const { state } = driver.get('activation', 'ag-ui:first');
        const outcome = { type: 'waiting', ticketIds: ['ticket-0'] } as const;
        if (state.is === 'answered')
          copy.change('activation', 'ag-ui:first', {
            state: { ...state, outcome: { ...outcome, ticketIds: [...outcome.ticketIds] } },
          });
      },
      /a question that nobody asked/,
    ],
    [
      'a retraction that nobody was told of',
      (copy) => copy.alter(isOf('input.retracted'), { type: 'notice', level: 'info', text: '' }),
      /was retracted and nobody was told/,
    ],
    [
      'a ticket that is open after its run',
      (copy, driver) => {
        const [ticket] = driver.all('ticket');
        const { closed: _, ...open } = driver.get('ticket', ticket?.id ?? '');
        copy.change('ticket', open.id, { ...open, closed: undefined as never });
      },
      /is open, its run done/,
    ],
    [
      'a ticket that closes twice',
      (copy) =>
        copy.alter((event) => event.seq === copy.lane.head, {
          ...copy.events.find(isOf('ticket.closed')),
          seq: copy.lane.head,
        }),
      /is closed twice/,
    ],
    [
      'an answer that nobody gave',
      (copy, driver) => {
        const [ticket] = driver.all('ticket');
        const { decision, atMs } = ticket?.closed ?? { decision: { how: 'dismissed' }, atMs: 0 };
        copy.change('ticket', ticket?.id ?? '', { closed: { decision, atMs } });
      },
      /nobody answered/,
    ],
    [
      'a secret in the log',
      (copy) =>
        copy.alter(isOf('ticket.closed'), {
          decision: { how: 'answered', answer: { type: 'value', value: 'hunter2' } },
        }),
      /the secret of .* is in the log/,
    ],
    ['a message that is lost', (copy) => copy.change('message', 'a2', undefined), /wrote a2, which is not kept/],
    [
      'a message that was changed',
      (copy) => copy.change('message', 'a1', { parts: [{ type: 'text', text: 'something else' }] }),
      /message a1 is not what run/,
    ],
    ['messages in a ring', (copy) => copy.change('message', 'a1', { parentId: 'a2' }), /is its own ancestor/],
    ['a message that hangs on nothing', (copy) => copy.change('message', 'a1', { parentId: 'm-0' }), /hangs on m-0/],
    [
      'a message that enters twice',
      (copy) => {
        const added = copy.events.find(isOf('message.added'));
        copy.alter((event) => event.seq === copy.lane.head, { ...added, seq: copy.lane.head });
      },
      /enters twice/,
    ],
    [
      'a message of a request that was taken back',
      (copy, driver) => {
        const added = driver.events('message.added').at(-1);
        copy.alter((event) => event.seq === added?.seq, { activation: 'ag-ui:cancelled' });
      },
      /ag-ui:cancelled is answered, and its messages are in the thread/,
    ],
    [
      'a log that does not fold',
      (copy) => copy.alter(isOf('text.started'), { type: 'notice', level: 'info', text: '' }),
      /does not fold/,
    ],
  ])('finds %s', async (_, tamper, violation) => {
    expect((await tampered(tamper)).join('\n')).toMatch(violation);
  });
});

describe('the checker of what clients saw', () => {
  /** The stream of a request, as an adapter would write it; `change` tampers with its frames. */
  function stream(
    key: string,
    change: (frames: { id?: string; event: WireEvent }[]) => typeof frames = (frames) => frames,
    cut = false,
    joins = false,
  ): Promise<string[]> {
    const driver = livedIn();
    const state = driver.find('activation', `ag-ui:${key}`)?.state;
    const { runId, fromSeq, toSeq } = state?.is === 'answered' ? state : { runId: '', fromSeq: 0, toSeq: 0 };
    const events: WireEvent[] = [{ type: 'RUN_STARTED', runId: key }];
    for (const event of driver.log) {
      if (event.runId !== runId || event.seq < fromSeq || event.seq > toSeq) continue;
      if (event.type === 'text.started')
        events.push({ type: 'TEXT_MESSAGE_START', messageId: event.id, role: 'assistant' });
      if (event.type === 'text.delta')
        events.push({ type: 'TEXT_MESSAGE_CONTENT', messageId: event.id, delta: event.delta });
      if (event.type === 'text.ended') events.push({ type: 'TEXT_MESSAGE_END', messageId: event.id });
    }
    events.push({ type: 'RUN_FINISHED', runId: key });
    const frames = change(events.map((event, index) => ({ id: `s.${toSeq}.${index}`, event })));
    const transcript: Transcript = {
      thread: driver.thread,
      door: 'ag-ui',
      key: joins ? undefined : key,
      frames,
      cut,
    };
    return checkStore(driver.reader(), ['local'], [transcript]);
  }

  it('finds nothing wrong with whole streams, cut ones and detached ones', async () => {
    expect(await stream('first')).toEqual([]);
    expect(await stream('second')).toEqual([]);
    expect(await stream('second', (frames) => frames.slice(0, 3), true)).toEqual([]);
    const detached = { event: { type: 'RUN_ERROR', code: 'shutting-down' } };
    expect(await stream('second', (frames) => [...frames.slice(0, 3), detached])).toEqual([]);
  });

  it('finds nothing wrong with a refusal', async () => {
    expect(await stream('none', () => [{ event: { type: 'RUN_ERROR', message: 'no' } }])).toEqual([]);
  });

  it('takes what a new attempt said for what was said', async () => {
    const driver = new LaneDriver();
    const { token } = driver.start({ key: 'k' });
    const half = [
      { type: 'text.started', id: 'a', role: 'assistant' },
      { type: 'text.delta', id: 'a', delta: 'first try' },
    ] as const;
    driver.append(token, ...half);
    driver.settle(token, failed(true));
    driver.pass(250);
    const second = driver.claim().token;
    driver.append(second, { type: 'attempt.discarded', itemIds: ['a'] });
    driver.say(second, 'second try', 'a');
    driver.settle(second);
    const say = (delta: string): WireEvent[] => [
      { type: 'TEXT_MESSAGE_START', messageId: 'a' },
      { type: 'TEXT_MESSAGE_CONTENT', messageId: 'a', delta },
      { type: 'TEXT_MESSAGE_END', messageId: 'a' },
    ];
    const begin = { type: 'RUN_STARTED', runId: 'k' };
    const discarded = { type: 'MESSAGES_SNAPSHOT', messages: [] };
    const end = { type: 'RUN_FINISHED' };
    const seen = async (...events: readonly WireEvent[]): Promise<string> => {
      const frames = events.map((event, index) => ({ id: `${index}`, event }));
      const transcript = { thread: driver.thread, door: 'ag-ui', key: 'k', frames, cut: false } as const;
      return (await checkStore(driver.reader(), ['local'], [transcript])).join();
    };
    expect(await seen(begin, ...say('first try'), discarded, ...say('second try'), end)).toBe('');
    expect(await seen(begin, ...say('second try'), end)).toBe('');
    expect(await seen(begin, ...say('first try'), end)).toMatch(/text a is “second try”, seen was “first try”/);
  });

  it('follows a client through a snapshot', async () => {
    const whole = { type: 'MESSAGES_SNAPSHOT', messages: [{ id: 'a2', role: 'assistant', content: 'answer two' }] };
    const snapshot = { id: 's', event: whole };
    expect(
      await stream('second', ([first, ...frames]) => [...(first ? [first] : []), snapshot, ...frames.slice(-1)]),
    ).toEqual([]);
    const partial = { id: 's', event: { ...whole, messages: [] } };
    const found = await stream('second', (frames) => frames.toSpliced(-1, 0, partial));
    expect(found.join()).toMatch(/text a2 is “answer two”, seen was “”/);
  });

  it('holds somebody who joined in the middle against the run', async () => {
    const joined = (content: string, delta: string): Promise<string[]> =>
      stream(
        'second',
        ([start, ...frames]) => {
          const shown = { type: 'MESSAGES_SNAPSHOT', messages: [{ id: 'a2', role: 'assistant', content }] };
          const told = frames.map(({ id = '', event }) => {
            return { id, event: event.type === 'TEXT_MESSAGE_CONTENT' ? { ...event, delta } : event };
          });
          return [...(start ? [start] : []), { id: 's', event: shown }, ...told];
        },
        false,
        true,
      );
    expect(await joined('answer', ' two')).toEqual([]);
    expect((await joined('answer', ' three')).join()).toMatch(/text a2 was not said so: “answer three”/);
    expect((await joined('answer two', ' two')).join()).toMatch(/text a2 was not said so: “answer two two”/);
    expect((await joined('answer', '')).join()).toMatch(/text a2 is “answer two”, seen was “answer”/);
  });

  it.each<[string, (frames: { id?: string; event: WireEvent }[]) => typeof frames, RegExp]>([
    ['no end', (frames) => frames.slice(0, -1), /0 terminal events/],
    ['two ends', (frames) => [...frames, { id: 'again', event: { type: 'RUN_FINISHED' } }], /2 terminal events/],
    [
      'something after the end',
      (frames) => [...frames, { id: 'more', event: { type: 'CUSTOM' } }],
      /goes on after its end/,
    ],
    ['one id twice', (frames) => frames.map((frame) => ({ ...frame, id: 'same' })), /two frames have one id/],
    [
      'another’s name',
      (frames) => [{ id: '0', event: { type: 'RUN_STARTED', runId: 'x' } }, ...frames.slice(1)],
      /is called x/,
    ],
    [
      'a failure that was none',
      (frames) => [...frames.slice(0, -1), { id: 'end', event: { type: 'RUN_ERROR' } }],
      /ended by RUN_ERROR, its run completed/,
    ],
    [
      'half of the text',
      (frames) => frames.filter(({ event }) => event.type !== 'TEXT_MESSAGE_CONTENT'),
      /seen was “”/,
    ],
    [
      'other text',
      (frames) =>
        frames.map(({ id, event }) => ({ ...(id === undefined ? {} : { id }), event: { ...event, delta: 'lies' } })),
      /was not said so: “lies”/,
    ],
    [
      'text twice',
      (frames) =>
        frames.flatMap((frame, index) =>
          frame.event.type === 'TEXT_MESSAGE_CONTENT' ? [frame, { ...frame, id: `x${index}` }] : [frame],
        ),
      /was not said so: “answer twoanswer two”/,
    ],
    [
      'text that nobody said',
      (frames) => frames.toSpliced(1, 0, { id: 'x', event: { type: 'TEXT_MESSAGE_START', messageId: 'ghost' } }),
      /text ghost was never said/,
    ],
  ])('finds %s', async (_, change, violation) => {
    expect((await stream('second', change)).join('\n')).toMatch(violation);
  });

  it('finds a stream of a request that is not kept', async () => {
    const start = { id: '0', event: { type: 'RUN_STARTED', runId: 'lost' } };
    const end = { id: '1', event: { type: 'RUN_FINISHED' } };
    expect((await stream('lost', () => [start, end])).join()).toMatch(/a request that is not kept/);
  });
});
