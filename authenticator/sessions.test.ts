import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { openSqliteStore } from './adapters/accounts-sqlite.ts';
import { type Granted, PASSWORD, World } from './fixtures/world.ts';

const DAY_MS = 86_400_000;

describe('a login session', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.start();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const login = async (device?: string) => {
    const body = { username: 'ada', password: PASSWORD, device };
    return (await (await world.call('POST', '/auth/login', { body })).json()) as Granted;
  };
  const devices = async ({ access_token: token }: Granted) => {
    const response = await world.call('GET', '/auth/sessions', { token });
    return ((await response.json()) as { sessions: Listed[] }).sessions;
  };

  it('ends when nobody has refreshed it for 90 days; every refresh begins them anew', async () => {
    const lost = await world.register('ada');
    let kept = await login();
    for (let day = 0; day < 90; day += 45) {
      world.pass(45 * DAY_MS);
      kept = (await (await world.refresh(kept.refresh_token)).json()) as Granted;
    }
    world.pass(1);
    assert.equal((await world.refresh(lost.refresh_token)).status, 401);
    assert.equal((await world.refresh(kept.refresh_token)).status, 200);
    world.pass(90 * DAY_MS + 1);
    assert.equal((await world.refresh(kept.refresh_token)).status, 401);
  });

  it('that was lost is not listed after that, also before it is swept away', async () => {
    await world.register('ada');
    world.pass(DAY_MS);
    const kept = await login('kept');
    world.pass(89 * DAY_MS + 1);
    const { access_token: token } = (await (await world.refresh(kept.refresh_token)).json()) as Granted;
    assert.deepEqual(
      (await devices({ ...kept, access_token: token })).map(({ device }) => device),
      ['kept'],
    );
  });

  it('that ended so is swept away by the next login, whosever that is', async () => {
    await world.register('bob');
    world.pass(1);
    await world.register('ada');
    world.pass(90 * DAY_MS);
    await login();
    await world.stop();
    await using store = await openSqliteStore(join(world.dataDir, 'authenticator', 'accounts.db'));
    const standing = { now: 0, idleMs: 0 };
    assert.deepEqual(await store.sessions('bob', standing), []);
    assert.equal((await store.sessions('ada', standing)).length, 2);
  });

  it('bears the name that the login gave, or the user agent cut short, and says when it was used', async () => {
    await world.register('ada');
    world.pass(1_000);
    const phone = await login('Ada’s phone');
    world.pass(1_000);
    await world.refresh(phone.refresh_token);
    const [first, second] = await devices(phone);
    assert.deepEqual([first?.device, second?.device], ['Ada’s phone', 'tests']);
    assert.deepEqual([first?.current, second?.current], [true, false]);
    assert.equal(Date.parse(first?.last_used_at ?? '') - Date.parse(first?.created_at ?? ''), 1_000);
    assert.equal(second?.last_used_at, second?.created_at);
  });
});

interface Listed {
  device: string;
  created_at: string;
  last_used_at: string;
  current: boolean;
}
