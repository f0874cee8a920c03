import type { ThreadKey } from '../../schemas/id.ts';
import type { Attachment } from '../attachment.ts';
import { keyOf } from '../events/follow.ts';
import { Fault } from '../fault.ts';

/** The live clients of threads; in memory alone. */
export class Attachments {
  readonly #threads = new Map<string, Map<string, Attachment>>();

  /** One that comes back under its name takes the place of the one before it. */
  add(thread: ThreadKey, attachment: Attachment): Disposable {
    const key = keyOf(thread);
    const attached = this.#threads.get(key) ?? new Map<string, Attachment>();
    this.#threads.set(key, attached.set(attachment.id, attachment));
    return {
      [Symbol.dispose]: () => {
        if (attached.get(attachment.id) === attachment) attached.delete(attachment.id);
        if (attached.size === 0 && this.#threads.get(key) === attached) this.#threads.delete(key);
      },
    };
  }

  /** The client of that name; when it is not there, one whose every call fails. */
  get(thread: ThreadKey, id: string): Attachment {
    return this.#threads.get(keyOf(thread))?.get(id) ?? goneClient(id);
  }
}

function goneClient(id: string): Attachment {
  const gone = (): Promise<never> =>
    Promise.reject(new Fault('client-gone', 'the client that started the run has left'));
  return { id, mcpServers: [], readTextFile: gone, writeTextFile: gone, runCommand: gone };
}
