import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { openSqliteStore } from './adapters/accounts-sqlite.ts';
import { type Granted, PASSWORD, World } from './fixtures/world.ts';
import type { AccountStore } from './ports.ts';

describe('an authenticator whose store has died', () => {
  let world: World;
  let store: AccountStore & AsyncDisposable;
  let ada: Granted;
  beforeEach(async () => {
    world = await World.start({
      openStore: async (path) => {
        store = await openSqliteStore(path);
        return store;
      },
    });
    ada = await world.register('ada');
    assert.equal((await world.call('GET', '/readyz')).status, 200);
    await store[Symbol.asyncDispose]();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  it('is alive, but not ready, and names what is missing', async () => {
    const response = await world.call('GET', '/readyz');
    assert.equal(response.status, 503);
    assert.deepEqual(await response.json(), { status: 'not ready', missing: ['accounts'] });
    assert.equal((await world.call('GET', '/healthz')).status, 200);
  });

  it('tells the first app what it was always told', async () => {
    for (const username of ['ada', 'nobody']) {
      const response = await world.call('POST', '/auth', { body: { username, password: PASSWORD } });
      assert.equal(response.status, 500);
      assert.equal(await response.text(), 'Unable to process request right now');
      assert.equal(response.headers.get('retry-after'), '1');
    }
    assert.equal((await world.call('POST', '/auth', { body: {} })).status, 400);
    assert.equal((await world.call('GET', '/auth')).status, 405);
  });

  it('asks everybody else to come back, and shows nothing of what is wrong', async () => {
    const { access_token: token, refresh_token: refresh } = ada;
    const answers = [
      await world.login('ada', PASSWORD),
      await world.refresh(refresh),
      await world.call('GET', '/auth/me', { token }),
      await world.call('POST', '/auth/register', { body: { username: 'bob', password: PASSWORD } }),
    ];
    for (const answer of answers) {
      assert.equal(answer.status, 503);
      const { reason, detail } = (await answer.json()) as { reason: string; detail: string };
      assert.deepEqual([reason, detail], ['UNAVAILABLE', 'Not available right now; try again soon.']);
    }
  });
});
