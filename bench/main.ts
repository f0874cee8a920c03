// What Anyport costs, against stated limits and peers in the same run. `npm run bench -- NAME…` picks some.
import { a2a } from './a2a.ts';
import { acp } from './acp.ts';
import { cycles } from './cycles.ts';
import { http } from './http.ts';
import { startUp } from './start-up.ts';
import { storeCommits } from './store.ts';
import { conditions, printTable, type Row } from './table.ts';
import { threadLength } from './thread-length.ts';
import { viewers } from './viewers.ts';

const parts: Readonly<Record<string, () => Promise<readonly Row[]>>> = {
  store: () => storeCommits(),
  cycles: () => cycles(3000),
  http: () => http(4000),
  a2a: () => a2a(4000),
  acp: () => acp(),
  viewers: () => viewers(),
  'thread-length': () => threadLength(),
  'start-up': () => startUp(),
};

const wanted = process.argv.slice(2);
const rows: Row[] = [];
for (const [name, measure] of Object.entries(parts)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.error(`measuring ${name} …`);
  rows.push(...(await measure()));
}
console.log(`${conditions()}\n`);
printTable(rows);
process.exit(0);
