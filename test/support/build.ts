import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';

/**
 * Compiles `dist`: tests start it as a child process, and the threads of what they run from source. Unchanged files are not
 * written again.
 */
export default async function build(project: TestProject): Promise<void> {
  await compile();
  project.onTestsRerun(compile);
}

async function compile(): Promise<void> {
  await promisify(execFile)('npm', ['run', '--silent', 'compile']).catch(
    (cause: { stdout?: string; code?: number }) => {
      // All is written whatever its types; `npm run types` is what tells them.
      if (cause.code === writtenWithTypeErrors) return;
      throw new Error(`dist does not compile:\n${cause.stdout ?? ''}`, { cause });
    },
  );
}

/** The exit status of `tsc`. */
const writtenWithTypeErrors = 2;
