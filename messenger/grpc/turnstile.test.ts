import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Turnstile } from './turnstile.ts';

describe('the turnstile at the door', () => {
  const door = createServer();
  const clients: Socket[] = [];
  let sockets: Socket[] = [];
  let inside: number[] = [];
  let turnstile: Turnstile;

  beforeEach(async () => {
    door.listen(0, '127.0.0.1');
    await once(door, 'listening');
    const { port } = door.address() as AddressInfo;
    sockets = [];
    door.on('connection', (socket) => sockets.push(socket));
    while (sockets.length < 8) {
      clients.push(connect(port, '127.0.0.1').on('error', () => {}));
      await once(door, 'connection');
    }
    inside = [];
    turnstile = new Turnstile((socket) => inside.push(sockets.indexOf(socket)));
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await new Promise((resolve) => door.removeAllListeners('connection').close(resolve));
  });

  it('lets the first one in at once, and the others after it in their order', async () => {
    for (const socket of sockets) turnstile.enter(socket);
    assert.deepEqual(inside, [0]);
    while (inside.length < 8) await delay(1);
    assert.deepEqual(inside, [0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('forgets those that leave or break while they wait', async () => {
    for (const socket of sockets) turnstile.enter(socket);
    sockets[2]?.destroy();
    sockets[5]?.destroy(new Error('reset by peer'));
    while (inside.length < 6) await delay(1);
    await delay(5);
    assert.deepEqual(inside, [0, 1, 3, 4, 6, 7]);
  });

  it('turns away who still waits when it closes', async () => {
    for (const socket of sockets) turnstile.enter(socket);
    turnstile[Symbol.dispose]();
    assert.deepEqual(
      sockets.map(({ destroyed }) => destroyed),
      [false, true, true, true, true, true, true, true],
    );
    await delay(5);
    assert.deepEqual(inside, [0]);
  });
});
