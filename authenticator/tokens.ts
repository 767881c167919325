import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { ServiceError } from '#common/errors.ts';
import {
  ALGORITHM,
  bearerToken,
  type Identity,
  keyIdOf,
  type TokenRules,
  verifyAccessToken,
} from '#common/identity/access-token.ts';
import type { SigningKeys } from './keys.ts';

/** Makes and checks both kinds of token; whether a session still stands is not known here. */
export class Tokens {
  readonly #keys: SigningKeys;
  readonly #rules: TokenRules;
  readonly #familySecret: Buffer;

  /** Refresh tokens are computed from the service secret, which no copy of the database holds. */
  constructor(keys: SigningKeys, rules: TokenRules, serviceSecret: string) {
    this.#keys = keys;
    this.#rules = rules;
    this.#familySecret = Buffer.from(hkdfSync('sha256', serviceSecret, '', 'refresh token families', 32));
  }

  /** Times in seconds since the epoch. */
  access(username: string, sessionId: string, iat: number, exp: number): string {
    const { kid, privateKey } = this.#keys.signing();
    const { issuer: iss, audience: aud } = this.#rules;
    const claims = { iss, aud, sub: username, sid: sessionId, iat, exp };
    return jwt.sign(claims, privateKey, { algorithm: ALGORITHM, keyid: kid });
  }

  /** @throws ServiceError UNAUTHENTICATED. `now` in ms since the epoch. */
  verify(authorization: readonly string[], now: number): Identity {
    const token = bearerToken(authorization);
    const key = this.#keys.publicKey(keyIdOf(token));
    if (key === undefined) throw new ServiceError('UNAUTHENTICATED');
    return verifyAccessToken(token, key, this.#rules, now);
  }

  /** The refresh token of a session's generation: always the same, so that a lost reply can be given again. */
  refresh(sessionId: string, generation: number): string {
    const family = createHmac('sha256', this.#familySecret).update(sessionId).digest();
    const mac = createHmac('sha256', family).update(String(generation)).digest('base64url');
    return `${sessionId}.${generation}.${mac}`;
  }

  /** What a refresh token names. Only one that we made gets that far: a forged one cannot end a session. */
  readRefresh(token: string): { sessionId: string; generation: number } {
    const [, sessionId = '', generation = ''] = /^([\w-]{36})\.(\d{1,9})\.[\w-]{43}$/.exec(token) ?? [];
    const wanted = Buffer.from(this.refresh(sessionId, Number(generation)));
    const given = Buffer.from(token);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted))
      throw new ServiceError('UNAUTHENTICATED', { detail: 'The refresh token is not valid.' });
    return { sessionId, generation: Number(generation) };
  }
}

/** How a refresh token is stored. */
export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}
