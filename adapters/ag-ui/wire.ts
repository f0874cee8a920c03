// The AG-UI 1.0 events and messages as this adapter writes them. https://docs.ag-ui.com/spec/1.0/events
import type { AGUIEvent, Message, RunFinishedEvent } from '@ag-ui/core';

/** The same members, and `undefined` where one may be left out: JSON drops it, and AG-UI forbids `null` there. */
type Optional<Type> = Type extends unknown
  ? { [Key in keyof Type]: undefined extends Type[Key] ? Type[Key] | undefined : Type[Key] }
  : never;

export type WireEvent = Optional<AGUIEvent>;
export type WireMessage = Optional<Message>;
export type WireUsage = NonNullable<RunFinishedEvent['usage']>[number];

/** What one connection's protocol version cannot say, named for the developer's log. */
export type Lost = (what: string) => void;

/** Prefix of what this gateway adds in places that AG-UI leaves open: CUSTOM names, activity types, metadata keys. */
export const vendor = 'anyport';
