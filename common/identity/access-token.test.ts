import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'mocha';
import { ServiceError } from '../errors.ts';
import { bearerToken, keyIdOf, verifyAccessToken } from './access-token.ts';
import { type GoodToken, hostileTokens, signedToken } from './fixtures/hostile-tokens.ts';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const RULES = { issuer: 'chatterbox', audience: 'chatterbox' };
const NOW = 1_700_000_000_000;
const GOOD: GoodToken = {
  header: { alg: 'ES256', typ: 'JWT', kid: 'ours' },
  claims: {
    iss: 'chatterbox',
    aud: 'chatterbox',
    sub: 'ada',
    sid: 's1',
    iat: NOW / 1000,
    exp: NOW / 1000 + 900,
  },
  privateKey,
};
const TOKEN = signedToken(GOOD.header, GOOD.claims, privateKey);

/** As every door does it; the key is looked up as in a set that has only ours. */
function judge(values: string[]) {
  const token = bearerToken(values);
  const key = new Map([['ours', publicKey]]).get(keyIdOf(token));
  if (key === undefined) throw new ServiceError('UNAUTHENTICATED');
  return verifyAccessToken(token, key, RULES, NOW);
}

function assertRefused(work: () => unknown): void {
  assert.throws(work, (error) => {
    assert.ok(error instanceof ServiceError);
    const { reason, message, fields, metadata, retryAfterMs } = error;
    const { message: same } = new ServiceError('UNAUTHENTICATED');
    assert.deepEqual(
      { reason, message, fields, metadata, retryAfterMs },
      { reason: 'UNAUTHENTICATED', message: same, fields: [], metadata: {}, retryAfterMs: undefined },
    );
    return true;
  });
}

describe('an access token', () => {
  it('says who is calling, behind Bearer in any case or alone', () => {
    const identity = { username: 'ada', sessionId: 's1', expiresAt: GOOD.claims.exp };
    for (const value of [TOKEN, `Bearer ${TOKEN}`, `bearer ${TOKEN}`, `BEARER  ${TOKEN} `])
      assert.deepEqual(judge([value]), identity);
  });

  it('is good until the second in which it expires', () => {
    assert.ok(verifyAccessToken(TOKEN, publicKey, RULES, GOOD.claims.exp * 1000 - 1));
    assertRefused(() => verifyAccessToken(TOKEN, publicKey, RULES, GOOD.claims.exp * 1000));
  });

  it('is good from its nbf on, if it has one', () => {
    const token = signedToken(GOOD.header, { ...GOOD.claims, nbf: NOW / 1000 + 60 }, privateKey);
    assertRefused(() => judge([token]));
    assert.ok(verifyAccessToken(token, publicKey, RULES, NOW + 60_000));
  });

  for (const [defect, token] of Object.entries(hostileTokens(GOOD))) {
    it(`is refused, and nothing said of why: ${defect}`, () => {
      assertRefused(() => judge([token]));
      assertRefused(() => judge([`Bearer ${token}`]));
    });
  }

  it('is refused at once when it is huge', () => {
    const kid = signedToken({ ...GOOD.header, kid: 'k'.repeat(1_000_000) }, GOOD.claims, privateKey);
    const claims = signedToken(GOOD.header, { ...GOOD.claims, more: 'x'.repeat(48_000) }, privateKey);
    for (const token of [kid, claims, `${'a'.repeat(65_536)}.b.c`]) {
      assertRefused(() => judge([token]));
      assertRefused(() => verifyAccessToken(token, publicKey, RULES, NOW));
    }
  });

  it('comes in one Authorization header, of one scheme', () => {
    const headers = [
      [],
      [TOKEN, TOKEN],
      [`${TOKEN}, ${TOKEN}`],
      [`Basic ${TOKEN}`],
      ['Bearer'],
      ['Bearer '],
      [`Bearer Bearer ${TOKEN}`],
    ];
    for (const values of headers) assertRefused(() => judge(values));
  });
});
