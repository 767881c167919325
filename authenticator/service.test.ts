import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { readFeed } from '#common/http/ndjson.ts';
import { Authentication } from '#common/identity/authentication.ts';
import { type Granted, log, PASSWORD, SECRET, World } from './fixtures/world.ts';
import { rotateKeys } from './keys-file.ts';
import { startAuthenticator } from './service.ts';

describe('the authenticator', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.start();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const refresh = (token: string) => world.call('POST', '/auth/refresh', { body: { refresh_token: token } });
  const me = (token: string) => world.call('GET', '/auth/me', { token });

  it('registers, says who one is, and never gives a name twice', async () => {
    const body = { username: '"Ada"', password: PASSWORD, display_name: 'Ada L.' };
    const response = await world.call('POST', '/auth/register', { body });
    assert.equal(response.status, 201);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    const granted = (await response.json()) as Granted;
    assert.deepEqual(granted.user, { username: 'ada', display_name: 'Ada L.' });
    assert.equal(granted.expires_in, 900);
    assert.equal((await me(granted.access_token)).status, 200);
    assert.equal((await world.call('POST', '/auth/register', { body })).status, 409);
    const reserved = await world.call('POST', '/auth/register', { body: { ...body, username: 'me' } });
    assert.equal(reserved.status, 409);
  });

  it('refuses short, common and self-naming passwords', async () => {
    for (const password of ['short', 'PassWord1', 'ada-lovelace', 'x'.repeat(257)]) {
      const response = await world.call('POST', '/auth/register', {
        body: { username: 'ada-lovelace', password },
      });
      assert.equal(response.status, 400, password);
    }
  });

  it('takes display names of 1 to 64 characters, none of which turns the writing around', async () => {
    const register = (username: string, name: string) =>
      world.call('POST', '/auth/register', { body: { username, password: PASSWORD, display_name: name } });
    for (const name of ['a\u0000b', 'a\u202eb', 'a\u2066b', 'two\u2028lines', '\ud800', ' ', 'x'.repeat(65)])
      assert.equal((await register('ada', name)).status, 400, JSON.stringify(name));
    assert.equal((await register('ada', '🚀'.repeat(64))).status, 201);
    assert.equal((await register('bob', 'עדה 👩‍🚀')).status, 201);
  });

  it('refuses a name that looks like one of the system, as a username and as a display name', async () => {
    const register = (username: string, display_name?: string) =>
      world.call('POST', '/auth/register', { body: { username, password: PASSWORD, display_name } });
    for (const username of ['admin', 'adm1n', 'supp0rt', 'rnoderator', 'chatter_box'])
      assert.equal((await register(username)).status, 409, username);
    for (const name of ['Admin', 'Аdmin', 'Suppоrt', '★ Chatterbox ★']) {
      const response = await register('ada', name);
      assert.equal(response.status, 400, name);
      assert.equal(((await response.json()) as { detail: string }).detail, 'display_name: is reserved');
    }
    assert.equal((await register('ada', 'Ada Admin')).status, 201);
  });

  it('lets an account in whose name was reserved only later', async () => {
    await world.register('adam');
    await world.stop();
    const db = new DatabaseSync(join(world.dataDir, 'authenticator', 'accounts.db'));
    db.exec("UPDATE account SET username = 'adm1n', display_name = 'adm1n'");
    db.close();
    await world.start();
    assert.equal((await world.login('adm1n', PASSWORD)).status, 200);
  });

  it('says in plain words which fields are missing or of the wrong kind', async () => {
    const detail = async (path: string, body: unknown) => {
      const response = await world.call('POST', path, { body });
      assert.equal(response.status, 400);
      return ((await response.json()) as { detail: string }).detail;
    };
    for (const path of ['/auth/register', '/auth/login', '/auth'])
      assert.equal(await detail(path, { username: 7 }), 'username: must be text; password: is required');
    assert.equal(await detail('/auth/refresh', {}), 'refresh_token: is required');
    assert.equal(await detail('/auth/refresh', []), 'body: must be a JSON object');
  });

  it('answers a wrong user and a wrong password alike, for one hash each', async () => {
    await world.register('ada');
    const answers = [];
    for (const name of ['ada', 'nobody']) {
      const before = world.hasher.hashes;
      const response = await world.login(name, 'not the password');
      assert.equal(world.hasher.hashes - before, 1);
      const { request_id: _, ...problem } = (await response.json()) as Record<string, unknown>;
      answers.push({ status: response.status, problem });
    }
    assert.equal(answers[0]?.status, 401);
    assert.deepEqual(answers[1], answers[0]);
  });

  it('registers no password that is not UTF-8, so that no other wrong byte logs in', async () => {
    const raw = (path: string, last: string, agent = 'tests') =>
      fetch(world.url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'user-agent': agent },
        body: Buffer.from(`{"username":"ada","password":"a good pass-${last}"}`, 'latin1'),
      });
    for (const path of ['/auth/register', '/auth/login', '/auth'])
      for (const last of ['\xe9', '\xfc', '\\ud800']) assert.equal((await raw(path, last)).status, 400, path);
    assert.equal((await raw('/auth/register', '\xc3\xa9')).status, 201);
    assert.equal((await raw('/auth/login', '\xc3\xa9')).status, 200);
    for (const path of ['/auth/login', '/auth']) {
      const refused = await raw(path, '\xc3\xa9', 'Zo\xeb');
      assert.equal(refused.status, 400);
      const { errors } = (await refused.json()) as { errors: unknown };
      assert.deepEqual(errors, [{ field: 'user-agent', detail: 'must be UTF-8' }]);
    }
    const named = await raw(
      '/auth/login',
      '\xc3\xa9',
      Buffer.from(`🚀${'é'.repeat(98)}🚀🚀`).toString('latin1'),
    );
    const { access_token: token } = (await named.json()) as Granted;
    const list = await world.call('GET', '/auth/sessions', { token });
    const { sessions } = (await list.json()) as { sessions: { device: string; current: boolean }[] };
    assert.equal(sessions.find(({ current }) => current)?.device, `🚀${'é'.repeat(98)}🚀`);
  });

  it('lets a name in with blanks around it, and says what can be no username, without a hash', async () => {
    await world.register('ada');
    for (const name of ['ada ', ' Ada', '\u00a0ada\u3000'])
      assert.equal((await world.login(name, PASSWORD)).status, 200);
    const { hashes } = world.hasher;
    for (const name of ['!', '', 'ada lovelace', 'ada@example.org', 'ад', 'a'.repeat(65)])
      for (const path of ['/auth/login', '/auth/register']) {
        const response = await world.call('POST', path, { body: { username: name, password: PASSWORD } });
        assert.equal(response.status, 400, name);
        const { errors } = (await response.json()) as { errors: { field: string; detail: string }[] };
        assert.equal(errors[0]?.field, 'username');
        assert.match(errors[0]?.detail ?? '', /^must be 1 to 64 of a-z/);
      }
    assert.equal(world.hasher.hashes, hashes);
  });

  it('leaves exactly one head after fifty parallel refreshes, within 10 s and later', async () => {
    const { refresh_token: first } = await world.register('ada');
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(first)));
    const heads = new Set<string>();
    for (const answer of answers) heads.add(((await answer.json()) as Granted).refresh_token);
    assert.equal(heads.size, 1);
    world.pass(10_001);
    const [lost = ''] = heads;
    const late = await Promise.all(Array.from({ length: 50 }, () => refresh(first)));
    const replaced = new Set<string>();
    for (const answer of late) replaced.add(((await answer.json()) as Granted).refresh_token);
    assert.equal(replaced.size, 1);
    const [head = ''] = replaced;
    assert.notEqual(head, lost);
    assert.equal((await refresh(head)).status, 200);
    assert.equal((await refresh(lost)).status, 401);
    assert.equal((await refresh(head)).status, 401);
  });

  it('forgives a lost reply once in 24 hours, tells so, and ends the login of thief and owner', async () => {
    const next = async (token: string) => (await (await refresh(token)).json()) as Granted;
    const told = async (token: string) => {
      const list = await world.call('GET', '/auth/sessions', { token });
      return ((await list.json()) as { sessions: { forgiven_at?: string }[] }).sessions[0]?.forgiven_at;
    };
    const stolen = await world.register('ada');
    assert.equal(await told(stolen.access_token), undefined);
    await next(stolen.refresh_token);
    world.pass(60_000);
    const owner = await next(stolen.refresh_token);
    assert.equal(await told(owner.access_token), new Date(world.now).toISOString());
    world.pass(60_000);
    const { refresh_token: taken } = await next(owner.refresh_token);
    world.pass(86_400_000);
    const forgiven = await next(owner.refresh_token);
    assert.equal(await told(forgiven.access_token), new Date(world.now).toISOString());
    assert.equal((await refresh(taken)).status, 401);
    assert.equal((await me(forgiven.access_token)).status, 401);
    assert.equal((await refresh(forgiven.refresh_token)).status, 401);
  });

  it('ends the session when an older refresh token than the predecessor comes back', async () => {
    const first = await world.register('ada');
    const second = (await (await refresh(first.refresh_token)).json()) as Granted;
    const third = (await (await refresh(second.refresh_token)).json()) as Granted;
    assert.equal((await refresh(first.refresh_token)).status, 401);
    assert.equal((await me(third.access_token)).status, 401);
  });

  it('takes no forged refresh token, and ends nothing for one', async () => {
    const { refresh_token: token } = await world.register('ada');
    const forged = token.slice(0, -2) + (token.endsWith('AA') ? 'BB' : 'AA');
    assert.equal((await refresh(forged)).status, 401);
    assert.equal((await refresh(token)).status, 200);
  });

  it('logs out one session or all', async () => {
    const one = await world.register('ada');
    const two = (await (await world.login('ada', PASSWORD)).json()) as Granted;
    assert.equal((await world.call('POST', '/auth/logout', { token: one.access_token })).status, 204);
    assert.equal((await me(one.access_token)).status, 401);
    assert.equal((await me(two.access_token)).status, 200);
    const all = { token: two.access_token, body: { all: true } };
    assert.equal((await world.call('POST', '/auth/logout', all)).status, 204);
    assert.equal((await me(two.access_token)).status, 401);
  });

  it('changes the password, keeps the session that asked and ends the others', async () => {
    const one = await world.register('ada');
    const two = (await (await world.login('ada', PASSWORD)).json()) as Granted;
    const change = (current: string) =>
      world.call('POST', '/auth/password', {
        token: one.access_token,
        body: { current, new: 'another long one' },
      });
    assert.equal((await change('wrong')).status, 401);
    assert.equal((await change(PASSWORD)).status, 204);
    assert.equal((await me(one.access_token)).status, 200);
    assert.equal((await me(two.access_token)).status, 401);
    assert.equal((await world.login('ada', PASSWORD)).status, 401);
    assert.equal((await world.login('ada', 'another long one')).status, 200);
  });

  it('lists one’s own sessions, and another’s cannot be ended', async () => {
    const ada = await world.register('ada');
    const bob = await world.register('bob');
    const list = await world.call('GET', '/auth/sessions', { token: ada.access_token });
    const { sessions } = (await list.json()) as { sessions: { id: string; device: string }[] };
    assert.equal(sessions.length, 1);
    const path = `/auth/sessions/${sessions[0]?.id}`;
    assert.equal((await world.call('DELETE', path, { token: bob.access_token })).status, 404);
    assert.equal((await world.call('DELETE', path, { token: ada.access_token })).status, 204);
    assert.equal((await me(ada.access_token)).status, 401);
  });

  it('logs the first app in with its own statuses and bodies', async () => {
    await world.register('ada');
    const old = (body?: unknown) => world.call('POST', '/auth', { body });
    const ok = await old({ username: '"ada"', password: PASSWORD });
    const { status, jwt_token: token } = (await ok.json()) as { status: string; jwt_token: string };
    assert.equal(status, 'Authenticated');
    world.pass(29 * 86_400_000);
    assert.equal((await me(token)).status, 200);
    for (const username of ['nobody', 'no body!']) {
      const unknown = await old({ username, password: PASSWORD });
      assert.equal(unknown.status, 400);
      assert.deepEqual(await unknown.json(), { status: 'User does not exist', jwt_token: null });
    }
    const wrong = await old({ username: 'ada', password: 'wrong' });
    assert.equal(wrong.status, 401);
    assert.equal(await wrong.text(), 'Invalid Credentials');
    assert.equal((await world.call('GET', '/auth')).status, 405);
    assert.equal((await old()).status, 400);
  });

  it('slows guessing before it hashes, and leaves the owner at another address alone', async () => {
    await world.register('ada');
    for (let i = 0; i < 5; i++) assert.equal((await world.login('ada', `guess ${i}`)).status, 401);
    const hashes = world.hasher.hashes;
    const slowed = await world.login('ada', PASSWORD);
    assert.equal(slowed.status, 429);
    assert.ok(Number(slowed.headers.get('retry-after')) >= 1);
    assert.equal(world.hasher.hashes, hashes);
    assert.equal((await world.login('ada', PASSWORD, '192.0.2.9')).status, 200);
    world.pass(1_000);
    assert.equal((await world.login('ada', PASSWORD)).status, 200);
  });

  it('lets no more guesses in at once than one after the other', async () => {
    await world.register('ada');
    const answers = await Promise.all(Array.from({ length: 30 }, () => world.login('ada', 'a guess')));
    assert.equal(answers.filter(({ status }) => status === 401).length, 5);
  });

  it('keeps accounts, sessions and keys over a restart, and refuses a second process', async () => {
    const ada = await world.register('ada');
    await assert.rejects(startAuthenticator(world.config, { log }), /in use by another process/);
    await world.stop();
    await world.start();
    assert.equal((await me(ada.access_token)).status, 200);
    assert.equal((await refresh(ada.refresh_token)).status, 200);
    assert.equal((await world.login('ada', PASSWORD)).status, 200);
  });

  it('feeds accounts in order, from a cursor, live and over a restart', async () => {
    await world.register('ada');
    await world.register('bob');
    const url = () => `${world.url}/internal/accounts/feed`;
    const feed = readFeed<Line>(url(), '', SECRET, new AbortController().signal);
    const names = [];
    let cursor = '';
    for (let i = 0; i < 4; i++) {
      const line = (await feed.next()).value as Line;
      names.push(line.username ?? 'caught up');
      cursor = line.cursor;
      if (line.caught_up) await world.register('cat');
    }
    assert.deepEqual(names, ['ada', 'bob', 'caught up', 'cat']);
    await world.stop();
    assert.equal((await feed.next()).done, true);
    await world.start();
    await world.register('dan');
    const resumed = readFeed<Line>(url(), cursor, SECRET, new AbortController().signal);
    assert.equal(((await resumed.next()).value as Line).username, 'dan');
    await resumed.return(undefined);
    assert.equal((await world.call('GET', '/internal/users/ada')).status, 403);
  });

  it('shows an ended session to the other services within a second', async () => {
    const ada = await world.register('ada');
    const options = {
      authUrl: world.url,
      serviceSecret: SECRET,
      issuer: 'chatterbox',
      audience: 'chatterbox',
    };
    await using authentication = new Authentication(options, log);
    const { sessionId } = await authentication.identify([`Bearer ${ada.access_token}`]);
    const ended = Promise.withResolvers<string>();
    authentication.onSessionEnded(ended.resolve);
    const began = performance.now();
    await world.call('POST', '/auth/logout', { token: ada.access_token });
    assert.equal(await ended.promise, sessionId);
    assert.ok(performance.now() - began < 1_000);
    await assert.rejects(authentication.identify([ada.access_token]), { reason: 'UNAUTHENTICATED' });
  });

  it('rotates its keys with overlap, without a restart', async () => {
    const ada = await world.register('ada');
    const path = join(world.dataDir, 'authenticator', 'signing-keys.json');
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const kid = rotateKeys(path, world.now);
    world.pass(2_000);
    const jwks = await (await world.call('GET', '/.well-known/jwks.json')).json();
    const { keys } = jwks as { keys: Record<string, unknown>[] };
    assert.equal(keys.length, 2);
    assert.ok(keys.every((key) => !('d' in key)));
    world.pass(60_000);
    const granted = (await (await world.login('ada', PASSWORD)).json()) as Granted;
    const header = JSON.parse(Buffer.from(granted.access_token.split('.')[0] ?? '', 'base64url').toString());
    assert.deepEqual(header, { alg: 'ES256', typ: 'JWT', kid });
    assert.equal((await me(ada.access_token)).status, 200);
  });
});

interface Line {
  cursor: string;
  username?: string;
  caught_up?: boolean;
}
