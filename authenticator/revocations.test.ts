import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { readFeed } from '#common/http/ndjson.ts';
import type { Revocation } from '#common/identity/revocations.ts';
import { openSqliteStore } from './adapters/accounts-sqlite.ts';
import { type Granted, PASSWORD, SECRET, World } from './fixtures/world.ts';
import type { AccountStore } from './ports.ts';

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

  const follow = (after = '', secret = SECRET, at = world.url) => {
    const url = `${at}/internal/revocations/feed`;
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

  /** The login of somebody: then is swept away what nobody needs. */
  const sweep = async () => assert.equal((await world.login('ada', PASSWORD)).status, 200);
  const told = async (feed: AsyncGenerator<Revocation>) => {
    const lines: Revocation[] = [];
    do lines.push(await next(feed));
    while (!lines.at(-1)?.caught_up);
    return lines.map(({ session_id, reset, caught_up }) => session_id ?? (reset && 'reset') ?? caught_up);
  };

  it('keeps what the streams need that outlive their tokens, and no longer', async () => {
    const ada = await world.register('ada');
    await logout(ada);
    await logout(await world.register('bob'));
    const longestStream = 3_600_000 * 1.1;
    world.pass(900_000 + longestStream);
    await sweep();
    assert.equal((await told(follow()))[0], sidOf(ada));
    const cat = await world.register('cat');
    await logout(cat);
    world.pass(3_600_000 * 2);
    await sweep();
    assert.deepEqual(await told(follow()), [sidOf(cat), true]);
  });

  it('keeps it for longer streams where they are set to be longer', async () => {
    await world.stop();
    world.env = { CHATTERBOX_STREAM_MAX_AGE_SECONDS: '86400' };
    await world.start();
    const ada = await world.register('ada');
    await logout(ada);
    await logout(await world.register('bob'));
    world.pass(900_000 + 86_400_000 * 1.1);
    await sweep();
    assert.equal((await told(follow()))[0], sidOf(ada));
  });

  it('forgets nothing because a clock was an hour ahead for a while', async () => {
    const ada = await world.register('ada');
    await logout(ada);
    await logout(await world.register('bob'));
    world.pass(900_000);
    world.now += 3_600_000;
    await sweep();
    world.now -= 3_600_000;
    assert.equal((await told(follow()))[0], sidOf(ada));
  });

  it('tells of a session that is ended when its tokens have expired: it may have a stream', async () => {
    const ada = await world.register('ada');
    const feed = follow();
    assert.equal((await next(feed)).caught_up, true);
    world.pass(901_000);
    const other = (await (await world.login('ada', PASSWORD)).json()) as Granted;
    await world.call('DELETE', `/auth/sessions/${sidOf(ada)}`, { token: other.access_token });
    assert.equal((await next(feed)).session_id, sidOf(ada));
  });

  it('tells a reader that comes from beyond the end so, and everything, and what comes', async () => {
    const [ada, bob] = [await world.register('ada'), await world.register('bob')];
    await logout(ada);
    const feed = follow('7');
    assert.deepEqual(await next(feed), { cursor: '0', reset: true });
    assert.deepEqual(await told(feed), [sidOf(ada), true]);
    await logout(bob);
    assert.equal((await next(feed)).session_id, sidOf(bob));
  });

  it('tells a reader that comes from before what was forgotten so; to one that comes anew that is nothing', async () => {
    const [ada, bob, cat] = [
      await world.register('ada'),
      await world.register('bob'),
      await world.register('cat'),
    ];
    const body = { username: 'ada', password: PASSWORD };
    const first = (await (await world.call('POST', '/auth', { body })).json()) as { jwt_token: string };
    const reader = follow();
    const { cursor } = await next(reader);
    await reader.return(undefined);
    // Its token lives for thirty days: what came after it is forgotten before it.
    await world.call('POST', '/auth/logout', { token: first.jwt_token });
    for (const one of [ada, bob]) await logout(one);
    world.pass(86_400_000);
    const { access_token: token } = (await (await world.refresh(cat.refresh_token)).json()) as Granted;
    await logout({ ...cat, access_token: token });
    await sweep();
    const kept = [sidOf({ ...cat, access_token: first.jwt_token }), sidOf(cat), true];
    assert.deepEqual(await told(follow(cursor)), ['reset', ...kept]);
    assert.deepEqual(await told(follow('2')), ['reset', ...kept]);
    assert.deepEqual(await told(follow()), kept);
    assert.deepEqual(await told(follow('3')), kept.slice(1));
  });

  it('tells a reader that is connected so too, when the store falls back to an older copy', async () => {
    await using stores = new AsyncDisposableStack();
    let store: AccountStore & AsyncDisposable;
    await using other = await World.start({
      openStore: async (path) => {
        store = stores.use(await openSqliteStore(path));
        return new Proxy(store, { get: (_, name) => Reflect.get(store, name) });
      },
    });
    const [ada, bob, cat] = [
      await other.register('ada'),
      await other.register('bob'),
      await other.register('cat'),
    ];
    const path = join(other.dataDir, 'authenticator', 'accounts.db');
    const copy = join(other.dataDir, 'older.db');
    using file = new DatabaseSync(path);
    file.exec(`VACUUM INTO '${copy}'`);
    const logoutAt = ({ access_token: token }: Granted) => other.call('POST', '/auth/logout', { token });
    for (const one of [ada, bob]) await logoutAt(one);
    const feed = follow('', SECRET, other.url);
    assert.deepEqual(await told(feed), [sidOf(ada), sidOf(bob), true]);
    store = stores.use(await openSqliteStore(copy));
    await logoutAt(cat);
    assert.deepEqual(await told(feed), ['reset', sidOf(cat), true]);
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
