import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import mysql, { type RowDataPacket } from 'mysql2/promise';
import { newDatabase, type TestDatabase } from '../../common/mysql/fixtures/database.ts';
import { type Row, Summing } from '../../common/transfer/transfer.ts';
import { startEmbedded } from '../../scripts/embedded.ts';
import { Processes } from '../../scripts/processes.ts';
import { emptyNeo4j, MYSQL, NEO4J, withoutEngine } from '../outside/engines.ts';
import { eventually } from '../outside/eventually.ts';
import {
  chatStub,
  conversationsStub,
  failure,
  Session,
  sessionStub,
  streamAll,
  unary,
} from '../outside/grpc.ts';
import { type Account, call, login, register } from '../outside/http.ts';

/** Enough for an import to be caught in the middle of it. */
const MANY = 6_000;

if (MYSQL === undefined || NEO4J === undefined)
  describe('moving a data folder into a cluster', () => it(withoutEngine('MySQL and Neo4j')));
else moving(MYSQL, NEO4J);

function moving(server: string, neo4j: string): void {
  describe('moving a data folder into a cluster', function () {
    this.timeout(120_000);
    const folder = mkdtempSync(join(tmpdir(), 'chatterbox-'));
    const data = join(folder, 'data');
    const exported = join(folder, 'export');
    const settings = {
      DATA_DIR: data,
      CHATTERBOX_LOG_LEVEL: 'fatal',
      CHATTERBOX_SEND_RATE: '1000000',
      CHATTERBOX_SEND_BURST: '1000000',
    };
    const people: Record<string, Account> = {};
    let loggedOut: Account;
    let database: TestDatabase;
    let before_: unknown;
    /** Of the log that is exported. */
    let epoch: string;

    const person = (name: string): Account => people[name] ?? assert.fail(name);
    const stores = () => ({
      CHATTERBOX_ACCOUNTS_URL: database.url,
      CHATTERBOX_MESSAGES_URL: database.url,
      CHATTERBOX_GRAPH_URL: neo4j,
    });

    before(async () => {
      database = await newDatabase(server);
      await emptyNeo4j(neo4j);
      const system = await startEmbedded({ ...settings, HOST: '127.0.0.1', PORT: '0' });
      await live(system.url);
      before_ = await everythingSeen(system.url, Object.values(people));
      const { status, text } = await run('export', ['--from', data, '--to', exported]);
      assert.equal(status, 1);
      assert.match(text, /is in use by another process/);
      await system[Symbol.asyncDispose]();
    });
    after(async () => {
      await database[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    });

    /** Some people do some of everything, through the doors. */
    async function live(url: string): Promise<void> {
      for (const name of ['ada', 'bob', 'cyd', 'dan', 'eve']) people[name] = await register(url, name);
      const ask = (from: string, to: string) =>
        call(url, 'POST', '/chat/friends/requests', { token: person(from).token, json: { username: to } });
      const accept = (of: string, by: string) =>
        call(url, 'POST', `/chat/friends/requests/${of}/accept`, { token: person(by).token });
      for (const [one, other] of [
        ['ada', 'bob'],
        ['bob', 'cyd'],
        ['bob', 'dan'],
      ] as const) {
        assert.equal((await ask(one, other)).status, 201);
        assert.equal((await accept(one, other)).status, 200);
      }
      assert.equal((await ask('eve', 'ada')).status, 201);
      assert.equal((await call(url, 'DELETE', '/chat/suggestions/dan', person('ada'))).status, 204);
      const about = { display_name: 'Ada Ω', about: 'adds up \u{1F9EE}' };
      assert.equal(
        (await call(url, 'PATCH', '/chat/people/me', { token: person('ada').token, json: about })).status,
        200,
      );
      // As after a refresh whose answer was lost for more than 10 s.
      using accounts = new DatabaseSync(join(data, 'authenticator', 'accounts.db'));
      accounts.exec("UPDATE session SET forgiven_at = 1700000000123 WHERE username = 'ada'");
      loggedOut = await login(url, 'cyd');
      assert.equal(
        (await call(url, 'POST', '/auth/logout', { token: loggedOut.token, json: {} })).status,
        204,
      );

      const send = (from: string, friend: string, message: string, clientId = '', timestamp = '0') =>
        unary(
          chatStub(url),
          'SendMessage',
          { friend, message, client_id: clientId, timestamp },
          person(from),
        );
      const first = await send(
        'ada',
        'bob',
        'zero width\u200b and \u{1F44B}\u{1F3FE}',
        'first',
        `${2n ** 62n}`,
      );
      const second = await send('bob', 'ada', '\u{1F4DA}'.repeat(8_000));
      await send('ada', 'ada', 'a note to myself');
      const phone = new Session(sessionStub(url), person('bob'), { open: { device: 'phone' } });
      await phone.caughtUp();
      phone.write({ acks: [second], reads: [first], ping: { number: 1 } });
      await phone.until(({ pong }) => pong !== null);
      await phone.end();
      epoch = phone.received[0]?.opened?.epoch ?? '';
      await send('ada', 'bob', 'while the phone was away');
      const many = Array.from({ length: MANY - 1 }, (_, i) => ({ friend: 'eve', message: `number ${i}` }));
      await streamAll(chatStub(url), many, person('dan'));
      const { sent_at } = await send('dan', 'eve', 'the last');
      await untilLastChatted(url, person('dan'), new Date(Number(sent_at)).toISOString());
    }

    /** Contacts follow the messages a little later. */
    async function untilLastChatted(url: string, { username, token }: Account, time: string): Promise<void> {
      await eventually(async () => {
        const { body } = await call(url, 'GET', `/chat?userid=${username}`, { token });
        assert.ok(
          body.contact_list_.some(({ lastChat }: { lastChat: string }) => lastChat === time),
          `nobody was chatted with at ${time}`,
        );
      });
    }

    /** What everybody is shown, on every door. */
    async function everythingSeen(url: string, all: Account[]): Promise<unknown> {
      const seen = [];
      for (const { username, token } of all) {
        const get = async (path: string) => (await call(url, 'GET', path, { token })).body;
        const page = { page_size: 100 };
        const inbox = await unary(conversationsStub(url), 'ListConversations', page, { token });
        seen.push({
          me: await get('/auth/me'),
          sessions: await get('/auth/sessions'),
          profile: await get(`/chat/people/${username}`),
          found: await get('/chat/people?query=ada'),
          friends: await get('/chat/friends'),
          incoming: await get('/chat/friends/requests?direction=incoming'),
          outgoing: await get('/chat/friends/requests?direction=outgoing'),
          suggestions: await get('/chat/suggestions'),
          contacts: await get(`/chat?userid=${username}`),
          inbox,
          entries: await Promise.all(
            inbox.conversations.map(({ id }: { id: string }) => entriesOf(url, id, token)),
          ),
        });
      }
      return seen;
    }

    it('takes everything along, and a half of it that was cut short goes on where it ended', async () => {
      const out = await run('export', ['--from', data, '--to', exported]);
      assert.equal(out.status, 0, out.text);
      assert.match(out.text, new RegExp(`messages/entry +${MANY + 4}\\n`));
      const again = await run('export', ['--from', data, '--to', exported]);
      assert.match(again.text, /holds an export already/);

      const inFirst = await killedWithEntriesIn(start('import', ['--from', exported]));
      assert.ok(inFirst > 0 && inFirst < MANY, `${inFirst} entries`);
      const { status, text } = await run('import', ['--from', exported]);
      assert.equal(status, 0, text);
      assert.match(text, /Imported, read back and compared/);
      assert.match((await run('import', ['--from', exported])).text, /imported completely before/);
    });

    it('and the cluster shows everybody what they saw, to those who are still logged in', async () => {
      await using cluster = await Processes.prepare({
        messengers: 2,
        env: {
          ...settings,
          ...stores(),
          DATA_DIR: join(folder, 'nothing'),
          CHATTERBOX_SERVICE_SECRET: readFileSync(join(data, 'service-secret'), 'utf8'),
          CHATTERBOX_SIGNING_KEYS: join(data, 'authenticator', 'signing-keys.json'),
        },
      });
      cluster.start(...cluster.names);
      await cluster.untilMissing();
      const { url } = cluster;
      assert.equal((await call(url, 'GET', '/auth/me', loggedOut)).status, 401);
      assert.deepEqual(await everythingSeen(url, Object.values(people)), before_);

      const bob = person('bob');
      const phone = new Session(sessionStub(url), bob, { open: { device: 'phone' } });
      const missed = (await phone.caughtUp()).flatMap(({ entries }) => entries);
      assert.deepEqual(
        missed.map(({ conversation, seq }) => [conversation, seq]),
        [['ada:bob', '3']],
        'it came when there were two, and then was away',
      );
      await phone.end();
      const knowing = new Session(sessionStub(url), bob, { open: { device: 'phone', epoch } });
      const [first, ...more] = await knowing.caughtUp();
      assert.notEqual(first?.opened?.epoch, epoch);
      assert.deepEqual(
        [first!, ...more].flatMap(({ gaps }) => gaps.map((gap) => [gap.conversation, gap.last_seq])),
        [['ada:bob', '2']],
        'a device that knows the epoch begins anew',
      );
      await knowing.end();
      const send = (message: string, clientId: string) =>
        unary(chatStub(url), 'SendMessage', { friend: 'bob', message, client_id: clientId }, person('ada'));
      assert.equal((await send('zero width\u200b and \u{1F44B}\u{1F3FE}', 'first')).seq, '1');
      assert.equal((await failure(send('something else', 'first'))).code, 6);
      assert.equal((await send('in the cluster', 'next')).seq, '4');
      const refreshed = await call(url, 'POST', '/auth/refresh', {
        json: { refresh_token: bob.refreshToken },
      });
      assert.equal(refreshed.status, 200);
      assert.equal((await login(url, 'eve')).username, 'eve');
      assert.equal((await register(url, 'fay')).username, 'fay');
      assert.deepEqual(await cluster.stopAll(), [0, 0, 0, 0, 0]);
    });

    it('and back out of the cluster, when it is stopped, into another one', async () => {
      const backup = join(folder, 'backup');
      const out = await run('export', ['--to', backup]);
      assert.equal(out.status, 0, out.text);
      await emptyNeo4j(neo4j);
      await using fresh = await newDatabase(server);
      const restored = await run('import', ['--from', backup], {
        CHATTERBOX_ACCOUNTS_URL: fresh.url,
        CHATTERBOX_MESSAGES_URL: fresh.url,
      });
      assert.equal(restored.status, 0, restored.text);
      assert.match(restored.text, new RegExp(`messages/entry +${MANY + 5} rows`));
      assert.match(restored.text, /graph\/person +6 rows/);
      assert.match(restored.text, /graph\/friendship +3 rows/);
    });

    it('and the graph alone', async () => {
      const graph = join(folder, 'graph');
      const out = await run('export', ['--only', 'graph', '--to', graph]);
      assert.equal(out.status, 0, out.text);
      await emptyNeo4j(neo4j);
      const { status, text } = await run('import', ['--from', graph]);
      assert.equal(status, 0, text);
      assert.match(text, /graph\/friendship +3 rows/);
      assert.match(
        (await run('export', ['--only', 'all', '--to', join(folder, 'x')])).text,
        /none of accounts, messages, graph/,
      );
    });

    it('refuses stores that hold something else, and an export that is not what it was', async () => {
      const other = join(folder, 'other');
      cpSync(exported, other, { recursive: true });
      change(join(other, 'manifest.json'), /"id": ".*"/, '"id": "another"');
      const refused = await run('import', ['--from', other]);
      assert.equal(refused.status, 1);
      assert.match(refused.text, /has rows in auth_account: an import needs an empty one/);

      await using fresh = await newDatabase(server);
      const noGraph = await run('import', ['--from', other], {
        CHATTERBOX_ACCOUNTS_URL: fresh.url,
        CHATTERBOX_MESSAGES_URL: fresh.url,
      });
      assert.match(noGraph.text, /has nodes: an import needs an empty one/);

      await emptyNeo4j(neo4j);
      change(join(other, 'messages', 'entry.ndjson'), /number 17"/, 'number 18"');
      const damaged = await run('import', ['--from', other], {
        CHATTERBOX_ACCOUNTS_URL: fresh.url,
        CHATTERBOX_MESSAGES_URL: fresh.url,
      });
      assert.equal(damaged.status, 1);
      assert.match(damaged.text, /What was read back is not what was exported:\nmessages\/entry: 6004 rows/);
      await emptyNeo4j(neo4j);
    });

    it('takes an export of an earlier version, which has fewer tables and columns', async () => {
      const older = join(folder, 'older');
      cpSync(exported, older, { recursive: true });
      const manifest = JSON.parse(readFileSync(join(older, 'manifest.json'), 'utf8'));
      const added = ['marks_revision', 'marks_taken', 'base_at', 'seen_at', 'forgiven_at'];
      const tables = Object.keys(manifest.tables).filter(
        (name) => /^(?:accounts|messages)\//.test(name) && name !== 'messages/conversation_marks',
      );
      const sums = tables.map((name) => {
        const path = join(older, `${name}.ndjson`);
        const rows = readFileSync(path, 'utf8')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line, (key, value) => (added.includes(key) ? undefined : value)) as Row);
        writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
        const summing = new Summing();
        for (const row of rows) summing.add(row);
        return [name, summing.sum];
      });
      writeFileSync(
        join(older, 'manifest.json'),
        JSON.stringify({ ...manifest, tables: Object.fromEntries(sums) }),
      );
      await using fresh = await newDatabase(server);
      const { status, text } = await run('import', ['--from', older], {
        CHATTERBOX_ACCOUNTS_URL: fresh.url,
        CHATTERBOX_MESSAGES_URL: fresh.url,
      });
      assert.equal(status, 0, text);
      assert.match(text, /Imported, read back and compared/);
    });

    it('says what is missing', async () => {
      assert.equal((await run('import', [])).status, 2);
      assert.match((await run('import', ['--from', data])).text, /there is no complete export in/);
      assert.match(
        (await run('export', ['--from', folder, '--to', join(folder, 'x')])).text,
        /there is no accounts.db/,
      );
      const toFile = await run('import', ['--from', exported], { CHATTERBOX_GRAPH_URL: 'sqlite:' });
      assert.match(toFile.text, /CHATTERBOX_GRAPH_URL must name a Neo4j/);
    });

    const start = (command: 'export' | 'import', args: string[], env: Record<string, string> = {}) =>
      spawn(process.execPath, [`scripts/${command}.ts`, ...args], {
        env: { ...process.env, ...stores(), ...env, DATA_DIR: join(folder, 'nothing') },
      });

    async function run(...how: Parameters<typeof start>): Promise<{ status: number; text: string }> {
      const child = start(...how);
      let text = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
      const [status] = await once(child, 'close');
      return { status, text };
    }

    /** Kills it as soon as some entries are in the database; how many were when it was dead. */
    async function killedWithEntriesIn(child: ChildProcess): Promise<number> {
      const exited = once(child, 'exit');
      const connection = await mysql.createConnection(database.url);
      const count = async () => {
        const [rows] = await connection
          .query<RowDataPacket[]>('SELECT count(*) AS entries FROM entry')
          .catch(() => [[]]);
        return (rows as RowDataPacket[])[0]?.entries ?? 0;
      };
      while ((await count()) === 0 && child.exitCode === null) await delay(1);
      child.kill('SIGKILL');
      await exited;
      const entries = await count();
      await connection.end();
      return entries;
    }
  });
}

async function entriesOf(url: string, conversation: string, token: string): Promise<unknown[]> {
  const all: unknown[] = [];
  for (let page_token = ''; ; ) {
    const page = await unary(
      conversationsStub(url),
      'ListEntries',
      { conversation, page_size: 1_000, page_token },
      { token },
    );
    all.push(...page.entries);
    page_token = page.next_page_token;
    if (page_token === '') return all;
  }
}

function change(path: string, from: RegExp, to: string): void {
  const text = readFileSync(path, 'utf8');
  assert.match(text, from);
  writeFileSync(path, text.replace(from, to));
}
