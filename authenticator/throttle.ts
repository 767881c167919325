import { ServiceError } from '#common/errors.ts';
import type { AccountStore, Attempt } from './ports.ts';

const FORGET_MS = 15 * 60_000;

/**
 * Slows guessing, and locks nobody out. Three budgets: the pair of account and address; the address, whatever the account;
 * and the account, whatever the address. The last only slows, by 5 s at most, and never an address that the account
 * has logged in from, so that guessers elsewhere cannot keep the owner away. Someone behind the owner's own address can
 * slow them by a minute at most. A refused attempt is not counted.
 */
export class Throttle {
  readonly #store: AccountStore;
  readonly #free: number;
  readonly #clock: () => number;

  constructor(store: AccountStore, free: number, clock: () => number) {
    this.#store = store;
    this.#free = free;
    this.#clock = clock;
  }

  /**
   * Runs `check`, which says whether the password was right; one that throws is not held against anybody.
   * @throws ServiceError RATE_LIMITED before anything is hashed.
   */
  async guard(username: string, address: string, check: () => Promise<boolean>): Promise<boolean> {
    const attempt = this.#attempt(username, address);
    const retryAfterMs = await this.#store.admit(attempt);
    if (retryAfterMs > 0) throw new ServiceError('RATE_LIMITED', { retryAfterMs });
    let isRight: boolean;
    try {
      isRight = await check();
    } catch (error) {
      await this.#store.settle(attempt, false);
      throw error;
    }
    if (isRight) await this.#store.settle(attempt, true);
    return isRight;
  }

  #attempt(username: string, address: string): Attempt {
    const budgets = [
      { key: `pair ${username} ${address}`, free: this.#free, ceilingMs: 60_000, sparesKnown: false },
      { key: `address ${address}`, free: this.#free * 10, ceilingMs: 60_000, sparesKnown: false },
      { key: `account ${username}`, free: this.#free * 20, ceilingMs: 5_000, sparesKnown: true },
    ];
    return { username, address, budgets, now: this.#clock(), forgetMs: FORGET_MS };
  }
}
