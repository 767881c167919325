import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { readFeed } from '#common/http/ndjson.ts';
import type { Revocation } from '#common/identity/revocations.ts';
import { type Granted, PASSWORD, SECRET, World } from './fixtures/world.ts';

describe('the feed of revocations', () => {
  let world: World;
  let open: AsyncGenerator<Revocation>[];
  beforeEach(async () => {
    world = await World.start();
    open = [];
  });
  afterEach(async () => {
    await Promise.all(open.map((feed) => feed.return(undefined)));
    await world[Symbol.asyncDispose]();
  });

  const follow = (after = '', secret = SECRET) => {
    const url = `${world.url}/internal/revocations/feed`;
    const feed = readFeed<Revocation>(url, after, secret, new AbortController().signal);
    open.push(feed);
    return feed;
  };
  const logout = ({ access_token: token }: Granted, body?: unknown) =>
    world.call('POST', '/auth/logout', { token, body });
  const sidOf = ({ access_token: token }: Granted): string =>
    JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sid;

  it('goes on after a cursor, with the server started anew in between, and tells nothing twice', async () => {
    const [ada, bob, cat] = [
      await world.register('ada'),
      await world.register('bob'),
      await world.register('cat'),
    ];
    await logout(ada);
    const before = follow();
    const told = await next(before);
    assert.equal(told.session_id, sidOf(ada));
    assert.equal(told.until, Math.floor(world.now / 1000) + 900);
    assert.equal((await next(before)).caught_up, true);
    await logout(bob);
    const live = await next(before);
    assert.equal(live.session_id, sidOf(bob));
    await world.stop();
    assert.equal((await before.next()).done, true);
    await world.start();
    await logout(cat);
    const after = follow(live.cursor);
    assert.equal((await next(after)).session_id, sidOf(cat));
    const { caught_up: isCaughtUp, cursor } = await next(after);
    assert.equal(isCaughtUp, true);
    assert.equal((await next(follow(cursor))).caught_up, true);
  });

  it('is told anew to whoever comes without a cursor, but for what has expired', async () => {
    await logout(await world.register('ada'));
    world.now += 600_000;
    const bob = await world.register('bob');
    await logout(bob);
    world.now += 301_000;
    await world.stop();
    await world.start();
    const feed = follow();
    assert.equal((await next(feed)).session_id, sidOf(bob));
    assert.equal((await next(feed)).caught_up, true);
  });

  it('tells of every way in which a session ends', async () => {
    const feed = follow();
    assert.equal((await next(feed)).caught_up, true);
    const ada = await world.register('ada');
    const login = async () => (await (await world.login('ada', PASSWORD)).json()) as Granted;

    const removed = await login();
    await world.call('DELETE', `/auth/sessions/${sidOf(removed)}`, { token: ada.access_token });
    assert.equal((await next(feed)).session_id, sidOf(removed));

    const robbed = await login();
    const second = (await (await world.refresh(robbed.refresh_token)).json()) as Granted;
    await world.refresh(second.refresh_token);
    assert.equal((await world.refresh(robbed.refresh_token)).status, 401);
    assert.equal((await next(feed)).session_id, sidOf(robbed));

    const other = await login();
    const change = { current: PASSWORD, new: 'another long one' };
    await world.call('POST', '/auth/password', { token: ada.access_token, body: change });
    assert.equal((await next(feed)).session_id, sidOf(other));

    await logout(ada, { all: true });
    assert.equal((await next(feed)).session_id, sidOf(ada));
  });

  it('keeps the first app’s session for the thirty days that its token lives', async () => {
    await world.register('ada');
    const body = { username: 'ada', password: PASSWORD };
    const response = await world.call('POST', '/auth', { body });
    const { jwt_token: token } = (await response.json()) as { jwt_token: string };
    await world.call('POST', '/auth/logout', { token });
    assert.equal((await next(follow())).until, Math.floor(world.now / 1000) + 30 * 86_400);
    assert.equal((await world.call('GET', '/auth/me', { token })).status, 401);
  });

  it('refuses what is no cursor, and whoever does not bring the service secret', async () => {
    for (const after of ['x', '-1', '1.5', '9'.repeat(20)])
      await assert.rejects(follow(after).next(), /answered 400/, after);
    await assert.rejects(follow('', 'not the secret').next(), /answered 403/);
  });
});

async function next(feed: AsyncGenerator<Revocation>): Promise<Revocation> {
  const { value, done } = await feed.next();
  assert.ok(!done, 'the feed ended');
  return value;
}
