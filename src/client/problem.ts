// Problem details: https://www.rfc-editor.org/rfc/rfc9457
import { type FaultCode, faults } from '../../schemas/fault.ts';
import { Fault } from '../fault.ts';

/** The gateway refused, and said why. */
export class Problem extends Fault {
  readonly status: number;
  /** How long it asks to be left alone; undefined: it does not say. */
  readonly retryAfterMs: number | undefined;

  constructor(response: Response, said: Readonly<Record<string, unknown>>) {
    const { code, detail, retryable, path } = said;
    const message = typeof detail === 'string' ? detail : `the gateway answered with status ${response.status}`;
    super(isFaultCode(code) ? code : 'internal', message, {
      ...(typeof retryable === 'boolean' && { retryable }),
      ...(typeof path === 'string' && { path }),
    });
    this.status = response.status;
    this.retryAfterMs = decodeRetryAfter(response.headers.get('retry-after'));
  }
}

/** Nothing answered, or the answer was cut: nobody knows whether the request arrived. */
export class Unreachable extends Fault {
  constructor(url: string, cause: unknown) {
    super('upstream-failed', `cannot reach ${url}${reasonOf(cause)}`, { cause });
  }
}

/** Reads the body of an answer that is not a success. */
export async function decodeProblem(response: Response): Promise<Problem> {
  const text = await response.text();
  return new Problem(response, decodeObject(text));
}

function decodeObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    // A proxy between us and the gateway answers in its own words.
    return {};
  }
}

function isFaultCode(code: unknown): code is FaultCode {
  return typeof code === 'string' && Object.hasOwn(faults, code);
}

function decodeRetryAfter(text: string | null): number | undefined {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) * 1000 : undefined;
}

/** What Node says of a failed connection is in the cause of what `fetch` throws; browsers do not tell. */
function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' ? ` (${code})` : '';
}
