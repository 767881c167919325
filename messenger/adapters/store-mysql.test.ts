import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import { pino } from 'pino';
import { steadyClock } from '#common/clocks.ts';
import { ServiceError } from '#common/errors.ts';
import { createLog } from '#common/log.ts';
import { weaknesses } from '#common/mysql/durability.ts';
import { startCuttingProxy } from '#common/mysql/fixtures/cutting-proxy.ts';
import { newDatabase as newDatabaseOn } from '#common/mysql/fixtures/database.ts';
import { migrateMysql, mysqlStatus } from '#common/mysql/migrate.ts';
import { Mysql } from '#common/mysql/open.ts';
import { type Sql, sql } from '#common/mysql/sql.ts';
import { CommitFeed } from '../commit-feed.ts';
import { conversationKey } from '../conversation-id.ts';
import { Cursors } from '../cursors.ts';
import { Lane } from '../lane.ts';
import { LIMITS } from '../limits.ts';
import type { Draft, JournalPage, MessageStore } from '../ports.ts';
import { contentHash } from '../send.ts';
import { renewMysqlEpoch } from './mysql/epoch.ts';
import { Journal } from './mysql/journal.ts';
import { OtherNodes } from './mysql/other-nodes.ts';
import { SCHEMA } from './mysql/schema.ts';
import { sharedStoreContract } from './shared-store.contract.ts';
import { messageStoreContract } from './store.contract.ts';
import { openMysqlStore } from './store-mysql.ts';

const SERVER = process.env.TEST_MYSQL_URL;
const log = createLog('test', 'silent');

if (SERVER === undefined) {
  describe('the MySQL message store', () => {
    it('passes the contract (no MySQL here: set TEST_MYSQL_URL, or run `npm run engines -- -- npm test`)');
  });
} else withServer(SERVER);

function withServer(server: string): void {
  let admin: Connection;
  before(async () => {
    admin = await mysql.createConnection(server);
  });
  after(() => admin.end());

  const newDatabase = () => newDatabaseOn(server);

  /** A batch of a node that is not here. */
  async function journal(
    database: string,
    { node, batch, at, lastSeq }: { node: number; batch: number; at: number; lastSeq: number },
  ) {
    const commits = [{ conversation: 'ada:bob', lastSeq, sentAt: at, members: ['ada', 'bob'] }];
    const news = JSON.stringify({ commits, marks: [] });
    await admin.query(`INSERT INTO ${database}.journal VALUES (${node}, ${batch}, ${at}, ?)`, [news]);
  }

  messageStoreContract('MySQL', async () => {
    const database = await newDatabase();
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

  const open = (url: string, clock = Date.now, steady = steadyClock) =>
    openMysqlStore({ url, log, clock, steady });

  sharedStoreContract('MySQL', async () => {
    const stack = new AsyncDisposableStack();
    const { url } = stack.use(await newDatabase());
    return {
      nodes: [stack.use(await open(url)), stack.use(await open(url))],
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  });

  describe('the MySQL message store', () => {
    for (const when of ['before', 'after'] as const)
      it(`commits once and says so when the connection breaks just ${when} the COMMIT`, async () => {
        await using database = await newDatabase();
        await using proxy = await startCuttingProxy(database.url);
        await using store = await open(proxy.url);
        const start = await store.journalEnd();
        await store.commit([draft('ada', 'bob', 'one')], 5);
        proxy.cutNext('COMMIT', when);
        const [outcome] = await store.commit([draft('ada', 'bob', 'two')], 6);
        assert.deepEqual(outcome, { kind: 'committed', seq: 2, sentAt: 6, messagesSoFar: 2 });
        assert.equal(proxy.cuts, 1);
        await store.commit([draft('ada', 'bob', 'three')], 7);
        const entries = await store.entries([{ conversation: 'ada:bob', after: 0 }], 9);
        assert.deepEqual(
          entries.map(({ body }) => body),
          ['one', 'two', 'three'],
        );
        assert.deepEqual(
          (await store.journal(start, 9))?.commits.map(({ lastSeq }) => lastSeq),
          [1, 2, 3],
        );
      });

    it('runs a batch again from the start when it was the victim of a deadlock', async () => {
      await using database = await newDatabase();
      await using store = await open(database.url);
      const [first = '', second = ''] = ['ada:bob', 'ada:cleo'].sort((a, b) =>
        Buffer.compare(conversationKey(a), conversationKey(b)),
      );
      await store.commit([draft('ada', 'bob', 'a'), draft('ada', 'cleo', 'b')], 5);
      await using rival = await rivalOf(database.url);
      await rival.lock(second);
      const both = store.commit([draft('ada', 'cleo', 'c'), draft('ada', 'bob', 'd')], 6);
      await rival.isWaitedFor();
      await rival.lock(first);
      await rival.end();
      assert.deepEqual(
        (await both).map((o) => [o.kind, o.seq]),
        [
          ['committed', 2],
          ['committed', 2],
        ],
      );
    });

    it('leaves no hole behind what another server never had', async () => {
      await using database = await newDatabase();
      await using store = await open(database.url);
      for (const body of ['a', 'b', 'c']) await store.commit([draft('ada', 'bob', body)], 5);
      // As after a failover that lost the last batch.
      const { name } = database;
      await admin.query(`DELETE FROM ${name}.entry WHERE seq = 3`);
      await admin.query(`UPDATE ${name}.conversation SET last_seq = 2, messages_so_far = 2`);
      await database.cutConnections();
      assert.equal((await store.commit([draft('ada', 'bob', 'd')], 6))[0]?.seq, 3);
    });

    it('does not wait for ever for a node that stands still in the middle of a batch', async () => {
      await using database = await newDatabase();
      await using store = await open(database.url);
      await store.commit([draft('ada', 'bob', 'a')], 5);
      await using other = new Mysql({ url: database.url });
      const [locked, woken] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const still = other.transaction(async (tx) => {
        await tx.run(sql`SELECT id FROM conversation FOR UPDATE`);
        locked.resolve();
        await woken.promise;
        await tx.commit(sql`UPDATE conversation SET last_seq = 77`);
      });
      await locked.promise;
      const [outcome] = await store.commit([draft('ada', 'bob', 'b')], 6);
      assert.equal(outcome?.seq, 2);
      woken.resolve();
      await still;
    }).timeout(15_000);

    for (const step of [3_600_000, -3_600_000])
      it(`does not pass a batch whose number is missing, until it was there for 10 s, though the clock is set by ${step / 60_000} min`, async () => {
        await using database = await newDatabase();
        let now = 1_000_000_000;
        let steady = 5_000;
        const clocks = [() => now, () => steady] as const;
        await using store = await open(database.url, ...clocks);
        const start = await store.journalEnd();
        await store.commit([draft('ada', 'bob', 'a')], now);
        await journal(database.name, { node: 1, batch: 3, at: now, lastSeq: 3 });
        const seqs = async (cursor = '') =>
          (await store.journal(cursor, 9))?.commits.map(({ lastSeq }) => lastSeq);
        assert.deepEqual(await seqs(start), [1]);
        const before = await store.journalEnd();
        now += step;
        for (let i = 0; i < 9; i++) {
          steady += 1_000;
          assert.deepEqual(await seqs(before), []);
        }
        assert.equal(await store.journalEnd(), before);
        steady += 1_000;
        const later = await store.journal(before, 9);
        assert.deepEqual(
          later?.commits.map(({ lastSeq }) => lastSeq),
          [3],
        );
        assert.equal(await store.journalEnd(), later?.cursor);
      });

    it('tells followers of a batch behind a gap when the gap is old enough, though nothing more is committed', async () => {
      await using database = await newDatabase();
      let now = 1_000_000;
      const clock = () => now;
      await using store = await open(database.url, clock, clock);
      const start = await store.journalEnd();
      await store.commit([draft('ada', 'bob', 'a')], now);
      await journal(database.name, { node: 1, batch: 3, at: now, lastSeq: 3 });
      // The age of a batch counts from when this process first saw it.
      await store.journal(start, 10);
      // All of the gap's age but a moment, which is waited for by a timer; then the clock is where it should be.
      now += 9_999;
      const looked = Promise.withResolvers<void>();
      const watched = {
        ...store,
        async journal(cursor: string, limit: number) {
          const page = await store.journal(cursor, limit);
          if (page?.cursor !== cursor || page.lookAgainInMs === undefined) return page;
          assert.equal(page.lookAgainInMs, 1);
          now++;
          looked.resolve();
          return page;
        },
      };
      const stop = new AbortController();
      const feed = new CommitFeed({ store: watched, clock, pauses: { quietMs: 1, busyMs: 1 } });
      const pages = feed.follow(start, stop.signal);
      const told = async () =>
        ((await pages.next()).value as JournalPage).commits.map(({ lastSeq }) => lastSeq);
      assert.deepEqual(await told(), [1]);
      assert.deepEqual(await told(), [3]);
      await looked.promise;
      stop.abort();
      await pages.return('');
    });

    it('reads what others wrote, and its journal, without much of it at one time', async () => {
      await using database = await newDatabase();
      await (await open(database.url))[Symbol.asyncDispose]();
      const largest: number[] = [];
      class Measured extends Mysql {
        override async queries(...statements: Sql[]) {
          const results = await super.queries(...statements);
          largest.push(JSON.stringify(results).length);
          return results;
        }
      }
      await using connections = new Measured({ url: database.url });
      const others = new OtherNodes(connections, [], Date.now, () => {});
      await others.begin();
      const commit = { conversation: 'ada:bob', sentAt: 1, members: ['x'.repeat(300_000)] };
      for (const node of [7, 8]) {
        await admin.query(`INSERT INTO ${database.name}.journal_node VALUES (${node}, 0, 1)`);
        for (let batch = 1; batch <= 30; batch++) {
          const news = JSON.stringify({ commits: [{ ...commit, lastSeq: batch }], marks: [] });
          await admin.query(`INSERT INTO ${database.name}.journal VALUES (${node}, ${batch}, 1, ?)`, [news]);
        }
      }
      const sorted = (seqs: number[] = []) => seqs.toSorted((a, b) => a - b);
      const all = Array.from({ length: 60 }, (_, i) => Math.floor(i / 2) + 1);
      assert.deepEqual(sorted((await others.news())?.commits.map(({ lastSeq }) => lastSeq)), all);
      const followed: number[] = [];
      const log = new Journal(connections, Date.now, () => performance.now());
      for (let cursor = 'n7'; ; ) {
        const page = await log.read(cursor, 200);
        assert.ok(page);
        if (page.cursor === cursor) break;
        followed.push(...page.commits.map(({ lastSeq }) => lastSeq));
        cursor = page.cursor;
      }
      assert.deepEqual(sorted(followed), all);
      assert.ok(Math.max(...largest) < 2_000_000, `${Math.max(...largest)} bytes in one answer`);
    });

    it('passes a batch whose number is missing where it looks for news, and tells of it when it comes', async () => {
      await using database = await newDatabase();
      const at = 1_000_000;
      let steady = 5_000;
      await (await open(database.url))[Symbol.asyncDispose]();
      await admin.query(`INSERT INTO ${database.name}.journal_node VALUES (7, 0, 1)`);
      await journal(database.name, { node: 7, batch: 1, at, lastSeq: 1 });
      await journal(database.name, { node: 7, batch: 3, at, lastSeq: 3 });
      await using other = await open(database.url, Date.now, () => steady);
      const heard = async () => (await other.news())?.commits.map(({ lastSeq }) => lastSeq);
      assert.deepEqual(await heard(), [], 'only what comes after the opening');
      await journal(database.name, { node: 7, batch: 6, at, lastSeq: 6 });
      assert.deepEqual(await heard(), [6]);
      await journal(database.name, { node: 7, batch: 5, at, lastSeq: 5 });
      await journal(database.name, { node: 7, batch: 2, at, lastSeq: 2 });
      assert.deepEqual((await heard())?.sort(), [2, 5]);
      steady += 20_000;
      assert.deepEqual(await heard(), []);
      await journal(database.name, { node: 7, batch: 4, at, lastSeq: 4 });
      assert.deepEqual(await heard(), [], 'it was aborted long ago');
    });

    it('tells itself of a batch that failed before its eyes and was committed all the same', async () => {
      await using database = await newDatabase();
      await using proxy = await startCuttingProxy(database.url);
      await using store = await open(proxy.url);
      await store.commit([draft('ada', 'bob', 'one')], 5);
      assert.deepEqual((await store.news())?.commits, [], 'its own is no news to it');
      const gone = proxy.cutAndRefuse('COMMIT', 'after');
      await assert.rejects(store.commit([draft('ada', 'bob', 'two')], 6), isUnavailable);
      gone[Symbol.dispose]();
      assert.deepEqual(
        (await store.news())?.commits.map(({ lastSeq }) => lastSeq),
        [2],
      );
    });

    it('goes on where it was when one of several pages of news could not be read', async () => {
      await using database = await newDatabase();
      await using proxy = await startCuttingProxy(database.url);
      await using writer = await open(database.url);
      await using reader = await open(proxy.url);
      for (let i = 0; i < 250; i++) await writer.commit([draft('ada', 'bob', `${i}`)], i);
      const gone = proxy.cutAndRefuse('batch > 200', 'before');
      await assert.rejects(reader.news(), isUnavailable);
      gone[Symbol.dispose]();
      assert.equal((await reader.news())?.commits.length, 250);
    });

    it('awaits few of the numbers that a node has burned, however many they are', async () => {
      await using database = await newDatabase();
      await using store = await open(database.url);
      await admin.query(`INSERT INTO ${database.name}.journal_node VALUES (7, 0, 1)`);
      await journal(database.name, { node: 7, batch: 3_000_000, at: Date.now(), lastSeq: 1 });
      assert.equal((await store.news())?.commits.length, 1);
      await journal(database.name, { node: 7, batch: 2_999_999, at: Date.now(), lastSeq: 2 });
      assert.equal((await store.news())?.commits.length, 1);
    });

    it('says that it cannot know the news when some of it was forgotten already, and then goes on', async () => {
      await using database = await newDatabase();
      await using one = await open(database.url);
      await using other = await open(database.url);
      for (const body of ['a', 'b']) await one.commit([draft('ada', 'bob', body)], 5);
      await one.acknowledgeJournal('reader', await one.journalEnd(), 70_000);
      await one.pruneJournal(70_000);
      assert.equal(await other.news(), undefined);
      await one.commit([draft('ada', 'bob', 'c')], 5);
      assert.deepEqual(
        (await other.news())?.commits.map(({ lastSeq }) => lastSeq),
        [3],
      );
    });

    for (const { what, lost } of [
      { what: 'a batch that it wrote itself', lost: 'node = 1 AND batch > 1' },
      { what: 'a batch of another node', lost: 'node > 1 AND batch > 1' },
      { what: 'all batches of a node', lost: 'node > 1' },
    ])
      it(`begins a new epoch once when the journal has lost ${what}, and goes on`, async () => {
        await using database = await newDatabase();
        await using one = await open(database.url);
        await using other = await open(database.url);
        for (const body of ['a', 'b'])
          for (const store of [one, other]) await store.commit([draft('ada', 'bob', body)], 5);
        const first = await one.epoch();
        for (const store of [one, other]) assert.notEqual(await store.news(), undefined);
        assert.equal(await one.epoch(), first);
        await admin.query(`DELETE FROM ${database.name}.journal WHERE ${lost}`);
        for (const store of [one, other]) assert.equal(await store.news(), undefined);
        const second = await one.epoch();
        assert.notEqual(second, first);
        for (const store of [one, other]) assert.deepEqual((await store.news())?.commits, []);
        assert.equal(await other.epoch(), second);
        await one.commit([draft('ada', 'bob', 'c')], 5);
        assert.equal((await other.news())?.commits.length, 1);
        const [numbers] = await admin.query<RowDataPacket[]>(
          `SELECT DISTINCT node FROM ${database.name}.journal_node`,
        );
        assert.equal(numbers.length, 3, 'the node took a new number, for the old one may be another’s');
      });

    it('hears of a new epoch that another process has begun', async () => {
      await using database = await newDatabase();
      await using store = await open(database.url);
      await renewMysqlEpoch(database.url);
      assert.equal(await store.news(), undefined);
      assert.deepEqual((await store.news())?.commits, []);
    });

    it('begins no new epoch for a batch of which it is not known whether it was written', async () => {
      await using database = await newDatabase();
      await using proxy = await startCuttingProxy(database.url);
      await using store = await open(proxy.url);
      await store.commit([draft('ada', 'bob', 'one')], 5);
      const first = await store.epoch();
      const gone = proxy.cutAndRefuse('COMMIT', 'before');
      await assert.rejects(store.commit([draft('ada', 'bob', 'two')], 6), isUnavailable);
      gone[Symbol.dispose]();
      assert.deepEqual((await store.news())?.commits, []);
      assert.equal(await store.epoch(), first);
    });

    it('forgets nodes that ended long ago, first in the cursors, and tells a reader who had not read them', async () => {
      await using database = await newDatabase();
      const week = 7 * 24 * 3_600_000;
      let now = 1;
      const clock = () => now;
      const begin = await open(database.url, clock);
      const start = await begin.journalEnd();
      await begin.commit([draft('ada', 'bob', 'a')], now);
      await begin[Symbol.asyncDispose]();
      await using store = await open(database.url, clock);
      await store.commit([draft('ada', 'bob', 'b')], now);
      const end = await store.journalEnd();
      assert.equal(end, 'n1,1:1,2:1');
      await store.acknowledgeJournal('reader', end, now + 60_001);
      await store.pruneJournal(now + 60_001);

      now += week + 60_002;
      await store.commit([draft('ada', 'bob', 'c')], now);
      const page = await store.journal(end, 9);
      assert.deepEqual(
        page?.commits.map(({ lastSeq }) => lastSeq),
        [3],
      );
      assert.equal(page?.cursor, 'n3,3:1');
      assert.equal(await store.journalEnd(), page.cursor);
      assert.equal(await store.journal(start, 9), undefined);

      now += week + 1;
      await store.acknowledgeJournal('reader', page.cursor, now);
      await store.pruneJournal(now);
      const [rows] = await admin.query(`SELECT node FROM ${database.name}.journal_node`);
      assert.deepEqual(rows, [{ node: 3 }]);
      assert.equal(await store.journal(end, 9), undefined);
      assert.deepEqual((await store.journal(page.cursor, 9))?.commits, []);
    });

    it('answers UNAVAILABLE, soon, when the server is not there', async () => {
      await using nobody = new Mysql({ url: 'mysql://user:secret@127.0.0.1:1/chatterbox' });
      await assert.rejects(nobody.query(sql`SELECT 1`), isUnavailable);
      await assert.rejects(
        nobody.transaction((tx) => tx.run(sql`SELECT 1`)),
        isUnavailable,
      );
    });

    it('refuses one draft of a batch that it cannot take, commits the others, and leaves no gap in the journal', async () => {
      await using database = await newDatabase();
      await using store = await open(database.url);
      await store.commit([draft('ada', 'bob', 'before')], 5);
      const start = await store.journalEnd();
      const lane = new Lane({ store, clock: Date.now, steady: () => performance.now(), onCommitted() {} });
      const drafts = Array.from({ length: 20 }, (_, i) => draft('ada', 'bob', `${i}`));
      const given = drafts.with(7, { ...draft('ada', 'bob', '7'), clientId: 'x'.repeat(65) });
      const outcomes = await Promise.allSettled(
        given.map((d) => new Promise((committed, failed) => lane.submit(d, { committed, failed }))),
      );
      assert.deepEqual(
        outcomes.flatMap(({ status }, i) => (status === 'rejected' ? [i] : [])),
        [7],
      );
      const entries = await store.entries([{ conversation: 'ada:bob', after: 1 }], 100);
      assert.deepEqual(
        entries.map(({ body }) => body),
        drafts.map(({ body }) => body).filter((body) => body !== '7'),
      );
      const page = await store.journal(start, 100);
      assert.equal(
        page?.commits.at(-1)?.lastSeq,
        20,
        'the feed need not wait for a batch that may still come',
      );
    });

    it('saves the cursors of all devices, one with the longest name among them', async () => {
      await using database = await newDatabase();
      await using store = await open(database.url);
      await store.commit([draft('ada', 'bob', 'hello'), draft('ada', 'cleo', 'hello')], 5);
      await using cursors = new Cursors(store, () => {}, log);
      const devices = { bob: 'session/phone', cleo: `session/${'x'.repeat(LIMITS.deviceName)}` };
      for (const [user, device] of Object.entries(devices)) {
        await arrive(store, user, device);
        cursors.move({ user, device, conversation: `ada:${user}`, seq: 1, marksTaken: 0 });
      }
      await cursors.save();
      for (const [user, device] of Object.entries(devices))
        assert.equal((await arrive(store, user, device)).positions[0]?.cursor, 1, user);
    });

    it('saves the cursors of all devices but one that it cannot take', async () => {
      await using database = await newDatabase();
      await using store = await open(database.url);
      const friends = ['bob', 'cleo', 'dan'];
      await store.commit(
        friends.map((friend) => draft('ada', friend, 'hello')),
        5,
      );
      await using cursors = new Cursors(store, () => {}, log);
      const move = (user: string, device: string) =>
        cursors.move({ user, device, conversation: `ada:${user}`, seq: 1, marksTaken: 0 });
      for (const user of ['bob', 'dan']) await arrive(store, user, 'chat/phone');
      move('bob', 'chat/phone');
      move('cleo', 'x'.repeat(1_000));
      move('dan', 'chat/phone');
      await cursors.save();
      for (const user of ['bob', 'dan'])
        assert.equal((await arrive(store, user, 'chat/phone')).positions[0]?.cursor, 1, user);
    });

    it('keeps no cursor of a device that another node forgets in that moment', async () => {
      await using database = await newDatabase();
      await using store = await open(database.url);
      await store.commit([draft('ada', 'bob', 'a')], 5);
      await arrive(store, 'bob', 'phone');
      await using rival = await rivalOf(database.url);
      await rival.forget('bob', 'phone');
      const cursor = { user: 'bob', device: 'phone', conversation: 'ada:bob', seq: 1, marksTaken: 0 };
      const saving = store.saveCursors([cursor]);
      await rival.isWaitedFor();
      await rival.commit();
      assert.equal((await saving).length, 1, 'it was delivered all the same');
      assert.equal((await arrive(store, 'bob', 'phone')).positions[0]?.cursor, undefined);
    });

    it('goes on when the server has cut all connections', async () => {
      await using database = await newDatabase();
      await using store = await open(database.url);
      await store.commit([draft('ada', 'bob', 'a')], 5);
      await database.cutConnections();
      assert.equal((await store.commit([draft('ada', 'bob', 'b')], 5))[0]?.seq, 2);
      assert.equal((await store.heads(['ada:bob'])).length, 1);
    });

    for (const [hours, how] of [
      [1, '3600 s ahead of'],
      [-1, '3600 s behind'],
    ] as const)
      it(`warns when it opens with a clock that is ${how} the database’s`, async () => {
        await using database = await newDatabase();
        const lines: string[] = [];
        const heard = pino({ level: 'warn' }, { write: (line) => lines.push(line) });
        const clocks = { clock: () => Date.now() + hours * 3_600_000, steady: steadyClock };
        await using _ = await openMysqlStore({ url: database.url, log: heard, ...clocks });
        assert.equal(
          lines.filter((line) => line.includes(`clock is ${how} the database server’s`)).length,
          1,
        );
        lines.length = 0;
        await using __ = await openMysqlStore({ url: database.url, log: heard, ...clocks, clock: Date.now });
        assert.deepEqual(lines, []);
      });

    it('knows the settings by which a server could lose what it acknowledged', async () => {
      await using connection = new Mysql({ url: server });
      assert.deepEqual(await weaknesses(connection), []);
      await admin.query('SET GLOBAL innodb_flush_log_at_trx_commit = 2');
      try {
        assert.match((await weaknesses(connection)).join(), /innodb_flush_log_at_trx_commit is 2/);
      } finally {
        await admin.query('SET GLOBAL innodb_flush_log_at_trx_commit = 1');
      }
    });

    it('has columns that hold the longest texts that callers may give', async () => {
      await using database = await newDatabase();
      await migrateMysql(database.url, SCHEMA);
      const { username, storedDevice, clientId, conversationId, epoch, journalReader } = LIMITS;
      const texts: Record<string, number> = {
        'conversation.id': conversationId,
        // As JSON.
        'conversation.members': JSON.stringify(['x'.repeat(username), 'x'.repeat(username)]).length,
        'member.user': username,
        'person.user': username,
        'device.user': username,
        'device.device': storedDevice,
        'entry.sender': username,
        'entry.client_id': clientId,
        // TEXT and its kind are counted in bytes here.
        'entry.body': 4 * LIMITS.text,
        'device_cursor.user': username,
        'device_cursor.device': storedDevice,
        'log_epoch.epoch': epoch,
        // As `MAX_NEWS` in a page and more.
        'journal.news': 1024 * 1024,
        'journal_reader.name': journalReader,
        // No request holds a longer one.
        'journal_reader.place': 64 * 1024 - 4,
      };
      const [rows] = await admin.query<RowDataPacket[]>(
        `SELECT table_name AS tableName, column_name AS columnName, character_maximum_length AS width
         FROM information_schema.columns WHERE table_schema = ? AND table_name <> 'migration'
           AND data_type IN ('char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext')`,
        [database.name],
      );
      const widths = new Map(rows.map((row) => [`${row.tableName}.${row.columnName}`, Number(row.width)]));
      assert.deepEqual([...widths.keys()].sort(), Object.keys(texts).sort(), 'each text has a limit here');
      for (const [column, longest] of Object.entries(texts))
        assert.ok((widths.get(column) ?? 0) >= longest, `${column} has ${widths.get(column)}`);
    });

    it('keeps what devices had when it makes their column wider, though that step was cut short and runs again', async () => {
      await using database = await newDatabase();
      const older = { ...SCHEMA, migrations: SCHEMA.migrations.slice(0, 1) };
      await migrateMysql(database.url, older);
      await admin.query(`INSERT INTO ${database.name}.device VALUES ('ada', 'session/phone')`);
      const connection = await mysql.createConnection(database.url);
      for (const { name, sql: step } of SCHEMA.migrations)
        if (name.startsWith('longer names')) await connection.query(step);
      await connection.end();
      await using store = await open(database.url);
      assert.equal((await arrive(store, 'ada', 'session/phone')).baseAt, 0, 'it has been here for ever');
    });

    it('makes its schema once, though ten nodes start at the same moment', async () => {
      await using database = await newDatabase();
      assert.ok((await mysqlStatus(database.url, SCHEMA)).every(({ isApplied }) => !isApplied));
      await Promise.all(Array.from({ length: 10 }, () => migrateMysql(database.url, SCHEMA)));
      assert.ok((await mysqlStatus(database.url, SCHEMA)).every(({ isApplied }) => isApplied));
    });

    it('refuses a schema that is newer, or whose steps were changed', async () => {
      await using database = await newDatabase();
      await migrateMysql(database.url, SCHEMA);
      const changed = SCHEMA.migrations.map((step) => ({ ...step, sql: `${step.sql}; SELECT 1` }));
      await assert.rejects(
        migrateMysql(database.url, { ...SCHEMA, migrations: changed }),
        /is not the one that ran/,
      );
      const older = SCHEMA.migrations.slice(0, -1);
      await assert.rejects(migrateMysql(database.url, { ...SCHEMA, migrations: older }), /newer Chatterbox/);
    });
  });

  /** A transaction of somebody else, with so much to undo that a deadlock's victim is the other one. */
  async function rivalOf(url: string) {
    const connection = await mysql.createConnection(url);
    await connection.query('CREATE TABLE ballast (n INT PRIMARY KEY)');
    await connection.query('BEGIN');
    const rows = Array.from({ length: 500 }, (_, n) => [n]);
    await connection.query('INSERT INTO ballast VALUES ?', [rows]);
    return {
      lock: (id: string) => connection.query('SELECT 1 FROM conversation WHERE id = ? FOR UPDATE', [id]),
      forget: (user: string, device: string) =>
        connection.query('DELETE FROM device WHERE user = ? AND device = ?', [user, device]),
      commit: () => connection.query('COMMIT'),
      end: () => connection.query('ROLLBACK'),
      async isWaitedFor() {
        for (;;) {
          const [[status]] = await admin.query<RowDataPacket[]>('SHOW ENGINE INNODB STATUS');
          // What stands before tells of a deadlock of the past.
          const [, now = ''] = String(status?.Status).split('\nTRANSACTIONS\n');
          if (now.includes('LOCK WAIT')) return;
        }
      },
      [Symbol.asyncDispose]: () => connection.end(),
    };
  }
}

const isUnavailable = (error: unknown) => error instanceof ServiceError && error.reason === 'UNAVAILABLE';

let lastId = 0;

function draft(sender: string, friend: string, body: string): Draft {
  const members = [sender, friend].sort();
  const conversation = members.join(':');
  const clientId = `m${++lastId}`;
  return { conversation, members, sender, clientId, contentHash: contentHash(body), body, clientTime: 0n };
}

/** As a device that arrives where nobody else is. */
function arrive(store: MessageStore, user: string, device: string) {
  return store.openDevice(user, device, { now: 10, baseAt: 10, maxDevices: 50, openDevices: [], epoch: '' });
}
