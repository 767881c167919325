import { ServiceError } from '#common/errors.ts';
import type { AccountStore, Attempt } from './ports.ts';

const FORGET_MS = 15 * 60_000;

/**
 * Accounts that one address may make within an hour; then it waits, a minute at most, before each further one. Generous,
 * because a school, a company or a mobile network has one address for all its people; it is there to keep one
 * machine from filling the disk and holding the queue of hashes.
 */
const REGISTRATIONS_PER_HOUR = 1_000;
const HOUR_MS = 3_600_000;

/**
 * Slows guessing, and locks nobody out. Three budgets: the pair of account and address; the address, whatever the account;
 * and the account, whatever the address. The last only slows, by 5 s at most, and never an address that the account
 * has logged in from, so that guessers elsewhere cannot keep the owner away. Someone behind the owner's own address can
 * slow them by a minute at most. A refused attempt is not counted. Registrations have a budget of their own.
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
    const attempt = this.#login(username, address);
    const isRight = await this.#admitted(attempt, check);
    if (isRight) await this.#store.settle(attempt, true);
    return isRight;
  }

  /**
   * Runs `work`, the costly part of a registration; every one counts that does not throw.
   * @throws ServiceError RATE_LIMITED before that.
   */
  registration<T>(username: string, address: string, work: () => Promise<T>): Promise<T> {
    const now = this.#clock();
    // A key for each hour, so that a busy address is whole again though it never pauses.
    const key = `registration ${address} ${Math.floor(now / HOUR_MS)}`;
    const budgets = [{ key, free: REGISTRATIONS_PER_HOUR, ceilingMs: 60_000, sparesKnown: false }];
    return this.#admitted({ username, address, budgets, now, forgetMs: HOUR_MS }, work);
  }

  async #admitted<T>(attempt: Attempt, work: () => Promise<T>): Promise<T> {
    const retryAfterMs = await this.#store.admit(attempt);
    if (retryAfterMs > 0) throw new ServiceError('RATE_LIMITED', { retryAfterMs });
    try {
      return await work();
    } catch (error) {
      await this.#store.settle(attempt, false);
      throw error;
    }
  }

  #login(username: string, address: string): Attempt {
    const budgets = [
      { key: `pair ${username} ${address}`, free: this.#free, ceilingMs: 60_000, sparesKnown: false },
      { key: `address ${address}`, free: this.#free * 10, ceilingMs: 60_000, sparesKnown: false },
      { key: `account ${username}`, free: this.#free * 20, ceilingMs: 5_000, sparesKnown: true },
    ];
    return { username, address, budgets, now: this.#clock(), forgetMs: FORGET_MS };
  }
}
