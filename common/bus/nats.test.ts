import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, it } from 'mocha';
import { createLog } from '../log.ts';
import { busContract } from './bus.contract.ts';
import { NatsBus, natsOptions } from './nats.ts';

const SERVER = process.env.TEST_NATS_URL;
const log = createLog('test', 'silent');

if (SERVER === undefined) {
  describe('the NATS bus', () => {
    it('passes the contract (no NATS here: set TEST_NATS_URL, or run `npm run engines -- -- npm test`)');
  });
} else {
  busContract('NATS', async () => {
    const bus = new NatsBus(SERVER, log);
    while (!bus.isConnected) await new Promise((resolve) => setTimeout(resolve, 5));
    return bus;
  });
}

describe('a bus whose server is not there', () => {
  it('drops what is published, counts it, and closes at once', async () => {
    const nobody = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(nobody, 'listening');
    const { port } = nobody.address() as { port: number };
    const bus = new NatsBus(`nats://127.0.0.1:${port}`, log);
    using _ = bus.subscribe('test', () => {});
    bus.publish('test');
    bus.publish('test', new Uint8Array(3));
    assert.deepEqual([bus.isConnected, bus.dropped], [false, 2]);
    await bus[Symbol.asyncDispose]();
    nobody.close();
  });
});

describe('the options of a NATS URL', () => {
  it('are its hosts, a user and a password', () => {
    const { servers, user, pass, token, tls } = natsOptions('nats://ada:p%40ss@one:4222,two:4222');
    assert.deepEqual(
      [servers, user, pass, token, tls],
      [['one:4222', 'two:4222'], 'ada', 'p@ss', undefined, undefined],
    );
  });

  it('are a token in the user’s place, and TLS', () => {
    const { token, user, tls } = natsOptions('tls://t0ken@host:4222');
    assert.deepEqual([token, user, tls], ['t0ken', undefined, {}]);
  });

  it('name a credentials file, which must be there', () => {
    assert.throws(() => natsOptions('nats://host?creds=/not/there'), /not\/there/);
  });
});
