import { follow } from '../follow.ts';
import { readFeed } from '../http/ndjson.ts';
import type { Log } from '../log.ts';

/** A line of the authenticator's feed of revocations. */
export interface Revocation {
  cursor: string;
  /** The session that ended; absent on the lines `caught_up` and `reset`. */
  session_id?: string;
  /** When the last of its tokens expires, or when it ended if that was later; seconds since the epoch. */
  until?: number;
  /** The past is told. */
  caught_up?: boolean;
  /** The authenticator does not know the cursor that it was given; the feed goes on from the beginning. */
  reset?: boolean;
}

/** Kept so long after the tokens have expired: a clock that ran ahead may be set back, and they are valid again. */
const CLOCK_SLACK_S = 3_600;

/** Expired ones are looked for when there are twice as many as the last time, and this many. */
const FEW = 1_000;

/** The sessions that have ended before their tokens expire, followed from the authenticator. */
export class Revocations implements AsyncDisposable {
  /** Never emptied, not by a reset either: what was revoked once stays so. */
  readonly #until = new Map<string, number>();
  readonly #revoked = new Set<(sessionId: string) => void>();
  readonly #reset = new Set<() => void>();
  readonly #log: Log;
  readonly #clock: () => number;
  readonly #following: AsyncDisposable;
  #isCaughtUp = false;
  #sweepAt = FEW;

  constructor(authUrl: string, serviceSecret: string, log: Log, clock: () => number = Date.now) {
    this.#log = log;
    this.#clock = clock;
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

  /** Whether the session has ended. Known until an hour after its last token has expired. */
  has(sessionId: string): boolean {
    return this.#until.has(sessionId);
  }

  /** How many are kept. */
  get size(): number {
    return this.#until.size;
  }

  /** Calls `listener` for each session that ends from now on; the result stops that. */
  onRevoked(listener: (sessionId: string) => void): () => void {
    this.#revoked.add(listener);
    return () => this.#revoked.delete(listener);
  }

  /** Calls `listener` when revocations may have been missed, before those that can be had are told; the result stops that. */
  onReset(listener: () => void): () => void {
    this.#reset.add(listener);
    return () => this.#reset.delete(listener);
  }

  #take({ session_id: sessionId, until, caught_up: caughtUp, reset }: Revocation): void {
    if (caughtUp) this.#isCaughtUp = true;
    if (reset) {
      this.#log.warn(
        'the authenticator does not know our place in its revocations: reading all of them again',
      );
      for (const listener of this.#reset) listener();
    }
    if (sessionId === undefined || until === undefined || this.#until.has(sessionId)) return;
    // Streams outlive tokens: one whose tokens have all expired may still have some.
    for (const listener of this.#revoked) listener(sessionId);
    if (this.#matters(until)) this.#until.set(sessionId, until);
    if (this.#until.size >= this.#sweepAt) this.#forgetExpired();
  }

  #matters(until: number): boolean {
    return until + CLOCK_SLACK_S > this.#clock() / 1000;
  }

  #forgetExpired(): void {
    for (const [sessionId, until] of this.#until) if (!this.#matters(until)) this.#until.delete(sessionId);
    this.#sweepAt = Math.max(FEW, 2 * this.#until.size);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#following[Symbol.asyncDispose]() as Promise<void>;
  }
}
