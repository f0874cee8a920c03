import { type FaultCode, type FaultRecord, faults } from '../schemas/fault.ts';

export interface FaultOptions {
  /** What was caught; logged once, never shown to a peer. */
  readonly cause?: unknown;
  /** JSON path of what is wrong with the input. */
  readonly path?: string;
  /** Overrides the code's own, where the thrower knows better. */
  readonly retryable?: boolean;
}

/** Any way the gateway refuses or fails. The message is safe to show to the peer. */
export class Fault extends Error {
  readonly code: FaultCode;
  readonly retryable: boolean;
  readonly path: string | undefined;

  constructor(code: FaultCode, message: string, options: FaultOptions = {}) {
    super(message, { cause: options.cause });
    this.name = 'Fault';
    this.code = code;
    this.retryable = options.retryable ?? faults[code].retryable;
    this.path = options.path;
  }

  /** What was thrown, as a fault: unexpected things become `internal`, their message withheld. */
  static from(thrown: unknown): Fault {
    if (thrown instanceof Fault) return thrown;
    return new Fault('internal', 'something unexpected went wrong', { cause: thrown });
  }

  static fromRecord(record: FaultRecord): Fault {
    const { code, message, retryable, path } = record;
    return new Fault(code, message, { retryable, ...(path === undefined ? {} : { path }) });
  }

  toRecord(): FaultRecord {
    const { code, message, retryable, path } = this;
    return { code, message, retryable, ...(path === undefined ? {} : { path }) };
  }
}
