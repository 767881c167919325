import type { RequestHandler } from 'express';
import { LRUCache } from 'lru-cache';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { ServiceError } from '#common/errors.ts';

/** How many calls a user may make in a window of so many seconds. */
export interface Quota {
  calls: number;
  seconds: number;
}

/** The policies, by the names that the headers of an answer give them. */
export type Quotas = Record<'search' | 'requests' | 'calls', Quota>;

/** What counts as a call of another policy than `calls`. */
const POLICIES: Record<string, keyof Quotas> = {
  'get /chat/people': 'search',
  'get /chat/suggestions': 'search',
  'post /chat/friends/requests': 'requests',
};

const REMEMBERED_USERS = 100_000;

/** The budgets that each user has at this node. */
export class Budgets {
  readonly #budgets: Record<keyof Quotas, Budget>;

  constructor({ search, requests, calls }: Quotas) {
    this.#budgets = {
      search: new Budget('search', search),
      requests: new Budget('requests', requests),
      calls: new Budget('calls', calls),
    };
  }

  /**
   * Counts a call of `identified`'s caller, tells what is left (draft-ietf-httpapi-ratelimit-headers-08), and
   * refuses the call with RATE_LIMITED where nothing was left.
   */
  of(method: string, path: string): RequestHandler {
    const budget = this.#budgets[POLICIES[`${method} ${path}`] ?? 'calls'];
    return async (_request, response, next) => {
      const { isAllowed, left, resetMs } = await budget.take(response.locals.identity.username);
      response.set('ratelimit-policy', budget.policy);
      response.set('ratelimit', `"${budget.name}";r=${left};t=${Math.ceil(resetMs / 1000)}`);
      if (!isAllowed) throw new ServiceError('RATE_LIMITED', { retryAfterMs: resetMs });
      next();
    };
  }
}

/** One policy: windows that begin with a user's first call. */
export class Budget {
  readonly name: string;
  /** As the header says it. */
  readonly policy: string;
  readonly #quota: Quota;
  readonly #limiter: RateLimiterMemory;
  /** The limiter has no bound of its own: whom this forgets, it forgets. */
  readonly #users: LRUCache<string, true>;

  constructor(name: string, quota: Quota, rememberedUsers: number = REMEMBERED_USERS) {
    this.name = name;
    this.#quota = quota;
    this.policy = `"${name}";q=${quota.calls};w=${quota.seconds}`;
    this.#limiter = new RateLimiterMemory({ points: quota.calls, duration: quota.seconds });
    this.#users = new LRUCache({
      max: rememberedUsers,
      dispose: (_, user, reason) => void (reason === 'evict' && this.#limiter.delete(user)),
    });
  }

  /** How many users it remembers. */
  get users(): number {
    return this.#users.size;
  }

  /** Counts one call. */
  async take(user: string): Promise<Taken> {
    this.#users.set(user, true);
    const isAllowed = (result: RateLimiterRes) => ({ isAllowed: true, result });
    const isRefused = (result: unknown) => ({ isAllowed: false, result: requireResult(result) });
    const taken = await this.#limiter.consume(user).then(isAllowed, isRefused);
    // The limiter reads the machine's clock, which may be set back within a window.
    const resetMs = Math.min(Math.max(taken.result.msBeforeNext, 1), this.#quota.seconds * 1000);
    return { isAllowed: taken.isAllowed, left: taken.result.remainingPoints, resetMs };
  }
}

/** The limiter rejects with its result, which is no Error. */
function requireResult(result: unknown): RateLimiterRes {
  if (result instanceof RateLimiterRes) return result;
  throw result;
}

interface Taken {
  isAllowed: boolean;
  /** Calls left in the window. */
  left: number;
  /** When the window ends, in ms. */
  resetMs: number;
}
