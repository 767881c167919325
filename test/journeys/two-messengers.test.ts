import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { after, afterEach, before, describe, it } from 'mocha';
import { readConfig as readAuthenticatorConfig } from '../../authenticator/config.ts';
import { startAuthenticator } from '../../authenticator/service.ts';
import { LocalBus } from '../../common/bus/local.ts';
import { newDatabase, type TestDatabase } from '../../common/mysql/fixtures/database.ts';
import { readConfig as readMessengerConfig } from '../../messenger/config.ts';
import { startMessenger } from '../../messenger/service.ts';
import { MYSQL, NATS, withoutEngine } from '../outside/engines.ts';
import { chatStub, Session, sessionStub, unary } from '../outside/grpc.ts';
import { type Account, register } from '../outside/http.ts';

const QUIET = {
  CHATTERBOX_LOG_LEVEL: 'fatal',
  CHATTERBOX_SEND_RATE: '100000',
  CHATTERBOX_SEND_BURST: '100000',
};

if (MYSQL === undefined) describe('two messengers', () => it(withoutEngine('MySQL')));
else {
  const bus = new LocalBus();
  twoMessengers('a bus within the process', MYSQL, () => ({ bus: bus.connect() }));
  twoMessengers('no bus at all', MYSQL, () => ({}));
}
if (MYSQL !== undefined && NATS !== undefined)
  twoMessengers('NATS', MYSQL, () => ({}), { CHATTERBOX_BUS_URL: NATS });
else describe('two messengers and NATS', () => it(withoutEngine('MySQL and NATS')));

function twoMessengers(
  bus: string,
  server: string,
  overrides: () => Parameters<typeof startMessenger>[1],
  env: Record<string, string> = {},
): void {
  describe(`two messengers on one database, with ${bus}`, function () {
    this.timeout(30_000);
    const dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-'));
    const running = new AsyncDisposableStack();
    const open: Session[] = [];
    let database: TestDatabase;
    let one: string;
    let other: string;
    let ada: Account;
    let bob: Account;
    before(async () => {
      database = running.use(await newDatabase(server));
      const all = { ...QUIET, DATA_DIR: dataDir, CHATTERBOX_MESSAGES_URL: database.url, ...env };
      const authenticator = running.use(
        await startAuthenticator({ ...readAuthenticatorConfig(all), host: '127.0.0.1', port: 0 }),
      );
      const start = async () => {
        const config = readMessengerConfig({ ...all, CHATTERBOX_AUTH_URL: authenticator.url });
        const messenger = running.use(await startMessenger({ ...config, port: 0 }, overrides()));
        // Where both make the schema, one of them may have to try again.
        while (messenger.missing().length > 0) await delay(10);
        return messenger.address;
      };
      [one, other] = await Promise.all([start(), start()]);
      [ada, bob] = await Promise.all([
        register(authenticator.url, 'ada'),
        register(authenticator.url, 'bob'),
      ]);
    });
    afterEach(async () => {
      for (const session of open.splice(0)) await session.cut();
    });
    after(async () => {
      await running.disposeAsync();
      rmSync(dataDir, { recursive: true });
    });

    const openSession = async (node: string, { token }: Account, device: string) => {
      const session = new Session(sessionStub(node), { token }, { open: { device } });
      open.push(session);
      await session.caughtUp();
      return session;
    };
    const send = (node: string, { token }: Account, friend: string, message: string, clientId = '') =>
      unary(chatStub(node), 'SendMessage', { friend, message, client_id: clientId }, { token });

    it('a message reaches the devices of both people at the other node', async () => {
      const devices = await Promise.all([
        openSession(one, ada, 'laptop'),
        openSession(other, bob, 'phone'),
        openSession(other, ada, 'phone'),
      ]);
      const { conversation, seq } = await send(one, ada, 'bob', 'hello');
      for (const device of devices) {
        const [entry] = await device.entries(1);
        assert.deepEqual(
          [entry?.conversation, entry?.seq, entry?.message.text],
          [conversation, seq, 'hello'],
        );
      }
    });

    it('everybody sees all of it once and in order while both write to one conversation', async () => {
      const [hers, his] = await Promise.all([openSession(one, ada, 'a'), openSession(other, bob, 'b')]);
      const sent = await Promise.all(
        Array.from({ length: 150 }, (_, i) => [
          send(one, ada, 'bob', `from ada ${i}`),
          send(other, bob, 'ada', `from bob ${i}`),
        ]).flat(),
      );
      const seqs = sent.map(({ seq }) => Number(seq)).sort((a, b) => a - b);
      const first = seqs[0] ?? 0;
      const expected = Array.from({ length: 300 }, (_, i) => first + i);
      assert.deepEqual(seqs, expected);
      for (const session of [hers, his])
        assert.deepEqual(
          (await session.entries(300)).map(({ seq }) => Number(seq)),
          expected,
        );
    });

    it('a client id that both nodes get at the same moment is one message', async () => {
      for (let i = 0; i < 20; i++) {
        const answers = await Promise.all(
          [one, other].map((node) => send(node, ada, 'bob', 'same', `same-${i}`)),
        );
        assert.equal(answers[0]?.seq, answers[1]?.seq);
      }
    });

    it('read and delivered marks reach the other node', async () => {
      const hers = await openSession(one, ada, 'm');
      const { conversation, seq } = await send(one, ada, 'bob', 'have you read this?');
      const his = await openSession(other, bob, 'm');
      his.write({ reads: [{ conversation, seq }] });
      await hers.until(({ marks }) => marks.some((m) => m.member === 'bob' && m.read_seq === seq));
      his.write({ acks: [{ conversation, seq }] });
      await hers.until(({ marks }) => marks.some((m) => m.member === 'bob' && m.delivered_seq === seq));
    });

    if (bus !== 'no bus at all')
      it('the newest stream of a device ends its older one at the other node', async () => {
        const older = await openSession(one, ada, 'same');
        const stranger = await openSession(one, bob, 'same');
        const newer = await openSession(other, ada, 'same');
        assert.equal((await older.ended).code, status.ABORTED);
        await send(other, bob, 'ada', 'to the newer one');
        await newer.entries(1);
        await stranger.entries(1);
      });
  });
}
