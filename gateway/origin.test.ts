import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'mocha';
import { json } from './fixtures/http.ts';
import { startWorld, type World } from './fixtures/world.ts';

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
