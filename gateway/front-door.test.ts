import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'mocha';
import { raw } from './fixtures/http.ts';
import { startWorld, type World } from './fixtures/world.ts';

describe('a connection to the gateway', () => {
  let world: World;
  before(async () => {
    world = await startWorld({}, { limits: { undecidedMs: 300 } });
  });
  after(() => world[Symbol.asyncDispose]());

  it('is closed when it stops in the middle of a preface, of the headers, or says nothing', async () => {
    for (const start of [
      '',
      'PRI * HTTP/2.0\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'.slice(0, 23),
      'GET / HTTP/1.1\r\nhost:',
    ])
      await raw(world, start);
  });

  it('whose preface goes wrong is refused as HTTP/1.1', async () => {
    assert.match(await raw(world, 'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n'), /^HTTP\/1.1 (?:400|505)/);
  });

  it('that carries no readable request gets a problem', async () => {
    const host = 'HTTP/1.1\r\nhost: x\r\n';
    for (const [bytes, code] of [
      ['nonsense\r\n\r\n', 400],
      [`FOO / ${host}\r\n`, 400],
      [`GET / ${host}x: ${'a'.repeat(33_000)}\r\n\r\n`, 431],
      [`GET / ${host}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n`, 400],
      [`CONNECT a:1 ${host}\r\n`, 405],
      ['GET / HTTP/1.1\r\nhost:', 408],
      ['GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\nconnection: close\r\n\r\n', 400],
      ['GET /\r\n\r\n', 400],
      ['GET / HTTP/0.9\r\nhost: x\r\n\r\n', 400],
      ['GET / HTTP/2.0\r\nhost: x\r\nconnection: close\r\n\r\n', 400],
    ] as const) {
      const [head = '', body = ''] = (await raw(world, bytes)).split('\r\n\r\n');
      assert.match(head, new RegExp(`^HTTP/1.1 ${code} [\\s\\S]*problem\\+json`), bytes.slice(0, 40));
      const { status, domain } = JSON.parse(body);
      assert.deepEqual([status, domain], [code, 'chatterbox']);
    }
  });

  it('gets a problem for oddities of HTTP/2, or the stream refused, and goes on', async () => {
    const session = connectHttp2(world.url);
    for (const [headers, code] of [
      [{ ':method': 'FOO', ':path': '/' }, 400],
      [{ ':method': 'CONNECT', ':authority': 'a:1' }, 405],
      [{ ':path': '/é€' }, 400],
      [{ ':path': '*', ':method': 'OPTIONS' }, 400],
      [{ ':path': '/', ':authority': 'chat.example', host: 'evil.example' }, 400],
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

  it('ends with a goodbye when it is idle, or old', async () => {
    for (const limits of [{ idleMs: 20, pingEveryMs: 20 }, { ageMs: 50 }]) {
      await using small = await startWorld({}, { limits });
      const session = connectHttp2(small.url);
      const [code] = await once(session, 'goaway');
      assert.equal(code, 0);
      await once(session, 'close');
    }
  });

  it('is refused with oversized headers, or a 64 KB token', async () => {
    const huge = `GET /chat HTTP/1.1\r\nhost: x\r\nauthorization: ${'a'.repeat(65_536)}\r\n\r\n`;
    // The rest of what was sent may cut the answer off.
    assert.match(await raw(world, huge), /^(?:HTTP\/1.1 431|$)/);
  });
});
