import { beforeEach, describe, expect, it, vi } from 'vitest';
import { bearerOf, Principals } from '../../src/server/principals.ts';

const compared = vi.hoisted(() => vi.fn<(a: number, b: number) => void>());
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>();
  return {
    ...crypto,
    timingSafeEqual(a: Buffer, b: Buffer): boolean {
      compared(a.length, b.length);
      return crypto.timingSafeEqual(a, b);
    },
  };
});

const principals = new Principals([
  { token: 'ann-token', scope: 'acme', actor: 'ann' },
  { token: 'bob-token', scope: 'acme', actor: 'bob' },
  { token: 'eve', scope: 'other', actor: 'eve' },
]);

describe('who a caller is', () => {
  it.each([
    ['Bearer ann-token', { scope: 'acme', actor: 'ann' }],
    ['bearer bob-token', { scope: 'acme', actor: 'bob' }],
    ['Bearer   eve ', { scope: 'other', actor: 'eve' }],
  ])('is what its token says: %s', (authorization, principal) => {
    expect(principals.recognise(bearerOf(authorization))).toEqual(principal);
  });

  it.each([undefined, '', 'Bearer', 'Bearer ', 'ann-token', 'Basic ann-token', 'Bearer ann', 'Bearer ann-token eve'])(
    'is not known by %j',
    (authorization) => {
      expect(() => principals.recognise(bearerOf(authorization))).toThrow(
        expect.objectContaining({ code: 'unauthenticated' }),
      );
    },
  );

  it('is the local caller when there are no tokens', () => {
    expect(new Principals([]).recognise(undefined)).toEqual({ scope: 'local', actor: 'local' });
  });

  it('cannot be two at once', () => {
    const twice = { token: 'same', scope: 'acme', actor: 'ann' };
    expect(() => new Principals([twice, { ...twice, actor: 'bob' }])).toThrow(/one stands there twice/);
  });
});

describe('the comparison of tokens', () => {
  beforeEach(() => {
    compared.mockClear();
  });

  it.each(['ann-token', 'eve', 'nobody', 'x'.repeat(1000)])('takes the same steps for %.20s', (token) => {
    try {
      principals.recognise({ token });
    } catch {
      // Whether it is known is not the question here.
    }
    expect(compared.mock.calls).toEqual([
      [32, 32],
      [32, 32],
      [32, 32],
    ]);
  });
});
