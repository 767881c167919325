import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import type { RunningEngine } from '../../scripts/engines/engine.ts';
import { mariadb } from '../../scripts/engines/mariadb.ts';
import { nats } from '../../scripts/engines/nats.ts';
import { neo4j } from '../../scripts/engines/neo4j.ts';
import type { Processes } from '../../scripts/processes.ts';
import { prepareCluster } from '../outside/cluster.ts';
import { chatStub, failure, unary } from '../outside/grpc.ts';
import { call, register } from '../outside/http.ts';
import { isGone, needs } from './world/engines.ts';

const WAITS_MS = 8_000;

describe('services that are started before their engines', function () {
  this.timeout(120_000);
  let engines: RunningEngine[];
  let system: Processes;
  const parts = new AsyncDisposableStack();

  before(async function () {
    needs(this, mariadb, nats, neo4j);
    engines = await Promise.all([mariadb.start(), nats.start(), neo4j.start()]);
    for (const engine of engines) parts.use(engine);
    for (const { pid, kill } of engines) {
      await kill();
      assert.ok(isGone(pid));
    }
    const [mysql, bus, graph] = engines.map(({ url }) => url);
    system = parts.use(await prepareCluster({ mysql: mysql ?? '', nats: bus, neo4j: graph }));
  });
  after(() => parts.disposeAsync());

  const pids = () => system.names.map((name) => system.pidOf(name));
  const anybody = { token: 'nobody' };

  it('wait, say what is missing, and do not crash', async () => {
    system.start(...system.names);
    const began = pids();
    await Promise.all([
      system.untilMissingAt('authenticator', 'MySQL (accounts)'),
      system.untilMissingAt('messenger', 'MySQL (messages)', 'authenticator'),
      system.untilMissingAt('messenger2', 'MySQL (messages)', 'authenticator'),
      system.untilMissingAt('userinfo', 'Neo4j', 'authenticator', 'messenger'),
      system.untilMissing('authenticator', 'messenger'),
    ]);
    const refused = await call(system.url, 'POST', '/auth/register', {
      json: { username: 'early', password: 'correct horse early' },
    });
    assert.deepEqual([refused.status, refused.body.reason], [503, 'UNAVAILABLE']);
    const stub = chatStub(system.url);
    const error = await failure(unary(stub, 'SendMessage', { friend: 'bob', message: 'early' }, anybody));
    stub.close();
    assert.ok([14, 16].includes(error.code), `${error}`);
    await delay(WAITS_MS);
    assert.deepEqual(pids(), began);
    for (const pid of began) assert.ok(!isGone(pid));
  });

  it('become ready by themselves when the engines come, with no new process, and people chat', async () => {
    const began = pids();
    await Promise.all(engines.map((engine) => engine.restart()));
    await system.untilMissing();
    for (const name of system.names) await system.untilMissingAt(name);
    assert.deepEqual(pids(), began);
    for (const pid of began) assert.ok(!isGone(pid));
    const [ada] = await Promise.all([register(system.url, 'ada'), register(system.url, 'bob')]);
    const stub = chatStub(system.url);
    const { seq } = await unary(stub, 'SendMessage', { friend: 'bob', message: 'hello' }, ada);
    stub.close();
    assert.equal(seq, '1');
  });

  it('stop with 0, each of them', async () => {
    assert.deepEqual(
      await system.stopAll(),
      system.names.map(() => 0),
    );
  });
});
