import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { json, raw } from '../fixtures/http.ts';
import { startWorld, type World } from '../fixtures/world.ts';

describe('an HTTP request through the gateway', () => {
  let world: World;
  before(async () => {
    world = await startWorld({}, { corsOrigins: ['https://app.example.org'] });
  });
  after(() => world[Symbol.asyncDispose]());

  const get = (path: string, init: RequestInit = {}) => fetch(`${world.url}${path}`, init);

  it('hands the request id through', async () => {
    const response = await get('/auth', { headers: { 'x-request-id': 'mine-1' } });
    assert.equal(response.headers.get('x-request-id'), 'mine-1');
    assert.equal((await json(response)).headers['x-request-id'], 'mine-1');
  });

  it('refuses bodies over 64 KiB, told or chunked, and passes smaller chunked ones', async () => {
    const big = 'x'.repeat(70_000);
    assert.equal((await get('/auth/login', { method: 'POST', body: big })).status, 413);
    const chunked = `POST /auth/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n11170\r\n${big}\r\n0\r\n\r\n`;
    assert.match(await raw(world, chunked), /^HTTP\/1.1 413/);
    const small = `POST /auth/login HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`;
    assert.match(await raw(world, small), /"body":"\{\}"/);
  });

  it('answers preflights of configured origins only', async () => {
    for (const [origin, allowed] of [
      ['https://app.example.org', 'https://app.example.org'],
      ['https://evil.example', null],
    ] as const) {
      const response = await get('/chat', {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'GET' },
      });
      assert.equal(response.headers.get('access-control-allow-origin'), allowed);
    }
  });

  it('lets a web page see that it was refused for its rate', async () => {
    const corsOrigins = ['https://app.example.org'];
    await using busy = await startWorld({}, { corsOrigins, limits: { requestsPerAddress: 0 } });
    const response = await fetch(busy.url, { headers: { origin: 'https://app.example.org' } });
    assert.equal(response.status, 429);
    assert.equal(response.headers.get('access-control-allow-origin'), 'https://app.example.org');
  });

  it('answers what came before something that is no request, and then that', async () => {
    for (const [second, code] of [
      ['nonsense\r\n\r\n', 400],
      ['CONNECT a:1 HTTP/1.1\r\nhost: x\r\n\r\n', 405],
    ] as const) {
      const answer = await raw(world, `GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n${second}`);
      assert.match(answer, new RegExp(`^HTTP/1.1 (?:200|503)[\\s\\S]*HTTP/1.1 ${code}`));
    }
  });

  it('reads nothing after a request that asks for an upgrade, and closes', async () => {
    const upgrade = 'GET /home HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n';
    const inside = 'GET /fallback HTTP/1.1\r\nhost: x\r\n\r\n';
    const post = `POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: ${inside.length}\r\n\r\n${inside}`;
    const answer = await raw(world, `${upgrade}${post}`);
    assert.match(answer, /^HTTP\/1.1 200[\s\S]*connection: close[\s\S]*home page$/i);
  });

  it('refuses a body in chunks of one byte', async () => {
    const head = 'POST /auth/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n';
    assert.match(await raw(world, `${head}${'1\r\n{\r\n'.repeat(40_000)}`), /^HTTP\/1.1 413/);
  });

  it('refuses a WebSocket upgrade with a problem', async () => {
    const upgrade = 'GET /auth HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n';
    assert.match(await raw(world, upgrade), /^HTTP\/1.1 426[\s\S]*UPGRADE_REFUSED/);
  });
});
