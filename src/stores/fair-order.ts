import type { Actor, Scope, ThreadKey } from '../../schemas/id.ts';
import type { ReadyCursor, ReadyThread } from '../mailbox/store.ts';

/** Finds threads that are ready by three short steps, each independent of how many are waiting. */
export interface ReadyLookup {
  /** The first scope behind `after` ('' for the first of all) with a ready thread. */
  nextScope(after: Scope): Scope | undefined;
  nextActor(scope: Scope, after: Actor): Actor | undefined;
  /** The actor's thread that has been ready longest; behind `after`, if given. */
  nextThread(scope: Scope, actor: Actor, after: ReadyPlace | undefined): ReadyFound | undefined;
}

export interface ReadyPlace {
  readonly atMs: number;
  readonly id: number;
}
export interface ReadyFound extends ReadyPlace {
  readonly thread: ThreadKey;
}

/** A cursor remembers whose turn it is in so many scopes; in one served longer ago the round begins anew. */
const rememberedScopes = 256;

/** Takes turns over scopes, inside a scope over its actors, and serves each actor's oldest first. */
export function readyInTurns(lookup: ReadyLookup, after: ReadyCursor | undefined, limit: number): ReadyThread[] {
  const rounds = new Map<Scope, ActorRound>();
  const found: ReadyThread[] = [];
  let cursor: ReadyCursor = after ?? { scope: '', actors: {} };
  let idleSince: Scope | undefined;
  while (found.length < limit) {
    const scope = lookup.nextScope(cursor.scope) ?? lookup.nextScope('');
    if (scope === undefined || scope === idleSince) break;
    let round = rounds.get(scope);
    if (round === undefined) rounds.set(scope, (round = new ActorRound(lookup, scope, actorOf(cursor, scope))));
    const thread = round.next();
    cursor = { scope, actors: remember(cursor.actors, scope, round.actor) };
    if (thread === undefined) idleSince ??= scope;
    else {
      idleSince = undefined;
      found.push({ thread, cursor });
    }
  }
  return found;
}

/** One scope's part of the order. */
class ActorRound {
  actor: Actor;
  readonly #lookup: ReadyLookup;
  readonly #scope: Scope;
  readonly #places = new Map<Actor, ReadyPlace>();

  constructor(lookup: ReadyLookup, scope: Scope, actor: Actor) {
    this.#lookup = lookup;
    this.#scope = scope;
    this.actor = actor;
  }

  next(): ThreadKey | undefined {
    let idleSince: Actor | undefined;
    for (;;) {
      const actor = this.#lookup.nextActor(this.#scope, this.actor) ?? this.#lookup.nextActor(this.#scope, '');
      if (actor === undefined || actor === idleSince) return undefined;
      this.actor = actor;
      const found = this.#lookup.nextThread(this.#scope, actor, this.#places.get(actor));
      if (found !== undefined) {
        this.#places.set(actor, found);
        return found.thread;
      }
      idleSince ??= actor;
    }
  }
}

function actorOf(cursor: ReadyCursor, scope: Scope): Actor {
  return Object.hasOwn(cursor.actors, scope) ? (cursor.actors[scope] ?? '') : '';
}

function remember(actors: ReadyCursor['actors'], scope: Scope, actor: Actor): ReadyCursor['actors'] {
  const others = Object.entries(actors).filter(([other]) => other !== scope);
  return Object.fromEntries([...others.slice(1 - rememberedScopes), [scope, actor]]);
}
