/** The part of `process` that this needs. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
}

const stopSignals = ['SIGTERM', 'SIGINT'] as const;

/** Resolves with the first signal to stop. Each later one calls `exitAtOnce`. */
export function stopSignal(
  source: SignalSource,
  exitAtOnce: (signal: NodeJS.Signals) => void,
): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const first = (signal: NodeJS.Signals): void => {
      for (const name of stopSignals) source.off(name, first);
      for (const name of stopSignals) source.on(name, exitAtOnce);
      resolve(signal);
    };
    for (const name of stopSignals) source.on(name, first);
  });
}
