import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { json, raw } from '../fixtures/http.ts';
import { startWorld, type World } from '../fixtures/world.ts';

describe('what a path leads to', () => {
  let world: World;
  before(async () => {
    world = await startWorld({});
  });
  after(() => world[Symbol.asyncDispose]());

  const get = (path: string, init: RequestInit = {}) => fetch(`${world.url}${path}`, init);
  const authorized = () => ({ authorization: `Bearer ${world.token()}` });

  it('has the pages of the original', async () => {
    assert.equal(await (await get('/')).text(), 'Called the root page');
    assert.equal((await get('/home')).status, 200);
    const fallback = await get('/fallback');
    assert.deepEqual([fallback.status, await fallback.text()], [404, 'Called the fallback page']);
  });

  it('keeps the exact path and query', async () => {
    const { url } = await json(await get('/chat/people?query=a%20b', { headers: authorized() }));
    assert.equal(url, '/chat/people?query=a%20b');
    assert.equal((await json(await get('/auth/login', { method: 'POST', body: '{}' }))).url, '/auth/login');
  });

  it('asks for a token before it forwards, but not where none is needed', async () => {
    for (const path of ['/chat', '/chat/friends', '/auth/me'])
      assert.equal((await get(path)).status, 401, path);
    for (const path of ['/auth', '/.well-known/jwks.json']) assert.equal((await get(path)).status, 200, path);
    assert.equal((await get('/auth/register', { method: 'PUT' })).status, 401);
    assert.equal((await get('/chat', { headers: { authorization: world.token() } })).status, 200);
  });

  it('knows nothing of internal and unknown paths', async () => {
    for (const path of ['/internal/users/ada', '/chats', '/authx', '/AUTH/login', '/x']) {
      const response = await get(path, { headers: authorized() });
      assert.equal(response.status, 404, path);
      assert.match(response.headers.get('content-type') ?? '', /problem\+json/);
    }
  });

  it('refuses paths that are not in their plain form', async () => {
    for (const path of [
      '/auth/%2e%2e/internal',
      '/auth/../internal',
      '//host/x',
      '/auth%2finternal',
      '/a\\b%',
      'http://h/auth',
      '/auth/./x',
    ])
      assert.match(
        await raw(world, `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`),
        /^HTTP\/1.1 400/,
        path,
      );
  });
});
