import { timeBefore } from '#common/clocks.ts';
import { ServiceError } from '#common/errors.ts';
import type { Identity } from '#common/identity/access-token.ts';
import type { AccountStore, Attempt } from './ports.ts';

const FORGET_MS = 15 * 60_000;

/**
 * Accounts that one address may make within an hour; then it waits, a minute at most, before each further one. Generous,
 * because a school, a company or a mobile network has one address for all its people; it is there to keep one
 * machine from filling the disk and holding the queue of hashes.
 */
const REGISTRATIONS_PER_HOUR = 1_000;
const HOUR_MS = 3_600_000;

/** An account that has not logged in from an address for so long is a stranger there again. */
const KNOWN_FOR_MS = 180 * 86_400_000;

/** Short, because somebody else behind the same address may use it up again and again. */
const KNOWN_CEILING_MS = 5_000;

/**
 * Slows guessing. No wait is longer than a minute, but everybody has to wait who shares a budget with a guesser: whoever is next after the
 * wait gets in, and that may be the guesser again. An address knows an account that has registered or given its password there in the
 * last 180 days. A login counts against the pair of account and address. One at an account that the address does not know counts against two
 * wide budgets too: the address, whatever the account, and the account, whatever the address. A known pair neither asks
 * nor feeds those, so that guessers elsewhere or at other accounts do not slow it, and nobody holds
 * strangers up by failing at an account of their own. Its wait is short: about one guess in 5 s is let through for ever.
 * Password changes are counted by session, registrations by address. A refused attempt is not counted.
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
  async login(username: string, address: string, check: Check): Promise<boolean> {
    const isKnown = await this.#store.knows(username, address, timeBefore(this.#clock(), KNOWN_FOR_MS));
    const pair = { key: `pair ${username} ${address}`, free: this.#free };
    const budgets = isKnown
      ? [{ ...pair, ceilingMs: KNOWN_CEILING_MS }]
      : [
          { ...pair, ceilingMs: 60_000 },
          { key: `address ${address}`, free: this.#free * 10, ceilingMs: 60_000 },
          { key: `account ${username}`, free: this.#free * 20, ceilingMs: 5_000 },
        ];
    return this.#guarded({ username, address, budgets, ...this.#recently() }, () => check(isKnown));
  }

  /**
   * The same for the current password in a live session: who is not in it cannot use this budget up.
   * @throws ServiceError RATE_LIMITED before anything is hashed.
   */
  passwordChange({ username, sessionId }: Identity, address: string, check: Check): Promise<boolean> {
    const budgets = [{ key: `session ${sessionId}`, free: this.#free, ceilingMs: 60_000 }];
    return this.#guarded({ username, address, budgets, ...this.#recently() }, () => check(true));
  }

  /**
   * Runs `work`, the costly part of a registration; every one counts that does not throw.
   * @throws ServiceError RATE_LIMITED before that.
   */
  registration<T>(username: string, address: string, work: () => Promise<T>): Promise<T> {
    const now = this.#clock();
    // A key for each hour, so that a busy address is whole again though it never pauses.
    const key = `registration ${address} ${Math.floor(now / HOUR_MS)}`;
    const budgets = [{ key, free: REGISTRATIONS_PER_HOUR, ceilingMs: 60_000 }];
    return this.#admitted({ username, address, budgets, now, forgetMs: HOUR_MS }, work);
  }

  /** Sweeps away some of the addresses that their accounts no longer use. Called now and then. */
  async dropUnused(): Promise<void> {
    await this.#store.dropAddresses(timeBefore(this.#clock(), KNOWN_FOR_MS));
  }

  async #guarded(attempt: Attempt, check: () => Promise<boolean>): Promise<boolean> {
    const isRight = await this.#admitted(attempt, check);
    if (isRight) await this.#store.settle(attempt, true);
    return isRight;
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

  #recently(): { now: number; forgetMs: number } {
    return { now: this.#clock(), forgetMs: FORGET_MS };
  }
}

/** Checks a password for a caller whose address knows the account, or who is logged in, or for another. */
type Check = (isKnown: boolean) => Promise<boolean>;
