import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { startHttpServer } from '#common/http/server.ts';
import { type CuttingProxy, startCuttingProxy } from '#common/mysql/fixtures/cutting-proxy.ts';
import { newDatabase, type TestDatabase } from '#common/mysql/fixtures/database.ts';
import { PASSWORD, SECRET, World } from './fixtures/world.ts';

const SERVER = process.env.TEST_MYSQL_URL;
const REASON = SERVER === undefined ? ' (no MySQL here: set TEST_MYSQL_URL)' : '';

describe(`an authenticator and a MySQL that comes and goes${REASON}`, function () {
  this.timeout(15_000);
  let database: TestDatabase;
  /** Where the server is to be found once somebody stands there. */
  let port: number;
  let url: string;
  let stack: AsyncDisposableStack;
  beforeEach(async function () {
    if (SERVER === undefined) this.skip();
    stack = new AsyncDisposableStack();
    database = stack.use(await newDatabase(SERVER));
    port = await freePort();
    url = at(port, database.url);
  });
  afterEach(() => stack?.disposeAsync());

  const serverComes = async (): Promise<CuttingProxy> =>
    stack.use(await startCuttingProxy(database.url, port));
  const start = async (accountsUrl: string) =>
    stack.use(await World.start({ env: { CHATTERBOX_ACCOUNTS_URL: accountsUrl } }));

  it('listens before it is there, says what is missing, asks to come back, and serves when it has come', async () => {
    const world = await start(url);
    await assertAway(world);
    await serverComes();
    await isReady(world);
    assert.equal((await world.register('ada')).user.username, 'ada');
  });

  it('answers 503 within seconds when it goes, and serves within five of its return', async () => {
    const server = await serverComes();
    const world = await start(url);
    await isReady(world);
    const ada = await world.register('ada');
    await server[Symbol.asyncDispose]();
    await assertAway(world);
    await serverComes();
    await isReady(world);
    assert.equal((await world.refresh(ada.refresh_token)).status, 200);
    assert.equal((await world.login('ada', PASSWORD)).status, 200);
  });

  it('does not start with a password that is refused, or on a newer schema, and says so', async () => {
    await assert.rejects(
      start(withPassword(database.url, 'wrong')),
      /^CannotOpenError: MySQL \(accounts\) cannot be opened: Access denied for user/,
    );
    await (await start(database.url)).stop();
    await database.admin.query("INSERT INTO migration VALUES ('authenticator', 99, 'to come', '')");
    await assert.rejects(start(database.url), /MySQL \(accounts\) cannot be opened: .* newer Chatterbox/);
  });

  it('cannot go on when it comes at last and refuses', async () => {
    const world = await start(withPassword(url, 'wrong'));
    const { failed } = world;
    assert.ok(failed);
    await serverComes();
    await assert.rejects(failed, /Access denied/);
  });

  it('as a process waits for it, warns of keys of its own, and ends with 1 only when refused', async () => {
    const world = stack.use(new World());
    const authPort = await freePort();
    const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
      env: {
        DATA_DIR: world.dataDir,
        CHATTERBOX_AUTH_PORT: String(authPort),
        CHATTERBOX_SERVICE_SECRET: SECRET,
        CHATTERBOX_LOG_LEVEL: 'warn',
        CHATTERBOX_ACCOUNTS_URL: withPassword(url, 'wrong'),
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const said = text(child.stderr);
    const exited = once(child, 'exit');
    await answers(child, `http://127.0.0.1:${authPort}/healthz`);
    await serverComes();
    assert.deepEqual(await exited, [1, null]);
    const lines = await said;
    assert.match(lines, /CHATTERBOX_SIGNING_KEYS is not set: .* this node's alone/);
    assert.match(lines, /MySQL \(accounts\) is not there; waiting for it/);
    assert.match(lines, /^Chatterbox cannot start: MySQL \(accounts\) cannot be opened: Access denied/m);
    assert.ok(!lines.includes('wrong@') && !lines.includes(':wrong'), 'it shows the password');
  });
});

async function assertAway(world: World): Promise<void> {
  assert.equal((await world.call('GET', '/healthz')).status, 200);
  const ready = await world.call('GET', '/readyz');
  assert.equal(ready.status, 503);
  assert.deepEqual(await ready.json(), { status: 'not ready', missing: ['MySQL (accounts)'] });
  const body = { username: 'bob', password: PASSWORD };
  for (const path of ['/auth/login', '/auth/register']) {
    const began = performance.now();
    const answer = await world.call('POST', path, { body });
    assert.equal(answer.status, 503);
    assert.ok(Number(answer.headers.get('retry-after')) >= 1);
    assert.equal(((await answer.json()) as { reason: string }).reason, 'UNAVAILABLE');
    assert.ok(performance.now() - began < 3_000);
  }
}

async function isReady(world: World): Promise<void> {
  const began = performance.now();
  while ((await world.call('GET', '/readyz')).status !== 200)
    assert.ok(performance.now() - began < 5_000, 'not ready after five seconds');
}

async function answers(child: ChildProcess, url: string): Promise<void> {
  while (child.exitCode === null) if ((await fetch(url).catch(() => undefined))?.ok) return;
  throw new Error(`it ended with ${child.exitCode}`);
}

/** One that was free a moment ago. */
async function freePort(): Promise<number> {
  await using server = await startHttpServer(() => {}, '127.0.0.1', 0);
  return Number(new URL(server.url).port);
}

function at(port: number, url: string): string {
  return Object.assign(new URL(url), { port: String(port) }).href;
}

function withPassword(url: string, password: string): string {
  return Object.assign(new URL(url), { password }).href;
}
