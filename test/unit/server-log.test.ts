import { describe, expect, it } from 'vitest';
import { createLog } from '../../src/server/log.ts';

function logged(pretty: boolean, fields: object): string {
  let text = '';
  createLog({ level: 'info', pretty }, { write: (line) => (text += line) }).info(fields, 'it happened');
  return text;
}

describe('the log', () => {
  it.each([
    { authorization: 'hidden' },
    { headers: { authorization: 'hidden', 'set-cookie': 'hidden', cookie: 'hidden' } },
    { config: { auth: { token: 'hidden' } } },
    { tokens: ['hidden'] },
    { request: { body: { text: 'hidden' } } },
  ])('leaves secrets out: %j', (fields) => {
    for (const pretty of [true, false]) {
      expect(logged(pretty, fields)).not.toContain('hidden');
      expect(logged(pretty, fields)).toContain('[redacted]');
    }
  });

  it('has a line for people', () => {
    expect(logged(true, { status: 200, path: '/' })).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} info {2}it happened status=200 path=\/\n$/,
    );
  });

  it('shows where an error and its cause come from', () => {
    const error = new Error('outer', { cause: new TypeError('inner') });
    for (const pretty of [true, false]) {
      expect(logged(pretty, { error })).toMatch(/Error: outer[\s\S]+TypeError: inner/);
    }
  });
});
