import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { decodeCursor, encodeStreamName, type StreamName } from '../../adapters/ag-ui/cursor.ts';
import { decodeInput } from '../../adapters/ag-ui/decode.ts';
import { resumedRunLog, runLog } from '../support/ag-ui-arbitrary.ts';
import { parseSse, readStream, type Received } from '../support/ag-ui-client.ts';
import { threadId } from '../support/ag-ui-log.ts';
import { encodeJoined, encodeLog, opening, secondActivation } from '../support/ag-ui-stream.ts';

const own = [{ id: 'm1', role: 'user', content: 'hi' }];
const input = { threadId, runId: 'client-run-1', messages: own };

/** The frames of a stream, each with its id. */
function framesOf(sse: string): { readonly id: string; readonly text: string }[] {
  return sse
    .split('\n\n')
    .filter((text) => text !== '')
    .map((text) => ({ id: /^id: (.+)$/m.exec(text)?.[1] ?? '', text: `${text}\n\n` }));
}

/** What a client shows in the end: what it was given of an attempt that does not count may still be there, empty. */
function shownBy({ messages, state }: Received): unknown {
  const shown = messages.filter(({ id, role, content }) => {
    if (id.endsWith(':unanswered') || id.endsWith(':discarded')) return false;
    return role !== 'reasoning' || content !== '';
  });
  return { state, messages: new Map(shown.map((message) => [message.id, essence(message as never)])) };
}

function withoutActivities(received: Received): unknown {
  return shownBy({ ...received, messages: received.messages.filter(({ role }) => role !== 'activity') });
}

function essence(message: { role: string; content?: unknown; toolCalls?: { id: string; function: object }[] }): object {
  const { role, content, toolCalls = [] } = message;
  // One that was open when its message was shown comes behind those that were not: begun anew, not twice.
  const calls = toolCalls
    .map(({ id, function: called }) => ({ id, called: { ...called } }))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return { role, content: content === undefined || content === '' ? 'none' : content, calls };
}

describe('a frame id', () => {
  it('says of which stream it is, whatever names the stream has', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), fc.nat(), fc.nat(50), (text, seq, frame) => {
        const names: readonly StreamName[] = [
          { is: 'run', profile: '1.x', logId: 'log_1', activation: text, began: 'blocked', caughtUp: 'both' },
          { is: 'join', profile: '0.x', logId: 'log_1', run: 'run_1', seq, called: text },
        ];
        for (const name of names) {
          expect(decodeCursor(`${encodeStreamName(name)}${seq}.${frame}`)).toEqual({ name, position: { seq, frame } });
        }
      }),
    );
  });

  it.each(['', 'x', '1.2', 'AAAA.1.2', `${encodeStreamName({} as never)}1.2`, 'a'.repeat(10_000)])(
    'of somebody else is refused: %s',
    (text) => {
      expect(() => decodeCursor(text)).toThrow('it is not the id of a frame');
    },
  );
});

describe.each(['1.x', '0.x'] as const)('a stream for %s clients', (era) => {
  beforeEach(() => {
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('goes on after any frame with exactly the frames that were to come', () => {
    fc.assert(
      fc.property(runLog(false), fc.double({ min: 0, max: 1, noNaN: true }), (log, where) => {
        const whole = framesOf(encodeLog(log, opening(era)));
        // Before the run's first event nobody knows any more what the client's own copy lacked.
        const decided = whole.findIndex(({ id }) => {
          const { name } = decodeCursor(id);
          return name.is === 'run' && name.caughtUp !== 'undecided';
        });
        const from = decided === -1 ? whole.length - 1 : decided;
        const cut = from + Math.floor(where * (whole.length - 1 - from));
        const { name, position } = decodeCursor(whole[cut]?.id ?? '');
        const rest = encodeLog(log, { ...opening(era), name, copy: undefined, sentUpTo: position });
        expect(rest).toBe(
          whole
            .slice(cut + 1)
            .map(({ text }) => text)
            .join(''),
        );
      }),
      { numRuns: 200 },
    );
  });

  it('cut after any frame, leaves its client with what an uncut one leaves', async () => {
    await fc.assert(
      fc.asyncProperty(runLog(true), fc.nat(), async (log, where) => {
        const uncut = encodeLog(log, opening(era));
        const whole = framesOf(uncut);
        const cut = where % whole.length;
        const { name, position } = decodeCursor(whole[cut]?.id ?? '');
        const head = whole.slice(0, cut + 1).map(({ text }) => text);
        const rest = encodeLog(log, { ...opening(era), name, copy: undefined, sentUpTo: position });
        const both = await readStream(era, head.join('') + rest, input);
        expect(shownBy(both)).toEqual(shownBy(await readStream(era, uncut, input)));
      }),
      { numRuns: 100 },
    );
  });

  it('joined at any event, shows a newcomer what somebody has who saw it all', async () => {
    await fc.assert(
      fc.asyncProperty(runLog(true), fc.nat(), async (log, where) => {
        const seq = 1 + (where % (log.head - 1));
        const sse = encodeJoined(log, era, seq);
        const seen = shownBy(await readStream(era, encodeLog(log, opening(era)), input));
        expect(shownBy(await readStream(era, sse, { ...input, messages: [] }))).toEqual(seen);
        const ids = parseSse(sse).map(({ id }) => id);
        expect(new Set(ids).size).toBe(ids.length);
      }),
      { numRuns: 150 },
    );
  });

  it('joined by somebody who saw its beginning, ends alike', async () => {
    await fc.assert(
      fc.asyncProperty(runLog(true), fc.nat(), fc.nat(), async (log, left, joined) => {
        const whole = framesOf(encodeLog(log, opening(era)));
        const head = whole.slice(0, 1 + (left % (whole.length - 1)));
        // Its connection broke: the stock client takes the end of the body for the end.
        const before = await readStream(era, head.map(({ text }) => text).join(''), input);
        const { messages, state } = before;
        const told = Math.max(1, decodeCursor(head.at(-1)?.id ?? '').position.seq);
        const seq = told + (joined % Math.max(1, log.head - told));
        const after = await readStream(era, encodeJoined(log, era, seq), { ...input, messages, state });
        const seen = await readStream(era, encodeLog(log, opening(era)), input);
        expect(shownBy(after)).toEqual(shownBy(seen));
      }),
      { numRuns: 150 },
    );
  });

  it('joined, goes on after any frame with exactly the frames that were to come', () => {
    fc.assert(
      fc.property(runLog(false), fc.nat(), fc.nat(), (log, where, at) => {
        const seq = 1 + (where % (log.head - 1));
        const whole = framesOf(encodeJoined(log, era, seq));
        const cut = at % whole.length;
        const { position } = decodeCursor(whole[cut]?.id ?? '');
        const rest = whole.slice(cut + 1).map(({ text }) => text);
        expect(encodeJoined(log, era, seq, position)).toBe(rest.join(''));
      }),
      { numRuns: 150 },
    );
  });

  it('joined while a resumed run goes on, shows all of the run', async () => {
    await fc.assert(
      fc.asyncProperty(resumedRunLog, fc.nat(), async ({ log, waitsAt }, where) => {
        const seq = waitsAt + (where % (log.head - waitsAt));
        const joined = await readStream(era, encodeJoined(log, era, seq), { ...input, messages: [] });
        const first = await readStream(era, encodeLog(log, opening(era)), input);
        const body = { ...input, runId: 'client-run-2', messages: first.messages, state: first.state };
        const { copy } = decodeInput(body, { agentId: 'demo', whenBusy: 'queue' });
        const more = { activation: secondActivation, runId: 'client-run-2', afterSeq: waitsAt, copy };
        const second = await readStream(era, encodeLog(log, opening(era, more)), body);
        // Somebody who was there may still see progress of an attempt that does not count.
        expect(withoutActivities(joined)).toEqual(withoutActivities(second));
        expect(joined.interrupts).toEqual(second.interrupts);
      }),
      { numRuns: 100 },
    );
  });
});
