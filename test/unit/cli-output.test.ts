import { describe, expect, it } from 'vitest';
import { cutTo, harmless, oneLine, widthOf } from '../../src/cli/harmless.ts';
import { jsonLine, listOf, tableOf } from '../../src/cli/output.ts';
import { eventLine } from '../../src/cli/event-line.ts';
import type { RunEvent } from '../../schemas/run-event.ts';

describe('what others wrote', () => {
  it.each([
    ['\u001b[2Jgone', '␛[2Jgone'],
    ['a\u0007b\u0000c\u007f', 'a␇b␀c␡'],
    ['\u009b31mred', '�31mred'],
    ['evil\u202etxt.exe', 'evil�txt.exe'],
    ['one\r\ntwo\rthree\tfour\n', 'one\ntwo\nthree\tfour\n'],
    ['grüße 👋', 'grüße 👋'],
  ])('is harmless on a terminal: %j', (text, shown) => {
    expect(harmless(text)).toBe(shown);
  });

  it('fits on one line', () => {
    expect(oneLine('  a\n\n b\tc\r\n')).toBe('a b c');
  });

  it('is harmless as JSON too, and the same', () => {
    const line = jsonLine({ text: 'a\u009b31m\u001b\u2028\n' });
    expect(line).toBe('{"text":"a\\u009b31m\\u001b\\u2028\\n"}\n');
    expect(JSON.parse(line)).toEqual({ text: 'a\u009b31m\u001b\u2028\n' });
    expect(jsonLine(undefined)).toBe('null\n');
  });

  it('is as wide as a terminal shows it', () => {
    expect(['abc', 'grüße', '日本', '👋🏽', 'e\u0301'].map(widthOf)).toEqual([3, 5, 4, 2, 1]);
    expect(cutTo(5, '日本語')).toBe('日本…');
    expect(cutTo(6, '日本語')).toBe('日本語');
    expect(cutTo(4, 'abcdef')).toBe('abc…');
  });
});

describe('a table', () => {
  const rows = [
    ['run_1', 'done', 'a long text that\ngoes on'],
    ['日本', '', 'b'],
  ];

  it('is aligned', () => {
    expect(tableOf(['RUN', 'STATUS', 'TEXT'], rows)).toBe(
      ['RUN    STATUS  TEXT', 'run_1  done    a long text that goes on', '日本           b', ''].join('\n'),
    );
  });

  it('is no wider than its terminal', () => {
    expect(tableOf(['RUN', 'STATUS', 'TEXT'], rows, 20).split('\n')[1]).toBe('run_1  done    a lo…');
  });

  it('may be of pairs', () => {
    const pairs = [
      ['run', 'run_1'],
      ['ended', undefined],
      ['status', 'done'],
    ] as const;
    expect(listOf(pairs)).toBe('run     run_1\nstatus  done\n');
  });
});

describe('an event', () => {
  it('is one line', () => {
    const event = { seq: 7, atMs: 0, threadId: 't', type: 'text.delta', id: 'a', delta: 'x\n\u001b' } as RunEvent;
    expect(eventLine(event, undefined)).toBe('    7  00:00:00.000  text.delta         x ␛\n');
  });

  it('may be of a kind that a newer gateway knows', () => {
    const event = { seq: 7, atMs: 0, threadId: 't', type: 'toString' } as unknown as RunEvent;
    expect(eventLine(event, undefined)).toBe('    7  00:00:00.000  toString\n');
  });
});
