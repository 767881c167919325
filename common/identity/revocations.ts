import { follow } from '../follow.ts';
import { readFeed } from '../http/ndjson.ts';
import type { Log } from '../log.ts';

/** A line of the authenticator's feed of revocations. */
export interface Revocation {
  cursor: string;
  /** The session that ended; absent on the line that says that the past is told (`caught_up`). */
  session_id?: string;
  /** When the last of its tokens expires, seconds since the epoch. */
  until?: number;
  caught_up?: boolean;
}

/** The sessions that have ended before their tokens expire, followed from the authenticator. */
export class Revocations implements AsyncDisposable {
  readonly #until = new Map<string, number>();
  readonly #listeners = new Set<(sessionId: string) => void>();
  readonly #following: AsyncDisposable;
  #isCaughtUp = false;

  constructor(authUrl: string, serviceSecret: string, log: Log) {
    const url = `${authUrl}/internal/revocations/feed`;
    this.#following = follow<Revocation>({
      name: 'revocations',
      open: (cursor, signal) => readFeed(url, cursor, serviceSecret, signal),
      cursorOf: (line) => line.cursor,
      take: (line) => this.#take(line),
      log,
    });
  }

  /** Whether everything that was revoked before we started is known. */
  get isCaughtUp(): boolean {
    return this.#isCaughtUp;
  }

  has(sessionId: string): boolean {
    return this.#until.has(sessionId);
  }

  /** Calls `listener` for each session that ends from now on; the result stops that. */
  onRevoked(listener: (sessionId: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #take({ session_id: sessionId, until, caught_up: caughtUp }: Revocation): void {
    if (caughtUp) this.#isCaughtUp = true;
    if (sessionId === undefined || until === undefined || this.#until.has(sessionId)) return;
    this.#forgetExpired();
    this.#until.set(sessionId, until);
    for (const listener of this.#listeners) listener(sessionId);
  }

  /** The oldest first, as they were added; a session's `until` may lie before an older one's, and is then kept longer. */
  #forgetExpired(): void {
    const now = Date.now() / 1000;
    for (const [sessionId, until] of this.#until) {
      if (until > now) return;
      this.#until.delete(sessionId);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#following[Symbol.asyncDispose]() as Promise<void>;
  }
}
