import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingHttpHeaders, request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'mocha';
import { pino } from 'pino';
import { json } from './fixtures/http.ts';
import { startWorld, type World } from './fixtures/world.ts';
import { Origins } from './origin.ts';

describe('where a caller really is', () => {
  let world: World;
  before(async () => {
    world = await startWorld({});
  });
  after(() => world[Symbol.asyncDispose]());

  it('is told to the services behind, whatever the caller says, also with Expect: 100-continue', async () => {
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

  it('is told of plain requests over HTTP/2 too', async () => {
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

describe('what proxies say of their client', () => {
  const PEER = '10.0.0.1';
  function of(headers: IncomingHttpHeaders, peer = PEER) {
    const warnings: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line) => warnings.push(line) });
    const origins = new Origins(['10.0.0.0/8', 'fd00::/8'], log);
    const { address } = origins.of(headers, peer);
    origins.of(headers, peer);
    return { address, warnings: warnings.length };
  }

  it('is understood in every spelling that they use', () => {
    for (const [said, address] of [
      ['198.51.100.7', '198.51.100.7'],
      ['198.51.100.7:51234', '198.51.100.7'],
      ['::ffff:198.51.100.7', '198.51.100.7'],
      ['"198.51.100.7:51234"', '198.51.100.7'],
      ['2001:DB8::1', '2001:db8::1'],
      ['[2001:db8::1]', '2001:db8::1'],
      ['[2001:db8::1]:51234', '2001:db8::1'],
      ['"[2001:db8::1]:51234"', '2001:db8::1'],
      ['6.6.6.6, 198.51.100.7:1, 10.2.2.2:2', '198.51.100.7'],
    ] as const)
      assert.deepEqual(of({ 'x-forwarded-for': said }), { address, warnings: 0 }, said);
    for (const [said, address] of [
      ['for=198.51.100.7', '198.51.100.7'],
      ['for="198.51.100.7:51234";proto=https', '198.51.100.7'],
      ['For="[2001:db8::1]:51234"', '2001:db8::1'],
      ['for=6.6.6.6, for=198.51.100.7;by=10.0.0.1, for="[fd00::1]"', '198.51.100.7'],
    ] as const)
      assert.deepEqual(of({ forwarded: said }), { address, warnings: 0 }, said);
  });

  it('leaves the client counted as the proxy where it is not understood, and is logged once', () => {
    for (const headers of [
      { 'x-forwarded-for': 'unknown' },
      { 'x-forwarded-for': '198.51.100.7, _hidden' },
      { 'x-forwarded-for': '198.51.100.007' },
      { forwarded: 'for=_hidden' },
      { forwarded: 'for="' },
    ])
      assert.deepEqual(of(headers), { address: PEER, warnings: 1 }, JSON.stringify(headers));
  });

  it('is X-Forwarded-For where there is Forwarded too, which a proxy may have passed on as it came', () => {
    for (const forwarded of ['for=6.6.6.6', 'nonsense'])
      assert.deepEqual(of({ forwarded, 'x-forwarded-for': '198.51.100.7' }), {
        address: '198.51.100.7',
        warnings: 0,
      });
  });

  it('is nothing from anybody else', () => {
    const both = { forwarded: 'for=6.6.6.6', 'x-forwarded-for': '6.6.6.6' };
    assert.deepEqual(of(both, '203.0.113.7'), { address: '203.0.113.7', warnings: 0 });
  });
});

describe('the gateway on an address that others reach', () => {
  it('says that it is not set up for production', async () => {
    const warnings: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line) => warnings.push(line) });
    const open = async (host: string) => {
      await using _world = await startWorld({}, { host, log });
    };
    await open('127.0.0.1');
    assert.deepEqual(warnings, []);
    // An address of documentation: no machine has it.
    await assert.rejects(open('192.0.2.1'), /EADDRNOTAVAIL/);
    assert.match(warnings.join(), /NODE_ENV=production/);
  });
});
