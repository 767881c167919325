import { ServiceError } from '#common/errors.ts';

/** Of a user at the same time. A device needs more than one frame only where it has thousands of conversations. */
const MOST_UNFINISHED = 8;

const RETRY_MS = 1_000;

/** Openings of sessions that go on in further frames, by user: each keeps what it was told until it is complete. */
export class UnfinishedOpenings {
  readonly #counts = new Map<string, number>();

  /** Counts one until the result is called, once. @throws ServiceError RATE_LIMITED when there are too many. */
  enter(user: string): () => void {
    const count = this.#counts.get(user) ?? 0;
    if (count >= MOST_UNFINISHED)
      throw new ServiceError('RATE_LIMITED', { detail: TOO_MANY, retryAfterMs: RETRY_MS });
    this.#counts.set(user, count + 1);
    return () => {
      const left = (this.#counts.get(user) ?? 1) - 1;
      if (left === 0) this.#counts.delete(user);
      else this.#counts.set(user, left);
    };
  }
}

const TOO_MANY = 'Too many streams of this user are being opened in several frames.';
