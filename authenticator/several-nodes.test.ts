import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { LocalBus } from '#common/bus/local.ts';
import { readFeed } from '#common/http/ndjson.ts';
import { Authentication } from '#common/identity/authentication.ts';
import { newDatabase, type TestDatabase } from '#common/mysql/fixtures/database.ts';
import { type Granted, log, PASSWORD, SECRET, World } from './fixtures/world.ts';
import { ensureKeys } from './keys-file.ts';

const SERVER = process.env.TEST_MYSQL_URL;
const REASON = SERVER === undefined ? ' (no MySQL here: set TEST_MYSQL_URL)' : '';
const NATS = process.env.TEST_NATS_URL;

describe(`two authenticators on one MySQL${REASON}`, () => {
  let folder: string;
  let database: TestDatabase;
  let nodes: World[];
  beforeEach(async function () {
    if (SERVER === undefined) this.skip();
    database = await newDatabase(SERVER);
    folder = mkdtempSync(join(tmpdir(), 'keys-'));
    ensureKeys(join(folder, 'keys.json'), Date.now());
    nodes = [];
  });
  afterEach(async () => {
    if (SERVER === undefined) return;
    for (const node of nodes) await node[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  async function startTwo(busUrl?: string): Promise<[World, World]> {
    // Without a URL they have one bus in this process; with `local:` each has one of its own, which is none.
    const bus = new LocalBus();
    const env = {
      CHATTERBOX_ACCOUNTS_URL: database.url,
      CHATTERBOX_SIGNING_KEYS: join(folder, 'keys.json'),
      CHATTERBOX_BUS_URL: busUrl,
    };
    const start = () => World.start({ env, ...(busUrl === undefined ? { bus: bus.connect() } : {}) });
    const one = await start();
    nodes.push(one);
    const other = await start();
    nodes.push(other);
    return [one, other];
  }

  it('let in who comes with the longest texts, and from an address that is none', async () => {
    const [one] = await startTwo();
    const from = 'f'.repeat(5_000);
    const credentials = { username: 'a'.repeat(64), password: PASSWORD };
    const body = { ...credentials, display_name: '\u{1f989}'.repeat(64) };
    assert.equal((await one.call('POST', '/auth/register', { body, from })).status, 201);
    const login = { ...credentials, device: 'd'.repeat(100) };
    assert.equal((await one.call('POST', '/auth/login', { body: login, from })).status, 200);
  });

  it('know each other’s accounts and sessions, and give a name once', async () => {
    const [one, other] = await startTwo();
    const ada = await one.register('ada');
    assert.equal((await other.call('GET', '/auth/me', { token: ada.access_token })).status, 200);
    assert.equal((await other.login('ada', PASSWORD)).status, 200);
    const body = { username: 'bob', password: PASSWORD };
    const answers = await Promise.all(
      [one, other, one, other].map((node) => node.call('POST', '/auth/register', { body })),
    );
    assert.deepEqual(answers.map(({ status }) => status).toSorted(), [201, 409, 409, 409]);
  });

  it('leave one head when one token is refreshed on both at once, and end the session for an old one', async () => {
    const [one, other] = await startTwo();
    const { refresh_token: first } = await one.register('ada');
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => (i % 2 ? one : other).refresh(first)),
    );
    const heads = new Set<string>();
    for (const answer of answers) heads.add(((await answer.json()) as Granted).refresh_token);
    assert.equal(heads.size, 1);
    const [head = ''] = heads;
    const third = (await (await other.refresh(head)).json()) as Granted;
    assert.equal((await one.refresh(first)).status, 401);
    assert.equal((await other.call('GET', '/auth/me', { token: third.access_token })).status, 401);
  });

  it('slow guesses by what was guessed at both', async () => {
    const [one, other] = await startTwo();
    await one.register('ada');
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) => (i % 2 ? one : other).login('ada', 'a guess')),
    );
    assert.equal(answers.filter(({ status }) => status === 401).length, 5);
    for (const node of [one, other]) assert.equal((await node.login('ada', PASSWORD)).status, 429);
    other.pass(1_000);
    assert.equal((await other.login('ada', PASSWORD)).status, 200);
    assert.equal((await one.login('ada', 'a guess')).status, 401);
  });

  for (const [how, busUrl, limit] of [
    ['a second when the bus hints', undefined, 1_000],
    ['a second over NATS', NATS, 1_000],
    ['two seconds without a bus', 'local:', 2_000],
  ] as const)
    it(`show each other’s accounts and ended sessions to whoever follows, within ${how}`, async function () {
      if (how.includes('NATS') && NATS === undefined) this.skip();
      const [one, other] = await startTwo(busUrl);
      const ada = await one.register('ada');
      await using authentication = new Authentication(
        { authUrl: other.url, serviceSecret: SECRET, issuer: 'chatterbox', audience: 'chatterbox' },
        log,
      );
      const token = `Bearer ${ada.access_token}`;
      const { sessionId } = await authentication.identify([token]);
      while (authentication.missing().length > 0) await new Promise(setImmediate);
      const accounts = readFeed<Line>(
        `${other.url}/internal/accounts/feed`,
        '',
        SECRET,
        new AbortController().signal,
      );
      for (const wanted of ['ada', undefined])
        assert.equal(((await accounts.next()).value as Line).username, wanted);

      const ended = Promise.withResolvers<string>();
      authentication.onSessionEnded(ended.resolve);
      let began = performance.now();
      assert.equal((await one.call('POST', '/auth/logout', { token: ada.access_token })).status, 204);
      assert.equal(await ended.promise, sessionId);
      assert.ok(performance.now() - began < limit, `${performance.now() - began} ms`);
      await assert.rejects(authentication.identify([token]), { reason: 'UNAUTHENTICATED' });

      began = performance.now();
      await one.register('bob');
      assert.equal(((await accounts.next()).value as Line).username, 'bob');
      assert.ok(performance.now() - began < limit, `${performance.now() - began} ms`);
      await accounts.return(undefined);
    });
});

interface Line {
  username?: string;
}
