import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, before, describe, it } from 'mocha';
import { mariadb } from '../../scripts/engines/mariadb.ts';
import { nats } from '../../scripts/engines/nats.ts';
import { startCluster } from '../outside/cluster.ts';
import { eventually } from '../outside/eventually.ts';
import { register } from '../outside/http.ts';
import { spawnServer } from '../outside/system.ts';
import { AcknowledgingSoak, type SoakCounts } from './world/acknowledging-soak.ts';
import { EngineProxy } from './world/engine-proxy.ts';
import { needs } from './world/engines.ts';
import { Flood } from './world/flood.ts';

/** Rounds follow one another for so long, seconds; 0 is one round. The promise is about ten minutes (600). */
const SECONDS = Number(process.env.SOAK_SECONDS || 0);
/** What a phase delivers. So few suffice: with the fault that this is about, 15 streams ended in one process, and nearly all on two messengers. */
const DELIVERIES = { cluster: 3_000, oneProcess: 6_000 };
const NO_LIMITS = { CHATTERBOX_SEND_RATE: '100000', CHATTERBOX_SEND_BURST: '100000' };

describe('devices that only acknowledge what they get', function () {
  this.timeout(SECONDS * 1_000 + 300_000);
  let parts: AsyncDisposableStack;

  before(() => {
    parts = new AsyncDisposableStack();
  });
  afterEach(async () => {
    await parts.disposeAsync();
    parts = new AsyncDisposableStack();
  });

  it('keep their streams on two messengers, with NATS, without it and with it again', async function () {
    needs(this, mariadb, nats);
    const [database, bus] = await Promise.all([mariadb.start(), nats.start()]);
    parts.use(database);
    parts.use(bus);
    const proxy = parts.use(await EngineProxy.start(bus.url));
    const system = parts.use(await startCluster({ mysql: database.url, nats: proxy.url }));
    const nodes = [system.urlOf('messenger'), system.urlOf('messenger2')];
    const soak = parts.use(await AcknowledgingSoak.start(system.url, nodes));
    const { connections } = proxy;
    assert.ok(connections >= nodes.length);

    await forRounds(async () => {
      await soak.deliver(DELIVERIES.cluster);
      proxy.refuse();
      await eventually(async () => assert.equal(proxy.connections, 0));
      await soak.deliver(DELIVERIES.cluster);
      proxy.admit();
      await eventually(async () => assert.equal(proxy.connections, connections));
      await soak.deliver(DELIVERIES.cluster);
    });
    assertNoEnds(await soak.finish());
  });

  it('keep their streams in one process under load', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-'));
    parts.defer(() => rmSync(dataDir, { recursive: true }));
    const server = parts.use(await spawnServer({ DATA_DIR: dataDir, ...NO_LIMITS }));
    const [ada, bob] = await Promise.all([register(server.url, 'ada'), register(server.url, 'bob')]);
    const soak = parts.use(await AcknowledgingSoak.start(server.url, [server.url]));
    const floods = [new Flood(server.url, ada, 'bob'), new Flood(server.url, bob, 'ada')];
    for (const flood of floods) parts.use(flood);

    await forRounds(() => soak.deliver(DELIVERIES.oneProcess));
    for (const flood of floods) {
      assert.ok(flood.isRunning);
      flood[Symbol.dispose]();
    }
    assertNoEnds(await soak.finish());
  });
});

/** One round at least. */
async function forRounds(round: () => Promise<void>): Promise<void> {
  const end = performance.now() + SECONDS * 1_000;
  do await round();
  while (performance.now() < end);
}

function assertNoEnds(counts: SoakCounts): void {
  for (const [name, count] of Object.entries(counts))
    process.stdout.write(`      ${name}: ${JSON.stringify(count)}\n`);
  const { ends, repeats, holes, missed, refused } = counts;
  const none = { ends: {}, repeats: 0, holes: 0, missed: 0, refused: 0 };
  assert.deepEqual({ ends, repeats, holes, missed, refused }, none);
}
