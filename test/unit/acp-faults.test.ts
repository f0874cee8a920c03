import { describe, expect, it } from 'vitest';
import { encodeError, encodeOutcome, faultTable } from '../../adapters/acp/faults.ts';
import { RpcError } from '../../adapters/acp/json-rpc.ts';
import type { FaultCode } from '../../schemas/fault.ts';
import type { Outcome } from '../../schemas/run.ts';
import { Fault } from '../../src/fault.ts';
import { assertValid } from '../support/acp-schema.ts';

describe('an error', () => {
  it.each(Object.entries(faultTable))('%s is told as %i', (name, code) => {
    const fault = new Fault(name as FaultCode, 'what went wrong', { path: '$.a' });
    const error = encodeError(fault);
    expect(error).toMatchObject({ code, data: { code: name, retryable: fault.retryable, path: '$.a' } });
    expect(error.message === 'what went wrong').toBe(name !== 'internal');
    assertValid('Error', error);
  });

  it('that was not expected says nothing of its cause', () => {
    const error = encodeError(new TypeError('the password is x'));
    expect(error).toMatchObject({ code: -32603, data: { code: 'internal', retryable: true } });
    expect(JSON.stringify(error)).not.toContain('password');
  });

  it('about a session that is not there names it', () => {
    const error = encodeError(new Fault('not-found', 'there is no such session'), { sessionId: 's1' });
    expect(error).toEqual({
      code: -32002,
      message: 'there is no such session',
      data: { code: 'not-found', retryable: false, sessionId: 's1' },
    });
  });
});

describe('a prompt', () => {
  const completed = (stop: (Outcome & { type: 'completed' })['stop']): Outcome => ({
    type: 'completed',
    stop,
    pendingToolCalls: [],
  });
  const cancelled = (reason: (Outcome & { type: 'cancelled' })['reason']): Outcome => ({
    type: 'cancelled',
    by: 'ada',
    reason,
  });

  it.each([
    [completed('end_turn'), 'end_turn'],
    [completed('max_tokens'), 'max_tokens'],
    [completed('max_turns'), 'max_turn_requests'],
    [completed('refusal'), 'refusal'],
    [cancelled('cancelled'), 'cancelled'],
    [cancelled('interrupted'), 'cancelled'],
    [cancelled('superseded'), 'cancelled'],
    [cancelled('agent'), 'cancelled'],
    [cancelled('shutdown'), 'cancelled'],
  ])('whose run ended so is answered: %j', (outcome, stopReason) => {
    const response = encodeOutcome(outcome);
    expect(response).toEqual({ stopReason });
    assertValid('PromptResponse', response);
  });

  it.each(Object.keys(faultTable))('whose run failed with %s is answered so, and asked for nothing', (name) => {
    const { code, message, retryable } = new Fault(name as FaultCode, 'no');
    const failed = (): unknown => encodeOutcome({ type: 'failed', fault: { code, message, retryable }, retryable });
    expect(failed).toThrow(expect.objectContaining({ code: -32603, data: { code, retryable } }));
  });

  it('whose run failed, or took too long, is answered with an error', () => {
    const fault = { code: 'agent-refused' as const, message: 'no', retryable: false };
    expect(() => encodeOutcome({ type: 'failed', fault, retryable: false })).toThrow(
      new RpcError(-32603, 'no', { code: 'agent-refused', retryable: false }),
    );
    expect(() => encodeOutcome(completed('timeout'))).toThrow(
      new RpcError(-32603, 'the agent took longer than it may', { code: 'timeout', retryable: true }),
    );
  });
});
