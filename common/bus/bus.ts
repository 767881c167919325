/**
 * Says "look now" to the other processes of the cluster. A message is a hint and never the only copy of anything: whoever
 * misses one finds out by reading what it hinted at.
 * - A message reaches each other subscriber of its subject at most once, and those of one publisher in their order.
 * - It does not come back to the connection that published it.
 * - While the bus is away, or slower than its publishers, messages are dropped, and `dropped` counts them.
 * - Whoever subscribes hears what is published after that has reached the bus, which takes a moment.
 */
export interface Bus extends AsyncDisposable {
  /** Never waits and never throws. `subject` is made of our own words and of hashes, joined by dots. At most 512 KiB. */
  publish(subject: string, message?: Uint8Array): void;

  /** Calls `listener`, which must not throw, for each message until the result is disposed. */
  subscribe(subject: string, listener: (message: Uint8Array) => void): Disposable;

  /** Whether messages are on their way at this moment. */
  readonly isConnected: boolean;

  /** How many messages this connection has dropped. */
  readonly dropped: number;
}

export const MAX_MESSAGE_BYTES = 512 * 1024;

const NOTHING = new Uint8Array();

/** The listeners of one connection, by subject. */
export class Subscriptions {
  readonly #listeners = new Map<string, Set<(message: Uint8Array) => void>>();

  get subjects(): Iterable<string> {
    return this.#listeners.keys();
  }

  /** True for the first listener of a subject. */
  add(subject: string, listener: (message: Uint8Array) => void): boolean {
    const listeners = this.#listeners.get(subject) ?? new Set();
    this.#listeners.set(subject, listeners.add(listener));
    return listeners.size === 1;
  }

  /** True for the last listener of a subject. */
  remove(subject: string, listener: (message: Uint8Array) => void): boolean {
    const listeners = this.#listeners.get(subject);
    if (!listeners?.delete(listener) || listeners.size > 0) return false;
    return this.#listeners.delete(subject);
  }

  hear(subject: string, message: Uint8Array = NOTHING): void {
    for (const listener of this.#listeners.get(subject) ?? []) listener(message);
  }
}
