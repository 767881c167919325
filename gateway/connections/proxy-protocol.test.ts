import assert from 'node:assert/strict';
import { connect as connectHttp2 } from 'node:http2';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { connectFrom, firstAnswer } from '../../test/outside/sockets.ts';
import { proxyHeader } from '../fixtures/proxy-header.ts';
import { startWorld, type World } from '../fixtures/world.ts';
import { readProxyHeader } from './proxy-protocol.ts';

const from = (world: World, localAddress: string) => connectFrom(world.url, localAddress);

describe('a PROXY header', () => {
  it('says the address of the client, and where its bytes begin', () => {
    const v4 = proxyHeader('198.51.100.7');
    assert.deepEqual(readProxyHeader(Buffer.concat([v4, Buffer.from('GET /')])), {
      address: '198.51.100.7',
      length: v4.length,
    });
    const v6 = proxyHeader('2001:db8::1', Buffer.from([1, 0, 1, 0]));
    assert.deepEqual(readProxyHeader(v6), { address: '2001:db8::1', length: v6.length });
    const mapped = readProxyHeader(proxyHeader('::ffff:198.51.100.7'));
    assert.equal(typeof mapped === 'object' && mapped.address, '198.51.100.7');
  });

  it('of the proxy itself says no address', () => {
    assert.deepEqual(readProxyHeader(proxyHeader(undefined)), { address: undefined, length: 16 });
  });

  it('is waited for while it is not whole, and never misread', () => {
    const whole = proxyHeader('198.51.100.7');
    for (let length = 0; length < whole.length; length++)
      assert.equal(readProxyHeader(whole.subarray(0, length)), undefined);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(15), (bytes, kept) => {
        const read = readProxyHeader(Buffer.concat([whole.subarray(0, kept), Buffer.from(bytes)]));
        if (typeof read === 'object') assert.ok(read.length <= kept + bytes.length);
      }),
      { seed: 1 },
    );
  });

  it('is wrong in another version, of another family, or too long', () => {
    for (const [at, value] of [
      [0, 0x20],
      [12, 0x11],
      [13, 0x31],
      [14, 0x20],
    ] as const) {
      const header = Buffer.from(proxyHeader('198.51.100.7'));
      header.writeUInt8(value, at);
      assert.equal(readProxyHeader(header), 'wrong', `${at}`);
    }
    assert.equal(readProxyHeader(Buffer.from('PROXY TCP4 198.51.100.7 198.51.100.8 1 2\r\n')), 'wrong');
  });
});

describe('the gateway behind a proxy that sends PROXY headers', () => {
  const BEHIND = { proxyProtocol: ['127.0.0.2'] };

  it('knows each client by its header, over HTTP/1.1 and HTTP/2, whatever it says of itself', async () => {
    await using world = await startWorld({}, BEHIND);
    const said = { 'x-forwarded-for': '6.6.6.6' };
    const http1 = from(world, '127.0.0.2');
    http1.write(proxyHeader('198.51.100.7'));
    http1.write('GET /auth HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-forwarded-for: 6.6.6.6\r\n\r\n');
    assert.match(await text(http1), /"x-forwarded-for":"198.51.100.7"/);

    const socket = from(world, '127.0.0.2');
    socket.write(proxyHeader('2001:db8::1'));
    const session = connectHttp2(world.url, { createConnection: () => socket });
    const call = session.request({ ':path': '/auth', ...said });
    assert.match(await text(call), /"x-forwarded-for":"2001:db8::1"/);
    session.destroy();
  });

  it('takes no connection of that proxy without one, and no header from anybody else', async () => {
    await using world = await startWorld({}, BEHIND);
    const bare = from(world, '127.0.0.2');
    bare.end('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    assert.equal(await text(bare), '');
    const stranger = from(world, '127.0.0.3');
    stranger.write(proxyHeader('198.51.100.7'));
    stranger.end('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    assert.match(await text(stranger), /^HTTP\/1.1 400/);
  });

  it('counts their connections by the address in the header', async () => {
    await using world = await startWorld({}, { ...BEHIND, limits: { connectionsPerAddress: 2 } });
    const open = async (address: string) => {
      const socket = from(world, '127.0.0.2');
      socket.write(proxyHeader(address));
      return (await firstAnswer(socket, 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n')) !== undefined;
    };
    assert.deepEqual([await open('198.51.100.7'), await open('198.51.100.7')], [true, true]);
    assert.equal(await open('198.51.100.7'), false);
    assert.equal(await open('198.51.100.8'), true);
    assert.deepEqual([await open('2001:db8::1'), await open('2001:db8::2')], [true, true]);
    assert.equal(await open('2001:db8::3'), false);
  });
});
