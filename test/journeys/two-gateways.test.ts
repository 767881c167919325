import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { newDatabase, type TestDatabase } from '../../common/mysql/fixtures/database.ts';
import type { Processes } from '../../scripts/processes.ts';
import { startCluster } from '../outside/cluster.ts';
import { MYSQL, NATS, withoutEngine } from '../outside/engines.ts';
import { eventually } from '../outside/eventually.ts';
import { chatStub, Session, sessionStub, unary } from '../outside/grpc.ts';
import { call, login, register } from '../outside/http.ts';

if (MYSQL === undefined || NATS === undefined)
  describe('two gateways', () => it(withoutEngine('MySQL and NATS')));
else withEngines(MYSQL, NATS);

function withEngines(server: string, nats: string): void {
  describe('two gateways side by side', function () {
    this.timeout(60_000);
    let database: TestDatabase;
    let cluster: Processes;
    let one: string;
    let other: string;
    before(async () => {
      database = await newDatabase(server);
      cluster = await startCluster({ mysql: database.url, nats, gateways: 2, authenticators: 1 });
      [one, other] = [cluster.urlOf('gateway'), cluster.urlOf('gateway2')];
    });
    after(async () => {
      await cluster[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    });

    it('carry messages between people who are at different ones', async () => {
      const [ada, bob] = await Promise.all([register(one, 'ada'), register(other, 'bob')]);
      const his = new Session(sessionStub(other), bob, { open: { device: 'phone' } });
      await his.caughtUp();
      await unary(chatStub(one), 'SendMessage', { friend: 'bob', message: 'hello' }, ada);
      assert.deepEqual(
        (await his.entries(1)).map(({ message }) => message.text),
        ['hello'],
      );
      await his.end();
    });

    it('refuse, both of them, what is revoked at one, and end its streams', async () => {
      await register(one, 'cleo');
      const cleo = await login(other, 'cleo');
      const stream = new Session(sessionStub(other), cleo, { open: { device: 'phone' } });
      await stream.caughtUp();
      assert.equal((await call(other, 'GET', '/chat/friends', { token: cleo.token })).status, 200);
      assert.equal((await call(one, 'POST', '/auth/logout', { token: cleo.token })).status < 300, true);
      assert.match((await stream.ended).details, /session/i);
      // Each service follows the revocations by itself: userinfo may know of it a moment after the messenger.
      for (const url of [one, other])
        await eventually(async () =>
          assert.equal((await call(url, 'GET', '/chat/friends', { token: cleo.token })).status, 401),
        );
    });
  });
}
