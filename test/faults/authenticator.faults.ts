import assert from 'node:assert/strict';
import { status } from '@grpc/grpc-js';
import { after, before, describe, it } from 'mocha';
import { mariadb } from '../../scripts/engines/mariadb.ts';
import { nats } from '../../scripts/engines/nats.ts';
import type { Processes } from '../../scripts/processes.ts';
import { startCluster } from '../outside/cluster.ts';
import { chatStub, failure, unary } from '../outside/grpc.ts';
import { type Account, call, login, passwordOf, register } from '../outside/http.ts';
import { isGone, isPaused, needs } from './world/engines.ts';
import { Follower } from './world/follower.ts';

const LONGEST_ANSWER_MS = 12_000;

describe('the authenticator', function () {
  this.timeout(60_000);
  let system: Processes;
  let ada: Account;
  let bob: Account;
  const parts = new AsyncDisposableStack();

  before(async function () {
    needs(this, mariadb, nats);
    const database = parts.use(await mariadb.start());
    const bus = parts.use(await nats.start());
    system = parts.use(await startCluster({ mysql: database.url, nats: bus.url }));
    [ada, bob] = await Promise.all([register(system.url, 'ada'), register(system.url, 'bob')]);
  });
  after(() => parts.disposeAsync());

  const send = async (url: string, { token }: Account, message: string) => {
    const stub = chatStub(url);
    try {
      return await unary(stub, 'SendMessage', { friend: 'bob', message }, { token });
    } finally {
      stub.close();
    }
  };
  const tryLogin = () =>
    call(system.url, 'POST', '/auth/login', { json: { username: 'ada', password: passwordOf('ada') } });

  for (const [how, leave, comeBack] of [
    [
      'killed',
      async () => {
        const pid = system.pidOf('authenticator');
        await system.stop('authenticator', 'SIGKILL');
        assert.ok(isGone(pid));
      },
      async () => system.start('authenticator'),
    ],
    [
      'paused',
      async () => {
        system.signal('authenticator', 'SIGSTOP');
        assert.ok(isPaused(system.pidOf('authenticator')));
      },
      async () => system.signal('authenticator', 'SIGCONT'),
    ],
  ] as const)
    it(`${how}: whoever is logged in chats on at every node, live and by new connections; logging in answers 503, and works again afterwards`, async () => {
      await using follower = await Follower.open(system.url, bob, `phone-${how}`);
      await send(system.url, ada, 'before');
      await leave();
      let seq = 0;
      for (const url of [system.url, system.urlOf('messenger'), system.urlOf('messenger2')])
        seq = Number((await send(url, ada, 'meanwhile')).seq);
      await follower.reaches(seq);

      const began = performance.now();
      const refused = await tryLogin();
      assert.deepEqual([refused.status, refused.body.reason], [503, 'UNAVAILABLE']);
      assert.match(refused.headers.get('content-type') ?? '', /^application\/problem\+json/);
      assert.ok(Number(refused.headers.get('retry-after')) > 0);
      assert.ok(performance.now() - began < LONGEST_ANSWER_MS);
      // A token that nobody has verified before is judged by the cached keys.
      const forged = await failure(send(system.url, { ...ada, token: `${ada.token.slice(0, -4)}AAAA` }, 'x'));
      assert.equal(forged.code, status.UNAUTHENTICATED);
      await system.untilMissing('authenticator');

      await comeBack();
      await system.untilMissing();
      await system.untilMissingAt('authenticator');
      await login(system.url, 'ada');
    });
});
