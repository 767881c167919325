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

/** The longest that somebody who was here before waits: a guesser at their address cannot keep them away. */
const KNOWN_CEILING_MS = 5_000;

/**
 * Slows guessing, and locks nobody out. Three budgets: the pair of account and address; the address, whatever the account;
 * and the account, whatever the address. An account that has registered or logged in from the address before is known
 * there: the two wide budgets spare it, so that neither guessers elsewhere nor those behind the same address keep the owner away,
 * and its own pair waits 5 s at most. A refused attempt is not counted. Registrations have a budget of their own.
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

  /** The account has registered from this address. */
  async makeKnown(username: string, address: string): Promise<void> {
    const now = this.#clock();
    await this.#store.settle({ username, address, budgets: [], now, forgetMs: FORGET_MS }, true);
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
      {
        key: `pair ${username} ${address}`,
        free: this.#free,
        ceilingMs: 60_000,
        knownCeilingMs: KNOWN_CEILING_MS,
        sparesKnown: false,
      },
      { key: `address ${address}`, free: this.#free * 10, ceilingMs: 60_000, sparesKnown: true },
      { key: `account ${username}`, free: this.#free * 20, ceilingMs: 5_000, sparesKnown: true },
    ];
    return { username, address, budgets, now: this.#clock(), forgetMs: FORGET_MS };
  }
}
