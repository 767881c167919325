import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { json } from 'node:stream/consumers';
import { after, before, describe, it } from 'mocha';
import { type GoodToken, hostileTokens, signedToken } from '#common/identity/fixtures/hostile-tokens.ts';
import { type Granted, PASSWORD, World } from './fixtures/world.ts';

describe('GET /auth/me', () => {
  let world: World;
  let ada: Granted;
  let good: GoodToken;
  let refusal: unknown;
  before(async () => {
    world = await World.start();
    ada = await world.register('ada');
    good = goodToken(world, ada.access_token);
    refusal = await answer([]);
  });
  after(() => world[Symbol.asyncDispose]());

  /** What is answered to these Authorization headers, apart from the id of the request. */
  async function answer(values: string[]): Promise<unknown> {
    const { status, headers, body } = await get(`${world.url}/auth/me`, values);
    const { request_id: id, ...problem } = body;
    assert.equal(id, headers['x-request-id']);
    return { status, type: headers['content-type'], scheme: headers['www-authenticate'], problem };
  }

  it('answers whoever brings no token with 401', () => {
    const { status, problem } = refusal as { status: number; problem: { reason: string } };
    assert.deepEqual([status, problem.reason], [401, 'UNAUTHENTICATED']);
  });

  it('takes a token that was signed with its key, so that each one below is refused for its own defect', async () => {
    const token = signedToken(good.header, good.claims, good.privateKey);
    const { status } = await get(`${world.url}/auth/me`, [`Bearer ${token}`]);
    assert.equal(status, 200);
  });

  it('refuses every hostile token with the very same answer', async () => {
    const tokens = Object.entries(hostileTokens(good));
    assert.ok(tokens.length > 60);
    for (const [defect, token] of tokens) {
      assert.deepEqual(await answer([`Bearer ${token}`]), refusal, defect);
      if (token !== '') assert.deepEqual(await answer([token]), refusal, `${defect}, without Bearer`);
    }
  });

  it('refuses a refresh token, two headers, another scheme, and another person’s session alike', async () => {
    const bob = await world.register('bob');
    const forged = { ...goodToken(world, bob.access_token).claims, sub: 'ada' };
    const cases = {
      'a refresh token': [`Bearer ${ada.refresh_token}`],
      'two headers': [`Bearer ${ada.access_token}`, `Bearer ${ada.access_token}`],
      'a good one and a bad one': [`Bearer ${ada.access_token}`, 'Bearer x'],
      'another scheme': [`Basic ${ada.access_token}`],
      'bob’s session': [`Bearer ${signedToken(good.header, forged, good.privateKey)}`],
      'a session that never was': [
        signedToken(good.header, { ...good.claims, sid: 'nowhere' }, good.privateKey),
      ],
    };
    for (const [defect, values] of Object.entries(cases))
      assert.deepEqual(await answer(values), refusal, defect);
  });

  it('refuses the token of a session that has ended as it refuses a forged one', async () => {
    const { access_token: token } = (await (await world.login('ada', PASSWORD)).json()) as Granted;
    await world.call('POST', '/auth/logout', { token });
    assert.deepEqual(await answer([`Bearer ${token}`]), refusal);
  });

  it('does not read a header of 64 KB: the server refuses it before anybody looks at it', async () => {
    const token = `${'a'.repeat(65_536)}.b.c`;
    const response = await fetch(`${world.url}/auth/me`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal(response.status, 431);
    assert.equal(await response.text(), '');
  });
});

/** The claims and the header of a token of this authenticator's, with its own key. */
function goodToken(world: World, token: string): GoodToken {
  const [header, claims] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString());
  const { keys } = JSON.parse(readFileSync(world.keysPath, 'utf8'));
  return {
    header: JSON.parse(header ?? ''),
    claims: JSON.parse(claims ?? ''),
    privateKey: createPrivateKey({ key: keys[0], format: 'jwk' }),
  };
}

/** With node:http, because fetch folds two headers of one name into one. */
async function get(url: string, authorization: string[]) {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const asking = request(url, resolve).on('error', reject);
  if (authorization.length > 0) asking.setHeader('authorization', authorization);
  asking.end();
  const response = await promise;
  const body = (await json(response)) as Record<string, unknown>;
  return { status: response.statusCode, headers: response.headers, body };
}
