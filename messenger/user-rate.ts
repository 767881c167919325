import { setTimeout as delay } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { type ErrorOptions, ServiceError } from '#common/errors.ts';

export interface Rate {
  /** Sustained. */
  perSecond: number;
  /** How many may come together. */
  burst: number;
}

const REMEMBERED_USERS = 100_000;

/** A token bucket for each user: the budget of one kind of work. Its unit is a message, a read, and so on. */
export class UserRate {
  readonly #rate: Rate;
  readonly #steady: () => number;
  readonly #refusal: ErrorOptions;
  readonly #buckets = new LRUCache<string, Bucket>({ max: REMEMBERED_USERS });

  /** `steady`: ms that only grow, see common/clocks.ts. `refusal`: what an error says besides the delay. */
  constructor(rate: Rate, steady: () => number, refusal: ErrorOptions = {}) {
    this.#rate = rate;
    this.#steady = steady;
    this.#refusal = refusal;
  }

  /** Takes one unit. @throws ServiceError RATE_LIMITED with how long to wait. */
  take(user: string): void {
    const waitMs = this.#tryTake(user);
    if (waitMs > 0) throw new ServiceError('RATE_LIMITED', { ...this.#refusal, retryAfterMs: waitMs });
  }

  /** Takes one unit as soon as there is one. Rejects when aborted. */
  async wait(user: string, signal: AbortSignal): Promise<void> {
    for (let ms = this.#tryTake(user); ms > 0; ms = this.#tryTake(user))
      await delay(ms, undefined, { signal });
  }

  /**
   * Takes what was done already, `cost` in units, whether it is there or not; returns for how many ms nothing
   * more should be taken from this user, at most the time that a burst takes.
   */
  charge(user: string, cost: number): number {
    const bucket = this.#filled(user);
    bucket.level = Math.max(bucket.level - cost, -this.#rate.burst);
    return Math.max(0, Math.ceil((-bucket.level / this.#rate.perSecond) * 1000));
  }

  /** Takes one unit and returns 0, or returns for how many ms there is none. */
  #tryTake(user: string): number {
    const bucket = this.#filled(user);
    if (bucket.level < 1) return Math.ceil(((1 - bucket.level) / this.#rate.perSecond) * 1000);
    bucket.level -= 1;
    return 0;
  }

  #filled(user: string): Bucket {
    const now = this.#steady();
    const { perSecond, burst } = this.#rate;
    const bucket = this.#buckets.get(user) ?? this.#newBucket(user, now);
    bucket.level = Math.min(burst, bucket.level + ((now - bucket.at) / 1000) * perSecond);
    bucket.at = now;
    return bucket;
  }

  #newBucket(user: string, now: number): Bucket {
    const bucket = { level: this.#rate.burst, at: now };
    this.#buckets.set(user, bucket);
    return bucket;
  }
}

interface Bucket {
  level: number;
  at: number;
}
