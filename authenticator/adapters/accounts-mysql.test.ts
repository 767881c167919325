import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'mocha';
import mysql, { type RowDataPacket } from 'mysql2/promise';
import { createLog } from '#common/log.ts';
import { startCuttingProxy } from '#common/mysql/fixtures/cutting-proxy.ts';
import { newDatabase } from '#common/mysql/fixtures/database.ts';
import { migrateMysql, mysqlStatus } from '#common/mysql/migrate.ts';
import { LIMITS } from '../limits.ts';
import { PasswordHasher } from '../passwords.ts';
import { hashOf } from '../tokens.ts';
import { accountStoreContract } from './accounts.contract.ts';
import { openMysqlStore } from './accounts-mysql.ts';
import { idsOf, NOW, register, revoked } from './contract/samples.ts';
import { WRITES } from './contract/writes.ts';
import { raiseFeeds } from './mysql/restored.ts';
import { SCHEMA } from './mysql/schema.ts';
import { sharedAccountStoreContract } from './shared-accounts.contract.ts';

const SERVER = process.env.TEST_MYSQL_URL;
const log = createLog('test', 'silent');

if (SERVER === undefined) {
  describe('the MySQL account store', () => {
    it('passes the contract (no MySQL here: set TEST_MYSQL_URL, or run `npm run engines -- -- npm test`)');
  });
} else withServer(SERVER);

function withServer(server: string): void {
  const open = (url: string) => openMysqlStore(url, log);

  accountStoreContract('MySQL', async () => {
    const database = await newDatabase(server);
    const opened = {
      store: await open(database.url),
      async reopen() {
        await opened.store[Symbol.asyncDispose]();
        opened.store = await open(database.url);
      },
      async [Symbol.asyncDispose]() {
        await opened.store[Symbol.asyncDispose]();
        await database[Symbol.asyncDispose]();
      },
    };
    return opened;
  });

  sharedAccountStoreContract('MySQL', async () => {
    const stack = new AsyncDisposableStack();
    const { url } = stack.use(await newDatabase(server));
    return {
      nodes: [stack.use(await open(url)), stack.use(await open(url))],
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  });

  describe('the MySQL account store after a restore', () => {
    it('numbers its feeds on behind whatever a reader can have read, and lets readers of the revocations begin anew', async () => {
      await using database = await newDatabase(server);
      await using store = await open(database.url);
      await register(store, 'ada');
      await store.endSessions({ username: 'ada', now: NOW });
      const before = await store.ends();
      await raiseFeeds(database.url);
      const raised = await store.ends();
      assert.ok(raised.accounts > before.accounts + 1_000_000);
      assert.ok(raised.forgotten > before.revocations + 1_000_000);
      await register(store, 'bob');
      await store.endSessions({ username: 'bob', now: NOW });
      const accounts = await store.accountsAfter(before.accounts + 1_000, 9);
      assert.deepEqual(
        accounts.map(({ username, seq }) => [username, seq]),
        [['bob', raised.accounts + 1]],
      );
      const seqs = (await store.revocationsAfter(0, 9)).map(({ seq }) => seq);
      assert.deepEqual(seqs, [before.revocations, raised.revocations, raised.revocations + 1]);
      assert.equal(raised.forgotten, raised.revocations - 1, 'a reader that has read all is at a place');
    });
  });

  for (const when of ['before', 'after'] as const)
    describe(`the MySQL account store whose connection breaks just ${when} the COMMIT`, () => {
      for (const [what, { prepare, call, check }] of Object.entries(WRITES))
        it(`${what} once, and says so`, async () => {
          await using database = await newDatabase(server);
          await using proxy = await startCuttingProxy(database.url);
          await using store = await open(proxy.url);
          await prepare?.(store);
          proxy.cutNext('COMMIT', when);
          const answer = await call(store);
          assert.equal(proxy.cuts, 1);
          await check(store, answer);
        });
    });

  describe('the MySQL account store', () => {
    it('runs a transaction again from the start when it was the victim of a deadlock', async () => {
      await using database = await newDatabase(server);
      await using store = await open(database.url);
      await register(store, 'ada');
      await using rival = await rivalOf(database.url);
      // The change locks the account and then waits for the feed; the rival has the feed and then wants the account.
      await rival.lock("SELECT 1 FROM auth_feed WHERE name = 'revocations' FOR UPDATE");
      const change = { username: 'ada', from: 'hash of ada', to: 'new', keep: '', now: NOW };
      const changed = store.changePassword(change);
      await database.lockIsWaitedFor();
      await rival.lock("SELECT 1 FROM auth_account WHERE username = 'ada' FOR UPDATE");
      await rival.end();
      assert.equal(await changed, true);
      assert.equal((await store.account('ada'))?.passwordHash, 'new');
      assert.deepEqual(await revoked(store), ['s-ada']);
    });

    it('waits no longer than seconds for a lock, leaves nothing half done, and goes on when it is free', async () => {
      await using database = await newDatabase(server);
      await using store = await open(database.url);
      await register(store, 'ada');
      await using rival = await rivalOf(database.url);
      await rival.lock("SELECT 1 FROM auth_feed WHERE name = 'revocations' FOR UPDATE");
      const began = performance.now();
      await assert.rejects(store.endSessions({ username: 'ada', now: NOW }), { reason: 'UNAVAILABLE' });
      assert.ok(performance.now() - began < 10_000);
      assert.deepEqual(await idsOf(store, 'ada'), ['s-ada']);
      await rival.end();
      assert.equal(await store.endSessions({ username: 'ada', now: NOW }), 1);
    }).timeout(15_000);

    it('sweeps no session away that is refreshed in the same moment', async () => {
      await using database = await newDatabase(server);
      await using store = await open(database.url);
      await register(store, 'ada');
      await using rival = await rivalOf(database.url);
      await rival.lock(`UPDATE auth_session SET used_at = ${NOW + 1_000_000}`);
      const dropped = store.dropIdle({ now: NOW + 1_000_000, idleMs: 10 });
      await database.lockIsWaitedFor();
      await rival.lock('COMMIT');
      assert.equal(await dropped, 0);
      assert.deepEqual(await idsOf(store, 'ada'), ['s-ada']);
    });

    it('answers UNAVAILABLE at once while the server is away, and goes on when it is back', async () => {
      await using database = await newDatabase(server);
      const proxy = await startCuttingProxy(database.url);
      await using store = await open(proxy.url);
      await register(store, 'ada');
      await proxy[Symbol.asyncDispose]();
      const began = performance.now();
      const unavailable = { reason: 'UNAVAILABLE', retryAfterMs: 1_000 };
      await assert.rejects(store.account('ada'), unavailable);
      await assert.rejects(register(store, 'bob'), unavailable);
      await assert.rejects(store.check(), unavailable);
      assert.ok(performance.now() - began < 3_000);
      await using _ = await startCuttingProxy(database.url, Number(new URL(proxy.url).port));
      assert.equal((await store.account('ada'))?.username, 'ada');
      assert.equal(await store.account('bob'), undefined);
    });

    it('has columns that hold the longest texts that the store is given', async () => {
      await using database = await newDatabase(server);
      await migrateMysql(database.url, SCHEMA);
      const { username, displayName, device, address } = LIMITS;
      const sessionId = randomUUID().length;
      const tokenHash = hashOf('token').length;
      const texts: Record<string, number> = {
        'auth_account.username': username,
        'auth_account.display_name': displayName,
        'auth_account.password_hash': (
          await new PasswordHasher().hash('x', { address: '', account: '', isKnown: false })
        ).length,
        'auth_session.id': sessionId,
        'auth_session.username': username,
        'auth_session.device': device,
        'auth_session.token_hash': tokenHash,
        'auth_session.previous_hash': tokenHash,
        'auth_revocation.session_id': sessionId,
        'auth_feed.name': 'revocations'.length,
        'auth_known_address.username': username,
        'auth_known_address.address': address,
      };
      const [rows] = await database.admin.query<RowDataPacket[]>(
        `SELECT table_name AS tableName, column_name AS columnName, character_maximum_length AS width
         FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name LIKE 'auth%'
           AND data_type IN ('char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext')`,
      );
      const widths = new Map(rows.map((row) => [`${row.tableName}.${row.columnName}`, Number(row.width)]));
      assert.deepEqual([...widths.keys()].sort(), Object.keys(texts).sort(), 'each text has a limit here');
      for (const [column, longest] of Object.entries(texts))
        assert.ok((widths.get(column) ?? 0) >= longest, `${column} has ${widths.get(column)}`);
    });

    it('makes its schema once beside that of another service, though ten nodes start at the same moment', async () => {
      await using database = await newDatabase(server);
      const other = { part: 'another', migrations: [{ name: 'one', sql: 'CREATE TABLE account (n INT)' }] };
      await migrateMysql(database.url, other);
      assert.ok((await mysqlStatus(database.url, SCHEMA)).every(({ isApplied }) => !isApplied));
      await Promise.all(Array.from({ length: 10 }, () => migrateMysql(database.url, SCHEMA)));
      assert.ok((await mysqlStatus(database.url, SCHEMA)).every(({ isApplied }) => isApplied));
      assert.deepEqual(
        (await mysqlStatus(database.url, other)).map(({ isApplied }) => isApplied),
        [true],
      );
    });

    it('forgets counters that are whole again', async () => {
      await using database = await newDatabase(server);
      await using store = await open(database.url);
      const budget = (key: string) => ({ key, free: 5, ceilingMs: 1_000 });
      const attempt = (key: string, now: number) =>
        store.admit({ username: 'ada', address: 'home', budgets: [budget(key)], now, forgetMs: 10 });
      for (let i = 0; i < 5; i++) await attempt('used up', NOW);
      for (let i = 0; i < 5; i++) assert.equal(await attempt('used up', NOW + 11), 0);
      assert.ok((await attempt('used up', NOW + 11)) > 0);
      for (let i = 0; i < 5; i++) await attempt(`old ${i}`, NOW);
      await attempt('new', NOW + 100_000);
      assert.equal(await count('auth_attempt'), 1);

      async function count(table: string): Promise<number> {
        const [rows] = await database.admin.query(`SELECT count(*) AS n FROM ${table}`);
        return (rows as { n: number }[])[0]?.n ?? 0;
      }
    });
  });
}

/** A transaction of somebody else, with so much to undo that a deadlock's victim is the other one. */
async function rivalOf(url: string) {
  const connection = await mysql.createConnection(url);
  await connection.query('CREATE TABLE ballast (n INT PRIMARY KEY)');
  await connection.query('BEGIN');
  const rows = Array.from({ length: 500 }, (_, n) => [n]);
  await connection.query('INSERT INTO ballast VALUES ?', [rows]);
  return {
    lock: (sql: string) => connection.query(sql),
    end: () => connection.query('ROLLBACK'),
    [Symbol.asyncDispose]: () => connection.end(),
  };
}
