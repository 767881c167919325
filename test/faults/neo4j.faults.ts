import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { after, afterEach, before, beforeEach, describe, it } from 'mocha';
import { auth, driver as driverOf } from 'neo4j-driver';
import { readConfig as readAuthenticatorConfig } from '../../authenticator/config.ts';
import { startAuthenticator } from '../../authenticator/service.ts';
import { CannotOpenError } from '../../common/eventually.ts';
import { readConfig as readMessengerConfig } from '../../messenger/config.ts';
import { startMessenger } from '../../messenger/service.ts';
import type { RunningEngine } from '../../scripts/engines/engine.ts';
import { neo4j } from '../../scripts/engines/neo4j.ts';
import { readConfig as readUserinfoConfig } from '../../userinfo/config.ts';
import { startUserinfo } from '../../userinfo/service.ts';
import { chatStub, unary } from '../outside/grpc.ts';
import { type Account, type Answer, call, register } from '../outside/http.ts';
import { needs } from './world/engines.ts';

/** What a caller waits for an answer at most, however the server is away. */
const LONGEST_ANSWER_MS = 4_500;
/** Most of it is the first queries of a server that has just started. */
const HEALS_WITHIN_MS = 20_000;

describe('Neo4j', function () {
  this.timeout(120_000);
  let engine: RunningEngine;
  let parts: AsyncDisposableStack;
  let services: Services;
  let ada: Account;
  let bob: Account;

  before(async function () {
    needs(this, neo4j);
    engine = await neo4j.start();
  });
  beforeEach(async () => {
    parts = new AsyncDisposableStack();
    await empty(engine.url);
  });
  afterEach(() => parts.disposeAsync());
  after(() => engine?.[Symbol.asyncDispose]());

  async function start(): Promise<void> {
    services = parts.use(await startServices(engine.url));
    ada = await register(services.authUrl, 'ada');
    bob = await register(services.authUrl, 'bob');
  }

  const contacts = () => call(services.chatUrl, 'GET', '/chat?userid=ada', { token: ada.token });
  const chat = async (text: string) => {
    const stub = chatStub(services.messenger);
    await unary(stub, 'SendMessage', { friend: 'bob', message: text }, { token: ada.token });
    stub.close();
  };
  const missing = async (): Promise<string[]> =>
    (await call(services.chatUrl, 'GET', '/readyz')).body.missing;

  for (const [how, leave, comeBack] of [
    ['killed and started again', () => engine.kill(), () => engine.restart()],
    [
      'paused and resumed',
      async () => void process.kill(engine.pid, 'SIGSTOP'),
      async () => void process.kill(engine.pid, 'SIGCONT'),
    ],
  ] as const) {
    it(`${how}: people go on chatting, /chat answers 503 and /readyz says why, and last_chatted catches up`, async () => {
      await start();
      await until('ready', missing, (names) => names.length === 0);
      await chat('before');
      const before = await until('a contact', contacts, ({ body }) => body.contact_list_?.length === 1);

      await leave();
      await assertRefused(contacts);
      await assertRefused(() =>
        call(services.chatUrl, 'POST', '/chat/friends/requests', {
          token: ada.token,
          json: { username: 'bob' },
        }),
      );
      assert.deepEqual(await missing(), ['Neo4j']);
      await chat('meanwhile');

      await comeBack();
      const began = performance.now();
      const [{ lastChat }] = before.body.contact_list_;
      const isLater = ({ status, body }: Answer) =>
        status === 200 && body.contact_list_[0].lastChat > lastChat;
      await until('the later chat', contacts, isLater);
      await until('ready', missing, (names) => names.length === 0);
      const healedMs = performance.now() - began;
      process.stdout.write(`      ${how}: healed in ${Math.round(healedMs)} ms\n`);
      assert.ok(healedMs < HEALS_WITHIN_MS, `healed in ${healedMs} ms`);
      const asked = await call(services.chatUrl, 'GET', '/chat/friends/requests', { token: bob.token });
      assert.equal(asked.status, 200);
    });
  }

  it('comes later than userinfo: it listens, says what is missing, and serves when it is there', async () => {
    await engine.kill();
    await start();
    await assertRefused(contacts);
    assert.ok((await missing()).includes('Neo4j'));
    await chat('early');
    await engine.restart();
    await until('the early chat', contacts, ({ body }) => body.contact_list_?.length === 1);
    await until('ready', missing, (names) => names.length === 0);
  });

  it('refuses a wrong password: the start fails and says so', async () => {
    const wrong = engine.url.replace(/:[^:@/]+@/, ':wrong@');
    await assert.rejects(
      startServices(wrong),
      (error) =>
        error instanceof CannotOpenError && /Neo4j cannot be opened: .*unauthorized/i.test(error.message),
    );
  });
});

interface Services extends AsyncDisposable {
  authUrl: string;
  chatUrl: string;
  messenger: string;
}

/** Without anybody, and without the places in the feeds of those who are to come. */
async function empty(url: string): Promise<void> {
  const { protocol, host, username, password } = new URL(url);
  await using driver = driverOf(`${protocol}//${host}`, auth.basic(username, password));
  await driver.executeQuery('MATCH (everything) DETACH DELETE everything');
}

/** The services without the gateway, on files but for the graph. */
async function startServices(graphUrl: string): Promise<Services> {
  await using parts = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'chatterbox-'));
  parts.defer(() => rmSync(folder, { recursive: true }));
  const env = { DATA_DIR: folder, CHATTERBOX_GRAPH_URL: graphUrl, CHATTERBOX_LOG_LEVEL: 'silent' };
  const authenticator = parts.use(await startAuthenticator({ ...readAuthenticatorConfig(env), port: 0 }));
  const authUrl = authenticator.url;
  const { address } = parts.use(await startMessenger({ ...readMessengerConfig(env), port: 0, authUrl }));
  const userinfoConfig = { ...readUserinfoConfig(env), port: 0, authUrl, messengers: [address] };
  const userinfo = parts.use(await startUserinfo(userinfoConfig));
  const running = parts.move();
  return {
    authUrl,
    chatUrl: userinfo.url,
    messenger: `http://${address}`,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function assertRefused(ask: () => Promise<Answer>): Promise<void> {
  const began = performance.now();
  const { status, headers, body } = await ask();
  assert.equal(status, 503);
  assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/);
  assert.ok(Number(headers.get('retry-after')) >= 1);
  assert.equal(body.reason, 'UNAVAILABLE');
  assert.ok(performance.now() - began < LONGEST_ANSWER_MS, `answered in ${performance.now() - began} ms`);
}

/** Asks until `isSo`. @throws Error with the last answer after a while. */
async function until<T>(what: string, ask: () => Promise<T>, isSo: (answer: T) => boolean): Promise<T> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const answer = await ask();
    if (isSo(answer)) return answer;
    if (performance.now() > deadline) throw new Error(`no ${what}: ${JSON.stringify(answer)}`);
    await delay(50);
  }
}
