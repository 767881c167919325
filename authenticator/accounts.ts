import { type Reason, ServiceError, toServiceError } from '#common/errors.ts';
import type { Identity } from '#common/identity/access-token.ts';
import { isReservedUsername } from '#common/text/reserved-names.ts';
import { canonicalUsername } from '#common/username.ts';
import type { HashCaller } from './hash-queue.ts';
import { acceptablePassword, type PasswordHasher } from './passwords.ts';
import type { Account, AccountStore } from './ports.ts';
import type { Grant, Sessions } from './sessions.ts';
import type { Signal } from './signal.ts';
import type { Throttle } from './throttle.ts';

/** Registering, logging in, and changing the password. */
export class Accounts {
  readonly #parts: AccountsParts;

  constructor(parts: AccountsParts) {
    this.#parts = parts;
  }

  /** @throws ServiceError INVALID_REQUEST, ALREADY_EXISTS, RATE_LIMITED, OVERLOADED. */
  async register({ username: raw, password, displayName, device, address }: Registration): Promise<Grant> {
    const { store, hasher, sessions, throttle, registered, clock } = this.#parts;
    const username = canonicalUsername(raw, 'username');
    const accepted = acceptablePassword(password, username, 'password');
    // A taken name is found before the costly hash; a race for it is decided by the store.
    if (isReservedUsername(username) || (await store.account(username))) throw taken();
    const passwordHash = await throttle.registration(username, address, () =>
      hasher.hash(accepted, { address, account: username, isKnown: false }),
    );
    const { session, grant } = sessions.prepare(username, device);
    const account = { username, displayName: displayName ?? username, passwordHash, createdAt: clock() };
    if (!(await store.createAccount(account, session, address))) throw taken();
    registered.raise();
    return grant;
  }

  /**
   * Without `lifetime` (seconds) the session can be refreshed.
   * @throws ServiceError BAD_CREDENTIALS, the same for a wrong user as for a wrong password, RATE_LIMITED,
   * OVERLOADED; INVALID_REQUEST for what no user can be called.
   */
  async login(login: Login): Promise<Grant> {
    try {
      return await this.#login(login);
    } catch (error) {
      this.#parts.onRefused?.(toServiceError(error).reason);
      throw error;
    }
  }

  async #login({ username: raw, password, device, address, lifetime }: Login): Promise<Grant> {
    const { store, sessions, throttle } = this.#parts;
    const username = canonicalUsername(raw, 'username');
    const account = await store.account(username);
    const origin = { address, account: username };
    const passwordHash = await this.#check(account, password, origin, (check) =>
      throttle.login(username, address, check),
    );
    await Promise.all([sessions.dropUnneeded(), throttle.dropUnused()]);
    const { session, grant } = sessions.prepare(username, device, lifetime);
    if (!(await store.openSession(session, passwordHash))) throw new ServiceError('BAD_CREDENTIALS');
    return grant;
  }

  /** Keeps the session that asks, and ends the others. @throws ServiceError BAD_CREDENTIALS for a wrong `current`. */
  async changePassword(caller: Identity, current: string, next: string, address: string): Promise<void> {
    const { store, hasher, throttle, ended, clock } = this.#parts;
    const { username, sessionId: keep } = caller;
    const accepted = acceptablePassword(next, username, 'new');
    const origin = { address, account: username };
    const from = await this.#check(await store.account(username), current, origin, (check) =>
      throttle.passwordChange(caller, address, check),
    );
    const to = await hasher.hash(accepted, { ...origin, isKnown: true });
    if (!(await store.changePassword({ username, from, to, keep, now: clock() })))
      throw new ServiceError('BAD_CREDENTIALS');
    ended.raise();
  }

  /** @throws ServiceError NOT_FOUND. */
  async find(username: string): Promise<Account> {
    const account = await this.#parts.store.account(username);
    if (account === undefined) throw new ServiceError('NOT_FOUND', { detail: 'There is no such user.' });
    return account;
  }

  /** The stored hash once the password is right, made anew where its parameters are outdated. */
  async #check(
    account: Account | undefined,
    password: string,
    origin: Omit<HashCaller, 'isKnown'>,
    throttled: Throttled,
  ): Promise<string> {
    const { store, hasher } = this.#parts;
    const stored = account?.passwordHash;
    const isRight = await throttled((isKnown) => hasher.isRight(password, stored, { ...origin, isKnown }));
    if (!isRight || account === undefined || stored === undefined) throw new ServiceError('BAD_CREDENTIALS');
    if (!hasher.isOutdated(stored)) return stored;
    const renewed = await hasher.hash(password.normalize('NFC'), { ...origin, isKnown: true });
    await store.replaceHash(account.username, stored, renewed);
    return renewed;
  }
}

function taken(): ServiceError {
  return new ServiceError('ALREADY_EXISTS', { detail: 'This username is taken.' });
}

export interface AccountsParts {
  store: AccountStore;
  hasher: PasswordHasher;
  sessions: Sessions;
  throttle: Throttle;
  /** Raised when an account was made. */
  registered: Signal;
  /** Raised when sessions ended. */
  ended: Signal;
  clock: () => number;
  /** Hears of each login that is refused. */
  onRefused?: (reason: Reason) => void;
}

/** Runs a check of a password within the budgets that it counts against. */
type Throttled = (check: (isKnown: boolean) => Promise<boolean>) => Promise<boolean>;

export interface Registration {
  username: string;
  password: string;
  displayName?: string | undefined;
  device: string;
  address: string;
}

export interface Login {
  username: string;
  password: string;
  device: string;
  address: string;
  lifetime?: number;
}
