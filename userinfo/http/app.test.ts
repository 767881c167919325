import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, describe, it } from 'mocha';
import { until, World } from '../fixtures/world.ts';

describe('the door of userinfo', () => {
  let world: World;
  before(async () => {
    world = await World.start('ada');
  });
  after(() => world[Symbol.asyncDispose]());

  it('refuses every path below /chat without a good token, all in the same words', async () => {
    const { authenticator } = world;
    const forged = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const bodies = new Set<string>();
    for (const authorization of [
      '',
      'Bearer x.y.z',
      authenticator.token('ada', {}, forged),
      authenticator.token('ada', { exp: 1_000_000_000 }),
      authenticator.token('ada', { aud: 'others' }),
      authenticator.token('ada', { iss: 'others' }),
      authenticator.token('ada', { sid: undefined }),
    ]) {
      for (const path of ['/chat?userid=ada', '/chat/friends', '/chat/people/me', '/chat/nowhere']) {
        const headers = { ...(authorization === '' ? {} : { authorization }), 'x-request-id': 'same' };
        const { status, body } = await world.call(`GET ${path}`, headers);
        assert.equal(status, 401, `${path} with ${authorization}`);
        bodies.add(JSON.stringify(body));
      }
    }
    assert.equal(bodies.size, 1);
  });

  it('shuts for a session that has ended', async () => {
    const token = world.authenticator.token('ada', { sid: 'session-1' });
    const call = () => world.call('GET /chat/people/me', { authorization: `Bearer ${token}` });
    assert.equal((await call()).status, 200);
    world.authenticator.revoke('session-1');
    const { body } = await until(call, ({ status }) => status !== 200);
    assert.equal(body.reason, 'UNAUTHENTICATED');
  });

  it('knows /chat and what is below it, nothing else', async () => {
    for (const path of ['/chats', '/chatter/friends', '/', '/chat/nowhere', '/chat/friends/a/b']) {
      assert.equal((await world.as('ada', `GET ${path}`)).status, 404, path);
    }
  });

  it('names the methods that a path has', async () => {
    for (const [call, allow] of [
      ['DELETE /chat', 'GET'],
      ['PUT /chat/friends/requests', 'GET, POST'],
      ['GET /chat/friends/bob', 'DELETE'],
      ['POST /chat/people/me', 'GET, PATCH'],
    ] as const) {
      const { status, headers } = await world.as('ada', call);
      assert.deepEqual([status, headers.get('allow')], [405, allow], call);
    }
  });

  it('refuses bodies that are too large or not JSON', async () => {
    const large = { about: 'x'.repeat(70_000) };
    assert.equal((await world.as('ada', 'PATCH /chat/people/me', large)).status, 413);
    const headers = { authorization: world.authenticator.token('ada'), 'content-type': 'text/plain' };
    const response = await fetch(`${world.url}/chat/people/me`, { method: 'PATCH', headers, body: 'about' });
    assert.equal(response.status, 415);
    await response.body?.cancel();
  });

  it('keeps personal answers out of caches', async () => {
    const { headers } = await world.as('ada', 'GET /chat/friends');
    assert.equal(headers.get('cache-control'), 'no-store');
  });

  it('is ready with both neighbours; without the messenger it says so and goes on', async () => {
    const readiness = () => world.call('GET /readyz');
    await until(readiness, ({ status }) => status === 200);
    world.messenger.stop();
    const { body } = await until(readiness, ({ status }) => status === 503);
    assert.deepEqual(body.missing, ['messenger']);
    assert.equal((await world.call('GET /healthz')).status, 200);
    assert.equal((await world.as('ada', 'GET /chat?userid=ada')).status, 200);
    await world.messenger.listen();
    await until(readiness, ({ status }) => status === 200);
  });
});
