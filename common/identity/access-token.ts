import type { KeyObject } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { z } from 'zod';
import { ServiceError } from '../errors.ts';

/** Who is calling, as their access token says. */
export interface Identity {
  username: string;
  /** The login session: what is revoked at logout. */
  sessionId: string;
  /** Seconds since the epoch. */
  expiresAt: number;
}

export interface TokenRules {
  issuer: string;
  audience: string;
}

/** The one algorithm that we sign with and accept. */
export const ALGORITHM = 'ES256';

const LONGEST_TOKEN = 4_096;

/** How far the clock of the one who issued a token may be ahead of ours. */
const LEEWAY_S = 60;

/** Any other header member, `crit`, `jwk`, `jku` and `x5u` among them, is refused. */
const Header = z.strictObject({
  alg: z.literal(ALGORITHM),
  typ: z.literal('JWT').optional(),
  kid: z.string().max(128),
});

const Claims = z.object({
  sub: z.string().min(1),
  sid: z.string().min(1),
  exp: z.int().positive(),
  iat: z.int().positive(),
});

/** The key id that a token names, unverified. @throws ServiceError UNAUTHENTICATED when it is not a token of ours. */
export function keyIdOf(token: string): string {
  if (token.length > LONGEST_TOKEN) throw new ServiceError('UNAUTHENTICATED');
  try {
    return Header.parse(jwt.decode(token, { complete: true })?.header).kid;
  } catch (cause) {
    throw new ServiceError('UNAUTHENTICATED', { cause });
  }
}

/**
 * Checks signature, issuer, audience, times and the claims that jsonwebtoken leaves optional (RFC 8725).
 * `now` is in ms since the epoch.
 * @throws ServiceError UNAUTHENTICATED, the same for every defect.
 */
export function verifyAccessToken(token: string, key: KeyObject, rules: TokenRules, now: number): Identity {
  keyIdOf(token);
  try {
    const payload = jwt.verify(token, key, {
      algorithms: [ALGORITHM],
      issuer: rules.issuer,
      audience: rules.audience,
      clockTimestamp: Math.floor(now / 1000),
    });
    const { sub, sid, exp, iat } = Claims.parse(payload);
    if (iat > now / 1000 + LEEWAY_S) throw new Error('issued in the future');
    return { username: sub, sessionId: sid, expiresAt: exp };
  } catch (cause) {
    throw new ServiceError('UNAUTHENTICATED', { cause });
  }
}

/**
 * The token in an Authorization header: `Bearer <token>`, or, as the first app sends it, the raw token.
 * Takes every value of the header: more than one is refused.
 */
export function bearerToken(values: readonly string[]): string {
  const [value, ...more] = values;
  if (value === undefined || more.length > 0) throw new ServiceError('UNAUTHENTICATED');
  return /^(?:bearer +)?([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(value.trim())?.[1] ?? refuse();
}

function refuse(): never {
  throw new ServiceError('UNAUTHENTICATED');
}
