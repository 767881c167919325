import { ServiceError } from './errors.ts';

/** When one that was refused may come again. */
const RETRY_MS = 1_000;

/** How many are in flight for each key, and no more than `limit`. */
export class InFlight {
  readonly #limit: number;
  readonly #refusal: string;
  readonly #counts = new Map<string, number>();

  /** `refusal`: what one too many is told. */
  constructor(limit: number, refusal: string) {
    this.#limit = limit;
    this.#refusal = refusal;
  }

  /**
   * Counts one until the result is called, once.
   * @throws ServiceError RATE_LIMITED when there are too many.
   */
  enter(key: string): () => void {
    const count = this.#counts.get(key) ?? 0;
    if (count >= this.#limit)
      throw new ServiceError('RATE_LIMITED', { detail: this.#refusal, retryAfterMs: RETRY_MS });
    this.#counts.set(key, count + 1);
    return () => {
      const left = (this.#counts.get(key) ?? 1) - 1;
      if (left === 0) this.#counts.delete(key);
      else this.#counts.set(key, left);
    };
  }
}
