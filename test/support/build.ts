import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Compiles `dist`, which the end-to-end tests start as a child process. Unchanged files are not written again. */
export default async function build(): Promise<void> {
  await promisify(execFile)('npm', ['run', '--silent', 'compile']).catch((cause: { stdout?: string }) => {
    throw new Error(`dist does not compile:\n${cause.stdout ?? ''}`, { cause });
  });
}
