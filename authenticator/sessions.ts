import { randomUUID } from 'node:crypto';
import { timeBefore } from '#common/clocks.ts';
import { ServiceError } from '#common/errors.ts';
import type { Identity } from '#common/identity/access-token.ts';
import { LIMITS } from './limits.ts';
import type { AccountStore, NewSession, Session, Standing } from './ports.ts';
import type { Signal } from './signal.ts';
import { hashOf, type Tokens } from './tokens.ts';

/** How long the predecessor of a refresh token gets the same reply: it may have been lost. */
const GRACE_MS = 10_000;

/**
 * After that it is forgiven once in this time. A thief and the owner who refresh by turns end the session
 * with their third.
 */
const FORGIVE_EVERY_MS = 86_400_000;

/** A session that nobody has refreshed for so long has ended: the device is lost, or the app was removed. */
const IDLE_MS = 90 * 86_400_000;

/** Clocks differ between machines, and are set back or forward: revocations are kept for so much longer. */
const CLOCK_SLACK_S = 3_600;

/** Login sessions: one for each login, known by the `sid` of its tokens. */
export class Sessions {
  readonly #store: AccountStore;
  readonly #tokens: Tokens;
  readonly #accessSeconds: number;
  readonly #revocationSeconds: number;
  readonly #ended: Signal;
  readonly #clock: () => number;

  constructor(store: AccountStore, tokens: Tokens, ages: Ages, ended: Signal, clock: () => number) {
    this.#store = store;
    this.#tokens = tokens;
    this.#accessSeconds = ages.accessTokenSeconds;
    // The messenger ends a stream a tenth later at most, and looks a twentieth of its age apart.
    this.#revocationSeconds = Math.ceil(ages.streamMaxAgeSeconds * 1.15) + CLOCK_SLACK_S;
    this.#ended = ended;
    this.#clock = clock;
  }

  /** A session and its first tokens, to be stored before they are given. A `lifetime` (seconds) makes it one without refresh. */
  prepare(username: string, device: string, lifetime?: number): { session: NewSession; grant: Grant } {
    const now = this.#clock();
    const id = randomUUID();
    const grant = this.#grant(username, id, 0, lifetime);
    const tokenHash = lifetime === undefined ? hashOf(grant.refreshToken) : '';
    const until = Math.floor(now / 1000) + grant.expiresIn;
    // By code points: no pair of surrogates is cut in two.
    const name = [...device].slice(0, LIMITS.device).join('');
    return { session: { id, username, device: name, now, tokenHash, until }, grant };
  }

  /**
   * The next tokens of a session. An old refresh token ends the session, as it may be stolen; what is
   * forgiven says `AccountStore.rotate`.
   * @throws ServiceError UNAUTHENTICATED for what is no refresh token of ours, SESSION_ENDED.
   */
  async refresh(token: string): Promise<Grant> {
    const { sessionId, generation } = this.#tokens.readRefresh(token);
    const now = this.#clock();
    const rotated = await this.#store.rotate({
      sessionId,
      generation,
      tokenHash: hashOf(token),
      successorHash: hashOf(this.#tokens.refresh(sessionId, generation + 1)),
      replacementHash: hashOf(this.#tokens.refresh(sessionId, generation + 2)),
      ...this.#standing(),
      graceMs: GRACE_MS,
      forgiveEveryMs: FORGIVE_EVERY_MS,
      until: Math.floor(now / 1000) + this.#accessSeconds,
    });
    if (rotated?.generation !== undefined)
      return this.#grant(rotated.username, sessionId, rotated.generation);
    if (rotated !== undefined) this.#ended.raise();
    throw new ServiceError('SESSION_ENDED');
  }

  /** Whose token it is, if the session stands. @throws ServiceError UNAUTHENTICATED, the same whatever is wrong. */
  async identify(authorization: readonly string[]): Promise<Identity> {
    const identity = this.#tokens.verify(authorization, this.#clock());
    const session = await this.#store.session(identity.sessionId);
    if (session?.username !== identity.username) throw new ServiceError('UNAUTHENTICATED');
    return identity;
  }

  list(username: string): Promise<Session[]> {
    return this.#store.sessions(username, this.#standing());
  }

  /**
   * Sweeps away some of the sessions that have ended by being idle, whosever they are, and of the revocations that no
   * stream of their sessions can have outlived. Called now and then.
   */
  async dropUnneeded(): Promise<void> {
    const oldest = Math.floor(timeBefore(this.#clock(), this.#revocationSeconds * 1_000) / 1_000);
    await Promise.all([this.#store.dropIdle(this.#standing()), this.#store.dropRevocations(oldest)]);
  }

  /** Ends one session of this person, or all of them; how many that were. */
  async end(username: string, only?: string): Promise<number> {
    const now = this.#clock();
    const count = await this.#store.endSessions({ username, now, ...(only === undefined ? {} : { only }) });
    this.#ended.raise();
    return count;
  }

  #standing(): Standing {
    return { now: this.#clock(), idleMs: IDLE_MS };
  }

  #grant(username: string, sessionId: string, generation: number, lifetime?: number): Grant {
    const iat = Math.floor(this.#clock() / 1000);
    const expiresIn = lifetime ?? this.#accessSeconds;
    return {
      username,
      accessToken: this.#tokens.access(username, sessionId, iat, iat + expiresIn),
      expiresIn,
      refreshToken: this.#tokens.refresh(sessionId, generation),
    };
  }
}

export interface Ages {
  accessTokenSeconds: number;
  /** How old a stream of the messenger grows. It may have been opened with a token in its last second. */
  streamMaxAgeSeconds: number;
}

/** What a login gives. */
export interface Grant {
  username: string;
  accessToken: string;
  /** Seconds. */
  expiresIn: number;
  refreshToken: string;
}
