import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it } from 'mocha';
import { newDatabase } from '../../common/mysql/fixtures/database.ts';
import { type Chatterbox, startEmbedded } from '../../scripts/embedded.ts';
import { MYSQL, withoutEngine } from '../outside/engines.ts';
import { chatStub, conversationsStub, unary } from '../outside/grpc.ts';
import { type Account, call, login, register } from '../outside/http.ts';

const FILES = ['messenger/messages.db', 'authenticator/accounts.db', 'userinfo/graph.sqlite'];
const KEYS = ['authenticator/signing-keys.json', 'service-secret'];
/** As docs/operations.md gives them. */
const DUMP = ['--single-transaction', '--quick', '--no-tablespaces', '--hex-blob'];

describe('a backup', function () {
  this.timeout(60_000);

  it('of files is taken by SQLite while they are written to, and is a data folder', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'chatterbox-'));
    const [data, backup] = [join(folder, 'data'), join(folder, 'backup')];
    let ada: Account;
    {
      await using system = await start({ DATA_DIR: data });
      ada = await live(system);
      for (const service of ['messenger', 'authenticator', 'userinfo'])
        mkdirSync(join(backup, service), { recursive: true });
      await whileSending(system, ada, async () => {
        for (const file of FILES) await vacuum(join(data, file), join(backup, file));
      });
      for (const file of KEYS) copyFileSync(join(data, file), join(backup, file));
    }
    await using restored = await start({ DATA_DIR: backup });
    await check(restored, ada);
    rmSync(folder, { recursive: true });
  });

  if (MYSQL === undefined) it(`of a database (${withoutEngine('MySQL')})`);
  else {
    const server = MYSQL;
    it('of a database is one moment of it, taken while it is written to', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'chatterbox-'));
      await using one = await newDatabase(server);
      await using other = await newDatabase(server);
      const [from, to] = [one.url, other.url];
      const on = (url: string) => ({
        DATA_DIR: folder,
        CHATTERBOX_ACCOUNTS_URL: url,
        CHATTERBOX_MESSAGES_URL: url,
      });
      let ada: Account;
      let dump = '';
      {
        await using system = await start(on(from));
        ada = await live(system);
        await whileSending(system, ada, async () => {
          dump = await run(await installed('mariadb-dump', 'mysqldump'), [...DUMP, ...addressOf(from)]);
        });
      }
      await run(await installed('mariadb', 'mysql'), addressOf(to), dump);
      await using restored = await start(on(to));
      await check(restored, ada);
      rmSync(folder, { recursive: true });
    });
  }
});

function start(env: Record<string, string>): Promise<Chatterbox> {
  return startEmbedded({ HOST: '127.0.0.1', PORT: '0', CHATTERBOX_LOG_LEVEL: 'fatal', ...env });
}

async function live({ url }: Chatterbox): Promise<Account> {
  const [ada] = await Promise.all([register(url, 'ada'), register(url, 'bob')]);
  await send({ url }, ada, 10);
  return ada;
}

async function send({ url }: Pick<Chatterbox, 'url'>, ada: Account, count: number): Promise<void> {
  for (let i = 0; i < count; i++)
    await unary(chatStub(url), 'SendMessage', { friend: 'bob', message: `${i} \u{1F5C4}` }, ada);
}

/** Messages are sent all the time that the work takes. */
async function whileSending(system: Chatterbox, ada: Account, work: () => Promise<void>): Promise<void> {
  let isWorking = true;
  const sending = (async () => {
    while (isWorking) await send(system, ada, 1);
  })();
  await work();
  isWorking = false;
  await sending;
}

/** By a process of its own. */
async function vacuum(from: string, to: string): Promise<void> {
  const script = `new (require('node:sqlite').DatabaseSync)(${JSON.stringify(from)}).exec(${JSON.stringify(`VACUUM INTO '${to}'`)})`;
  await run(process.execPath, ['-e', script]);
}

/** What was acknowledged before the backup is there, without holes; whoever was logged in is, and life goes on. */
async function check({ url }: Chatterbox, ada: Account): Promise<void> {
  assert.equal((await call(url, 'GET', '/auth/me', ada)).status, 200);
  assert.equal((await login(url, 'bob')).username, 'bob');
  const page = { conversation: 'ada:bob', page_size: 100 };
  const { entries } = await unary(conversationsStub(url), 'ListEntries', page, ada);
  const seqs = entries
    .map(({ seq }: { seq: string }) => Number(seq))
    .toSorted((a: number, b: number) => a - b);
  assert.ok(seqs.length >= 10);
  assert.deepEqual(
    seqs,
    seqs.map((_: number, i: number) => i + 1),
  );
  const { seq } = await unary(chatStub(url), 'SendMessage', { friend: 'bob', message: 'after' }, ada);
  assert.equal(Number(seq), seqs.length + 1);
}

function addressOf(database: string): string[] {
  const { hostname, port, username, password, pathname } = new URL(database);
  return [
    `--host=${hostname}`,
    `--port=${port}`,
    `--user=${username}`,
    `--password=${password}`,
    pathname.slice(1),
  ];
}

/** The first of these programs that there is. */
async function installed(...programs: string[]): Promise<string> {
  return (await run('sh', ['-c', programs.map((one) => `command -v ${one}`).join(' || ')])).trim();
}

/** What the program prints. */
async function run(program: string, args: string[], input = ''): Promise<string> {
  const child = spawn(program, args);
  // One that ends without reading says so by its code.
  child.stdin.on('error', () => {}).end(input);
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  assert.equal(code, 0, errors);
  return output;
}
