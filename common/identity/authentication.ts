import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { ServiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import { bearerToken, type Identity, keyIdOf, type TokenRules, verifyAccessToken } from './access-token.ts';
import { RemoteKeySet } from './key-set.ts';
import { Revocations } from './revocations.ts';

export interface AuthenticationOptions extends TokenRules {
  /** Where the authenticator is, `http://host:port`. */
  authUrl: string;
  serviceSecret: string;
}

const CACHED_TOKENS = 20_000;

/**
 * Who is calling? Every service answers that for itself, with the authenticator's public keys and its feed of revocations,
 * and needs no call to it: what was verified goes on working while the authenticator is away.
 */
export class Authentication implements AsyncDisposable {
  readonly #rules: TokenRules;
  readonly #keys: RemoteKeySet;
  readonly #revocations: Revocations;
  // By the token's hash. Checking an ES256 signature costs 0.1 ms, more than sending a message does.
  readonly #verified = new LRUCache<string, Identity>({ max: CACHED_TOKENS });

  constructor({ authUrl, serviceSecret, issuer, audience }: AuthenticationOptions, log: Log) {
    this.#rules = { issuer, audience };
    this.#keys = new RemoteKeySet(`${authUrl}/.well-known/jwks.json`);
    this.#revocations = new Revocations(authUrl, serviceSecret, log);
    this.#keys.load().catch(() => log.warn('no keys yet: the authenticator does not answer'));
  }

  /** What is missing before tokens can be judged, by name; empty when nothing is. */
  missing(): string[] {
    const ready = this.#keys.isLoaded && this.#revocations.isCaughtUp;
    if (!this.#keys.isLoaded) this.#keys.load().catch(() => {});
    return ready ? [] : ['authenticator'];
  }

  /**
   * The caller, from every value of the Authorization header.
   * @throws ServiceError UNAUTHENTICATED, the same whatever is wrong; UNAVAILABLE while no key is known.
   */
  async identify(authorization: readonly string[]): Promise<Identity> {
    const token = bearerToken(authorization);
    const known = hash('sha256', token);
    const identity = this.#verified.get(known) ?? (await this.#verify(token, known));
    if (identity.expiresAt * 1000 <= Date.now()) throw new ServiceError('UNAUTHENTICATED');
    if (this.#revocations.has(identity.sessionId)) throw new ServiceError('UNAUTHENTICATED');
    return identity;
  }

  /** Calls `listener` for each login session that ends; the result stops that. */
  onSessionEnded(listener: (sessionId: string) => void): () => void {
    return this.#revocations.onRevoked(listener);
  }

  /** Calls `listener` when it may have missed that sessions ended; the result stops that. */
  onReset(listener: () => void): () => void {
    return this.#revocations.onReset(listener);
  }

  /** Whether the login session is known to have ended. */
  hasEnded(sessionId: string): boolean {
    return this.#revocations.has(sessionId);
  }

  async #verify(token: string, known: string): Promise<Identity> {
    const key = await this.#keys.get(keyIdOf(token));
    const identity = verifyAccessToken(token, key, this.#rules, Date.now());
    this.#verified.set(known, identity);
    return identity;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#revocations[Symbol.asyncDispose]();
  }
}
