// Runs each program of a folder on its own, one after the other: `run-each FOLDER [NAME…]`.
// A NAME picks the programs whose file name contains it. Fails when one of them does.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const [folder, ...names] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: run-each FOLDER [NAME…]');

const programs = (existsSync(folder) ? readdirSync(folder) : [])
  .filter((file) => file.endsWith('.ts') && (names.length === 0 || names.some((name) => file.includes(name))))
  .toSorted();

const failed: string[] = [];
for (const program of programs) {
  const path = join(folder, program);
  console.log(`\n▶ ${path}`);
  const child = spawn(process.execPath, ['--import', './scripts/typescript.mjs', path], { stdio: 'inherit' });
  const [exitCode, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (exitCode !== 0) {
    console.error(`✗ ${path} ended with ${exitCode ?? signal}`);
    failed.push(program);
  }
}

console.log(`\n${folder}: ${programs.length - failed.length} passed, ${failed.length} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;
