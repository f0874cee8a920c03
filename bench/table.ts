import { cpus, release, totalmem } from 'node:os';

/** One measured figure. */
export interface Row {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** What it is held against, measured in the same run. */
  readonly beside?: { readonly what: string; readonly value: number };
  readonly conditions?: string;
}

export function printTable(rows: readonly Row[]): void {
  const cells = rows.map(({ what, value, unit, beside, conditions: under }) => [
    what,
    `${format(value)} ${unit}`,
    beside === undefined ? '' : `${format(value / beside.value)} of ${beside.what} (${format(beside.value)})`,
    under ?? '',
  ]);
  const header = ['what', 'measured', 'beside', 'conditions'];
  const widths = header.map((title, column) =>
    Math.max(title.length, ...cells.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  console.log(line(header));
  console.log(widths.map((width) => '-'.repeat(width)).join('  '));
  for (const row of cells) console.log(line(row));
}

/** What the figures were measured on. */
export function conditions(): string {
  const [cpu] = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `node ${process.version}, ${cpus().length} × ${cpu?.model ?? 'unknown'}, ${memory}, ${process.platform} ${release()}`;
}

function format(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en');
  return value >= 10 ? value.toFixed(1) : value.toPrecision(2);
}

/** Keeps `inFlight` calls going until `forMs` have passed; resolves with completed calls a second. */
export async function rate(inFlight: number, forMs: number, call: (n: number) => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  let started = 0;
  let ended = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() - startedAt < forMs) {
      await call(started++);
      ended += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return (ended * 1000) / (performance.now() - startedAt);
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}
