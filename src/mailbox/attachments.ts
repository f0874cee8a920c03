import type { Actor, ThreadKey } from '../../schemas/id.ts';
import type { Attachment } from '../attachment.ts';
import { Fault } from '../fault.ts';
import { threadName } from '../thread-name.ts';

/** The live clients of threads; in memory alone. */
export class Attachments {
  readonly #threads = new Map<string, Map<string, Attachment>>();

  /** One of an actor's that comes back under its name takes the place of the one before it. */
  add(thread: ThreadKey, actor: Actor, attachment: Attachment): Disposable {
    const key = threadName(thread);
    const name = nameOf(actor, attachment.id);
    const attached = this.#threads.get(key) ?? new Map<string, Attachment>();
    this.#threads.set(key, attached.set(name, attachment));
    return {
      [Symbol.dispose]: () => {
        if (attached.get(name) === attachment) attached.delete(name);
        if (attached.size === 0 && this.#threads.get(key) === attached) this.#threads.delete(key);
      },
    };
  }

  /** The actor's client of that name; when it is not there, one whose every call fails. */
  get(thread: ThreadKey, actor: Actor, id: string): Attachment {
    return this.#threads.get(threadName(thread))?.get(nameOf(actor, id)) ?? goneClient(id);
  }
}

/** A name alone would let another actor who knows it take the client's place. */
function nameOf(actor: Actor, id: string): string {
  return JSON.stringify([actor, id]);
}

function goneClient(id: string): Attachment {
  const gone = (): Promise<never> =>
    Promise.reject(new Fault('client-gone', 'the client that started the run has left'));
  return { id, mcpServers: [], readTextFile: gone, writeTextFile: gone, runCommand: gone };
}
