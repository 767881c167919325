import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'mocha';
import { startWorld, type World } from './fixtures/world.ts';

describe('HTTP through the gateway', () => {
  let world: World;
  before(async () => {
    world = await startWorld(
      {},
      { limits: { undecidedMs: 300, upstreamMs: 500 }, corsOrigins: ['https://app.example.org'] },
    );
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

  it('tells upstreams where the caller really is, whatever it says, also with Expect: 100-continue', async () => {
    const spoofed = {
      'x-forwarded-for': '6.6.6.6',
      'x-forwarded-host': 'evil',
      'x-real-ip': '6.6.6.6',
      forwarded: 'for=6.6.6.6',
      'x-user-id': 'eve',
      'chatterbox-service': 's',
    };
    for (const expect of [{}, { expect: '100-continue' }]) {
      const sent = request(`${world.url}/auth/login`, { method: 'POST', headers: { ...spoofed, ...expect } });
      sent.end('{}');
      const [response] = await once(sent, 'response');
      const { headers, body } = JSON.parse(await text(response));
      assert.equal(headers['x-forwarded-for'], '127.0.0.1');
      assert.equal(headers['x-forwarded-host'], new URL(world.url).host);
      assert.equal(body, '{}');
      for (const name of ['x-real-ip', 'forwarded', 'x-user-id', 'chatterbox-service'])
        assert.ok(!(name in headers), name);
    }
  });

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

  it('refuses a WebSocket upgrade with a problem', async () => {
    const upgrade = 'GET /auth HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n';
    assert.match(await raw(world, upgrade), /^HTTP\/1.1 426[\s\S]*UPGRADE_REFUSED/);
  });

  it('answers plain requests over HTTP/2 too, with the real address', async () => {
    const session = connectHttp2(world.url);
    const call = session.request({
      ':method': 'POST',
      ':path': '/auth/login',
      'x-forwarded-for': '6.6.6.6',
    });
    call.end('{}');
    const { headers, body } = JSON.parse(await text(call));
    assert.deepEqual([headers['x-forwarded-for'], body], ['127.0.0.1', '{}']);
    session.close();
  });

  it('says what is missing', async () => {
    assert.deepEqual(await json(await get('/healthz')), { status: 'ok' });
    const ready = await json(await get('/readyz'));
    assert.deepEqual(
      ready.missing,
      ['authenticator', 'userinfo'].filter((name) => ready.missing.includes(name)),
    );
  });

  it('closes connections that stop in the middle of a preface, of the headers, or say nothing', async () => {
    for (const start of [
      '',
      'PRI * HTTP/2.0\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'.slice(0, 23),
      'GET / HTTP/1.1\r\nhost:',
    ])
      await raw(world, start);
  });

  it('refuses a preface that goes wrong, as HTTP/1.1', async () => {
    assert.match(await raw(world, 'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n'), /^HTTP\/1.1 (?:400|505)/);
  });

  it('answers what cannot be read as a request with a problem', async () => {
    const host = 'HTTP/1.1\r\nhost: x\r\n';
    for (const [bytes, code] of [
      ['nonsense\r\n\r\n', 400],
      [`FOO / ${host}\r\n`, 400],
      [`GET / ${host}x: ${'a'.repeat(33_000)}\r\n\r\n`, 431],
      [`GET / ${host}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n`, 400],
      [`CONNECT a:1 ${host}\r\n`, 405],
      ['GET / HTTP/1.1\r\nhost:', 408],
    ] as const) {
      const [head = '', body = ''] = (await raw(world, bytes)).split('\r\n\r\n');
      assert.match(head, new RegExp(`^HTTP/1.1 ${code} [\\s\\S]*problem\\+json`), bytes.slice(0, 40));
      const { status, domain } = JSON.parse(body);
      assert.deepEqual([status, domain], [code, 'chatterbox']);
    }
  });

  it('answers oddities of HTTP/2 with a problem, or refuses the stream, and goes on', async () => {
    const session = connectHttp2(world.url);
    for (const [headers, code] of [
      [{ ':method': 'FOO', ':path': '/' }, 400],
      [{ ':method': 'CONNECT', ':authority': 'a:1' }, 405],
      [{ ':path': '/é€' }, 400],
      [{ ':path': '*', ':method': 'OPTIONS' }, 400],
    ] as const) {
      const call = session.request(headers);
      call.on('error', () => {});
      const [head] = await once(call, 'response');
      assert.equal(head[':status'], code, JSON.stringify(headers).slice(0, 60));
      assert.match(await text(call), /"domain":"chatterbox"/);
    }
    const large = session.request({ ':path': '/', 'x-large': 'a'.repeat(33_000) });
    await assert.rejects(text(large), /ENHANCE_YOUR_CALM/);
    const call = session.request({ ':path': '/healthz' });
    assert.equal(await text(call), '{"status":"ok"}');
    session.close();
  });

  it('ends connections that are idle, and those that are old, with a goodbye', async () => {
    for (const limits of [{ idleMs: 20, pingEveryMs: 20 }, { ageMs: 50 }]) {
      await using small = await startWorld({}, { limits });
      const session = connectHttp2(small.url);
      const [code] = await once(session, 'goaway');
      assert.equal(code, 0);
      await once(session, 'close');
    }
  });

  it('refuses oversized headers and a 64 KB token', async () => {
    const huge = `GET /chat HTTP/1.1\r\nhost: x\r\nauthorization: ${'a'.repeat(65_536)}\r\n\r\n`;
    // The rest of what was sent may cut the answer off.
    assert.match(await raw(world, huge), /^(?:HTTP\/1.1 431|$)/);
  });
});

describe('the gateway behind a proxy', () => {
  const said = {
    'x-forwarded-for': '6.6.6.6, 9.9.9.9, 10.1.1.1',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'chat.example',
  };
  const heard = async (trustedProxies: string[]) => {
    await using world = await startWorld({}, { trustedProxies });
    const { headers } = await json(await fetch(`${world.url}/auth`, { headers: said }));
    return Object.keys(said).map((name) => headers[name]);
  };

  it('believes those it trusts, as far as the first that it does not', async () => {
    assert.deepEqual(await heard(['127.0.0.0/8', '10.0.0.0/8']), ['9.9.9.9', 'https', 'chat.example']);
    assert.equal((await heard(['127.0.0.1']))[0], '10.1.1.1');
  });

  it('believes nobody else', async () => {
    assert.deepEqual((await heard(['10.0.0.0/8'])).slice(0, 2), ['127.0.0.1', 'http']);
  });
});

describe('the gateway before services that are slow or down', () => {
  it('answers 503 with Retry-After, and shows nothing internal', async () => {
    await using world = await startWorld({}, { limits: { upstreamMs: 200 }, authenticator: () => {} });
    const response = await fetch(`${world.url}/auth/login`, { method: 'POST', body: '{}' });
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('retry-after'), '1');
    assert.equal((await json(response)).reason, 'UNAVAILABLE');
  });

  it('is not ready without a messenger, and says so by name', async () => {
    await using world = await startWorld({});
    await world.stopMessenger();
    const response = await fetch(`${world.url}/readyz`);
    assert.equal(response.status, 503);
    assert.ok((await json(response)).missing.includes('messenger'));
  });

  it('answers 503 when a service cuts the connection, and goes on serving', async () => {
    await using world = await startWorld({}, { authenticator: (request) => request.socket.destroy() });
    for (let i = 0; i < 2; i++)
      assert.equal((await fetch(`${world.url}/auth/login`, { method: 'POST', body: '{}' })).status, 503);
    assert.equal((await fetch(`${world.url}/healthz`)).status, 200);
  });
});

// biome-ignore lint/suspicious/noExplicitAny: whatever the server said
async function json(response: Response): Promise<any> {
  return response.json();
}

/** What a server says to these bytes until it closes the connection. */
async function raw(world: World, bytes: string): Promise<string> {
  const socket = connect(Number(new URL(world.url).port), '127.0.0.1');
  socket.on('error', () => {});
  socket.write(bytes);
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk;
  });
  await new Promise((resolve) => socket.once('close', resolve));
  return answer;
}
