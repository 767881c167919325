import { membersOf } from './conversation-id.ts';
import type { Entry, Marks } from './ports.ts';

/** Somebody who is here: a stream that wants to hear of a user's new entries. */
export interface Listener {
  readonly user: string;
  readonly device: string;
  /** New entries of one conversation, ascending; a hint, for what is missed stands in the log. Must not throw or wait. */
  push(entries: Entry[]): void;
  /** Marks that moved, of any member of the user's conversations. Must not throw or wait. */
  pushMarks?(marks: Marks[]): void;
  /** A newer stream of the same device has come. */
  replaced(): void;
}

/** Who is here on this node, and what wakes them. */
export class Hub {
  readonly #listeners = new Map<string, Map<string, Listener>>();

  /** Adds a listener, ending the older one of its device. The result removes it again. */
  join(listener: Listener): () => void {
    const devices = this.#listeners.get(listener.user) ?? new Map<string, Listener>();
    this.#listeners.set(listener.user, devices);
    devices.get(listener.device)?.replaced();
    devices.set(listener.device, listener);
    return () => {
      if (devices.get(listener.device) === listener) devices.delete(listener.device);
      if (devices.size === 0 && this.#listeners.get(listener.user) === devices)
        this.#listeners.delete(listener.user);
    };
  }

  /** Tells all members who are here of committed entries: of several conversations, ascending within each. */
  publish(entries: Entry[]): void {
    for (const [conversation, its] of Map.groupBy(entries, (entry) => entry.conversation)) {
      for (const listener of this.#listenersIn(conversation)) listener.push(its);
    }
  }

  /** Tells all members who are here of marks that moved. */
  publishMarks(marks: Marks[]): void {
    for (const [conversation, its] of Map.groupBy(marks, (mark) => mark.conversation)) {
      for (const listener of this.#listenersIn(conversation)) listener.pushMarks?.(its);
    }
  }

  *#listenersIn(conversation: string): Generator<Listener> {
    for (const member of membersOf(conversation) ?? []) yield* this.#listeners.get(member)?.values() ?? [];
  }
}
