import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, it } from 'mocha';
import { json } from './fixtures/http.ts';
import { startWorld, type World } from './fixtures/world.ts';

describe('the gateway before services that are slow or down', () => {
  it('answers 503 with Retry-After, and shows nothing internal', async () => {
    await using world = await startWorld({}, { limits: { upstreamMs: 200 }, authenticator: () => {} });
    const response = await fetch(`${world.url}/auth/login`, { method: 'POST', body: '{}' });
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('retry-after'), '1');
    assert.equal((await json(response)).reason, 'UNAVAILABLE');
  });

  it('answers 503 when a service cuts the connection, and goes on serving', async () => {
    await using world = await startWorld({}, { authenticator: (request) => request.socket.destroy() });
    for (let i = 0; i < 2; i++)
      assert.equal((await fetch(`${world.url}/auth/login`, { method: 'POST', body: '{}' })).status, 503);
    assert.equal((await fetch(`${world.url}/healthz`)).status, 200);
  });

  it('is ready when all are there, and names the one that is not', async () => {
    await using world = await startWorld({});
    assert.deepEqual(await json(await fetch(`${world.url}/healthz`)), { status: 'ok' });
    await untilMissing(world, []);
    await world.userinfo[Symbol.asyncDispose]();
    const response = await untilMissing(world, ['userinfo']);
    assert.equal(response.status, 503);
    world.messenger.kill();
    await untilMissing(world, ['userinfo', 'messenger']);
    await world.messenger.listen();
    await untilMissing(world, ['userinfo']);
  });
});

/** The answer, once exactly these are missing; the test's own time-out ends it. */
async function untilMissing(world: World, names: string[]): Promise<Response> {
  for (;;) {
    const response = await fetch(`${world.url}/readyz`);
    const { missing } = await json(response);
    if (JSON.stringify(missing) === JSON.stringify(names)) return response;
    await delay(20);
  }
}
