import { describe, expect, it } from 'vitest';
import { Doors } from '../support/doors.ts';
import { until } from '../support/until.ts';
import { type OpenVisitor, questionOf, type Turn, type Visitor } from '../support/visitor.ts';

export interface Door {
  readonly open: OpenVisitor;
  /** The protocol’s own name or code of a request that is malformed. */
  readonly malformed: string;
}

/** What every door promises somebody who comes to it with the official client, said by doing it. */
export function adapterContract(name: string, { open, malformed }: Door): void {
  /** A gateway of its own for each story; in the end its store is in order. */
  async function story(tell: (ann: Visitor, doors: Doors) => Promise<void>, agentId = 'demo'): Promise<void> {
    await using doors = await Doors.open();
    {
      await using ann = await open(doors, { as: 'ann', agentId });
      await tell(ann, doors);
    }
    await doors.idle();
    expect(await doors.violations()).toEqual([]);
  }

  async function completed(turn: Turn): Promise<string> {
    expect(await turn.ended).toEqual({ is: 'completed' });
    return turn.text;
  }

  const numbers = (count: number): string => Array.from({ length: count }, (_, index) => `${index + 1} `).join('');

  describe(`over ${name}`, () => {
    describe('an answer', () => {
      it('is whole and in order', { tags: 'stream-shows-everything' }, () =>
        story(async (ann) => {
          expect(await completed(ann.say('/stream 50'))).toBe(numbers(50));
          expect(await ann.read()).toEqual(['user: /stream 50', `agent: ${numbers(50)}`]);
        }),
      );

      it('is told apart from the thought before it', { tags: 'stream-shows-everything' }, () =>
        story(async (ann) => {
          const turn = ann.say('/think');
          expect(await completed(turn)).toBe('Six times seven is 42.');
          expect(turn.thought).toMatch(/^Six times seven: five sevens .* forty-two\.$/);
        }),
      );

      it('comes with the tool calls that led to it', { tags: 'stream-shows-everything' }, () =>
        story(async (ann) => {
          const turn = ann.say('/tool');
          expect(await completed(turn)).toBe('19 and 23 are 42.');
          expect(turn.results).toEqual(['42']);
        }),
      );

      it.each([
        ['/plan', 'All three entries of the plan are completed.'],
        ['/artifact', 'I handed over report.md in three chunks.'],
      ])('follows what %s shows', (text, answer) =>
        story(async (ann) => {
          expect(await completed(ann.say(text))).toContain(answer);
          expect(await completed(ann.say('hello'))).toBe('You said: “hello”');
        }),
      );

      it('hides the attempts that failed, once it is there', { tags: ['retries-fire-alone', 'retry-is-no-end'] }, () =>
        story(async (ann) => {
          expect(await completed(ann.say('/fail transient 2'))).toMatch(/Attempt 3 works\.$/);
          expect(await ann.read()).toEqual(['user: /fail transient 2', 'agent: Attempt 3 works.']);
        }),
      );
    });

    describe('a question', () => {
      it.each([
        ['approve', 'Message 1 was sent.'],
        ['deny', 'Message 1 was not sent: it was denied.'],
        ['dismiss', 'Message 1 was not sent: the question was dismissed.'],
      ] as const)(
        'is answered by %s, and the turn goes on accordingly',
        { tags: 'waiting-run-shows-its-questions' },
        (reply, answer) =>
          story(async (ann) => {
            const turn = ann.say('/approve');
            const question = await questionOf(turn);
            expect(question.text).toBe('Send the message to person-1@example.com?');
            await turn.answer([question, reply]);
            expect(await completed(turn)).toBe(`I would like to send a message.${answer}`);
          }),
      );

      it('may stand beside another, answered in any order', { tags: 'waiting-run-shows-its-questions' }, () =>
        story(async (ann) => {
          const turn = ann.say('/approve 2');
          const asked = (await turn.asks(2)).toSorted((a, b) => a.text.localeCompare(b.text));
          expect(asked.map(({ text }) => text)).toEqual([
            'Send the message to person-1@example.com?',
            'Send the message to person-2@example.com?',
          ]);
          const replies = asked.map((question, index) => [question, index === 0 ? 'deny' : 'approve'] as const);
          await turn.answer(...replies.toReversed());
          expect(await completed(turn)).toMatch(
            /messages\.Message 1 was not sent: it was denied\. Message 2 was sent\.$/,
          );
        }),
      );

      it(
        'may be a form, which says why an answer does not fit and stays open',
        { tags: 'invalid-answer-leaves-it-open' },
        () =>
          story(async (ann) => {
            const turn = ann.say('/form');
            const form = await questionOf(turn);
            expect(form.text).toBe('Who are you?');
            const wrong = await turn.answerWrongly(form, { name: 'Ann', age: -1 });
            expect(wrong.why).toMatch(/age.*>= 0/);
            expect(turn.text).toBe('');
            await turn.answer([wrong.question, { value: { name: 'Ann', age: 41 } }]);
            expect(await completed(turn)).toBe('Hello Ann, you are 41 years old.');
          }),
      );
    });

    describe('a failure', () => {
      it.each([
        ['/fail permanent', 'agent-refused', 'asked to fail for good'],
        ['/crash', 'internal', 'unexpected'],
      ])('%s is told by its code', { tags: 'faults-have-stable-codes' }, (text, code, why) =>
        story(async (ann) => {
          const ending = await ann.say(text).ended;
          if (ending.is !== 'failed') throw new Error(`it was ${ending.is}`);
          expect(ending.code.toLowerCase().replace('_', '-')).toBe(code);
          expect(ending.told).toContain(why);
          expect(ending.told).not.toContain('asked to crash');
          expect(await completed(ann.say('hello'))).toBe('You said: “hello”');
        }),
      );

      it('of a request is told in the protocol’s own words, and the next request works', () =>
        story(async (ann) => {
          expect(await ann.talkNonsense()).toBe(malformed);
          expect(await completed(ann.say('hello'))).toBe('You said: “hello”');
        }));
    });

    describe('a conversation', () => {
      it('goes on with what was said in it', { tags: 'next-run-knows-the-last' }, () =>
        story(async (ann) => {
          expect(await completed(ann.say('one'))).toBe('You said: one.');
          expect(await completed(ann.say('two'))).toBe('You said: one, two.');
          expect(await ann.read()).toEqual([
            'user: one',
            'agent: You said: one.',
            'user: two',
            'agent: You said: one, two.',
          ]);
        }, 'listener'),
      );

      it('answers what was said while it was busy afterwards, in order', { tags: 'one-run-at-a-time' }, () =>
        story(async (ann) => {
          const ends: string[] = [];
          const ended = async (turn: Turn, is: string): Promise<void> => {
            await completed(turn);
            ends.push(is);
          };
          const first = ann.say('/stream 60 2');
          const firstEnded = ended(first, 'first');
          await until('its beginning', () => first.text !== '');
          await Promise.all([firstEnded, ended(ann.say('second'), 'second')]);
          expect(ends).toEqual(['first', 'second']);
          expect(await ann.read()).toEqual([
            'user: /stream 60 2',
            `agent: ${numbers(60)}`,
            'user: second',
            'agent: You said: “second”',
          ]);
        }),
      );

      it('is cancelled in the middle of a turn, and goes on', () =>
        story(async (ann) => {
          const turn = ann.say('/stream 1000000 2');
          await until('its beginning', () => turn.text.length > 4);
          await turn.cancel();
          expect(await turn.ended).toEqual({ is: 'cancelled' });
          expect(numbers(10_000).startsWith(turn.text)).toBe(true);
          expect(await completed(ann.say('hello'))).toBe('You said: “hello”');
        }));

      it('is cancelled with a question open, and goes on', () =>
        story(async (ann) => {
          const turn = ann.say('/approve');
          await turn.asks(1);
          await turn.cancel();
          await completed(ann.say('hello'));
          expect((await ann.read()).slice(-2)).toEqual(['user: hello', 'agent: You said: “hello”']);
        }));

      it(
        'shows somebody who was cut off and comes back the whole turn, once',
        { tags: ['leaving-client-ends-nothing', 'follow-has-no-gap-and-no-repeat'] },
        () =>
          story(async (ann) => {
            const cut = ann.say('/stream 100 2');
            await until('its beginning', () => cut.text.length > 4);
            await ann.cut();
            const back = await ann.comeBack();
            await until('its end', () => back.text.length >= numbers(100).length);
            expect(back.text).toBe(numbers(100));
            expect(cut.text.length).toBeLessThan(back.text.length);
            expect(await completed(ann.say('hello'))).toBe('You said: “hello”');
            expect(await ann.read()).toEqual([
              'user: /stream 100 2',
              `agent: ${numbers(100)}`,
              'user: hello',
              'agent: You said: “hello”',
            ]);
          }),
      );

      it(
        'asks somebody who comes back what is still open',
        { tags: ['leaving-client-ends-nothing', 'waiting-run-shows-its-questions'] },
        () =>
          story(async (ann) => {
            await ann.say('/approve').asks(1);
            await ann.cut();
            const back = await ann.comeBack();
            await back.answer([await questionOf(back), 'approve']);
            await until('its end', () => back.text.endsWith('sent.'));
            expect(back.text).toBe('I would like to send a message.Message 1 was sent.');
          }),
      );

      it('shows nothing of itself to another tenant', () =>
        story(async (ann, doors) => {
          await using eve = await open(doors, { as: 'eve' });
          await completed(ann.say('mine'));
          await completed(eve.say('hers'));
          expect(await eve.read(ann.conversation)).toEqual([]);
          expect(await ann.read(eve.conversation)).toEqual([]);
          expect(await ann.read()).toEqual(['user: mine', 'agent: You said: “mine”']);
          expect(await eve.read()).toEqual(['user: hers', 'agent: You said: “hers”']);
        }));
    });
  });
}
