/**
 * Accounts, login sessions, revocations and failed logins. Every method is one transaction: durable when it returns,
 * and as if never called when it throws. The exception is UNAVAILABLE from a store that other nodes share: it may have gone away between a
 * commit and its answer, and whoever asks again finds out (`createAccount`: the name is taken). Times are ms since the epoch unless said otherwise, and are passed in.
 */
export interface AccountStore {
  /** Adds the account, its first session, and that `address` knows it from then on. False, and nothing changed, when the name is taken. */
  createAccount(account: Account, session: NewSession, address: string): Promise<boolean>;
  account(username: string): Promise<Account | undefined>;
  /** Replaces the hash if it still is `from`. */
  replaceHash(username: string, from: string, to: string): Promise<void>;
  /** Adds a session if the account's hash still is `passwordHash`: a login cannot outrun a password change. */
  openSession(session: NewSession, passwordHash: string): Promise<boolean>;
  /** A session that has not ended. An idle one may still be found: its access tokens have expired long since. */
  session(id: string): Promise<Session | undefined>;
  /** The sessions of one person that still stand at `at`, the latest used first. */
  sessions(username: string, at: Standing): Promise<Session[]>;
  /**
   * Removes sessions, whosever they are, that were idle too long, some hundreds at once at most; how many. Only such go
   * whose access tokens have expired, so that none needs a revocation.
   */
  dropIdle(at: Standing): Promise<number>;
  /**
   * Takes a refresh token for its successor. Parallel calls included, one generation follows another exactly
   * once. The predecessor gets the same successor again within `graceMs`. Later it is forgiven, unless the
   * session was forgiven less than `forgiveEveryMs` ago: the successor, which was never used, is replaced by
   * the generation after it, and is an old token from then on. The token that was forgiven is the predecessor
   * then, for `graceMs` and not longer. Any other token ends the session, and its revocation is written with
   * it. Undefined when there is no such session, it cannot be refreshed, or it no longer stands.
   */
  rotate(rotation: Rotation): Promise<Rotated | undefined>;
  /**
   * Ends sessions of one person and writes their revocations; how many. The `until` of a revocation is never before
   * `now`: a session whose tokens have all expired may still have a stream, so that it is revoked like any other.
   */
  endSessions(which: Ending): Promise<number>;
  /** Changes the hash if it still is `from`, and ends the person's sessions but `keep`; whether it did. */
  changePassword(change: PasswordChange): Promise<boolean>;
  /** Accounts in the order of their commits, after `seq`, at most `limit`. */
  accountsAfter(seq: number, limit: number): Promise<Sequenced<Account>[]>;
  /** Revocations in the order of their commits, after `seq`, but for those that are forgotten; at most `limit`. */
  revocationsAfter(seq: number, limit: number): Promise<Sequenced<Revocation>[]>;
  /**
   * Forgets revocations whose `until` (seconds) lies before `before`, some hundreds at once at most; how many. The newest
   * revocation is never forgotten.
   */
  dropRevocations(before: number): Promise<number>;
  /** Where the feeds end. Never waits for a writer. */
  ends(): Promise<FeedEnds>;
  /** Whether the account has registered, or given the right password, from this address at `since` or later. */
  knows(username: string, address: string, since: number): Promise<boolean>;
  /** Forgets which addresses the accounts have not used since `before`, some hundreds at once at most; how many. */
  dropAddresses(before: number): Promise<number>;
  /**
   * Counts an attempt against all budgets, or against none: then the answer is how long to wait, ms, else 0. Counting
   * comes first, so that a thousand guesses at once are not all let in.
   */
  admit(attempt: Attempt): Promise<number>;
  /** Takes a counted attempt back; after a success it also forgets the first budget's failures and knows the address. */
  settle(attempt: Attempt, isSuccess: boolean): Promise<void>;
  /** Resolves when the store answers. */
  check(): Promise<void>;
}

export interface Account {
  username: string;
  displayName: string;
  /** PHC string. */
  passwordHash: string;
  createdAt: number;
}

export interface NewSession {
  id: string;
  username: string;
  device: string;
  now: number;
  /** SHA-256 of the first refresh token; empty when the session cannot be refreshed. */
  tokenHash: string;
  /** When its access token expires, seconds since the epoch. */
  until: number;
}

export interface Session {
  id: string;
  username: string;
  device: string;
  createdAt: number;
  usedAt: number;
  /** When its predecessor was last forgiven after the grace; 0 for never. */
  forgivenAt: number;
}

/** A session stands while it was opened or refreshed within `idleMs`; one without refresh, while its token is valid. */
export interface Standing {
  now: number;
  idleMs: number;
}

export interface Rotation extends Standing {
  sessionId: string;
  /** The generation presented, its hash, and the hashes of the two after it. */
  generation: number;
  tokenHash: string;
  successorHash: string;
  replacementHash: string;
  /** How long the predecessor gets its successor again, ms. */
  graceMs: number;
  /** How often a predecessor is forgiven after that, ms. */
  forgiveEveryMs: number;
  /** When the new access token expires, seconds since the epoch. */
  until: number;
}

export interface Rotated {
  username: string;
  /** Of the token to give; undefined when the session ended because of the token. */
  generation: number | undefined;
}

export interface Ending {
  username: string;
  /** Only this one. */
  only?: string;
  /** All but this one. */
  keep?: string;
  now: number;
}

export interface PasswordChange {
  username: string;
  from: string;
  to: string;
  keep: string;
  now: number;
}

export interface Revocation {
  sessionId: string;
  /** When the last token of the session expires, or when it ended if that was later; seconds since the epoch. */
  until: number;
}

export type Sequenced<T> = T & { seq: number };

export interface FeedEnds {
  /** The `seq` of the newest account, 0 before the first. Rises with every commit that adds one. */
  accounts: number;
  /** The same of the newest revocation. */
  revocations: number;
  /** The greatest `seq` of a revocation that was forgotten, 0 before the first: a reader behind it may have missed one. */
  forgotten: number;
}

export interface Budget {
  key: string;
  /** Attempts that cost no waiting. */
  free: number;
  /** The longest wait, ms. */
  ceilingMs: number;
}

export interface Attempt {
  username: string;
  address: string;
  /** The first is the caller's own: whoever gives the right password has it whole again. */
  budgets: Budget[];
  now: number;
  /** After this long without an attempt these budgets are whole again, ms. */
  forgetMs: number;
}
