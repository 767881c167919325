import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, before, describe, it } from 'mocha';
import { mariadb } from '../../scripts/engines/mariadb.ts';
import { nats } from '../../scripts/engines/nats.ts';
import { startCluster } from '../outside/cluster.ts';
import { register } from '../outside/http.ts';
import { spawnServer } from '../outside/system.ts';
import { AcknowledgingSoak, type SoakCounts } from './world/acknowledging-soak.ts';
import { EngineProxy } from './world/engine-proxy.ts';
import { needs } from './world/engines.ts';
import { Flood } from './world/flood.ts';

/** Rounds follow one another for this long, seconds; 0 is one round. The promise is about ten minutes (600). */
const SECONDS = Number(process.env.SOAK_SECONDS || 0);
/** Entries that a phase delivers: enough for a dozen ends where an entry that was read ahead of its push may not be acknowledged. */
const DELIVERIES = { cluster: 2_000, oneProcess: 5_000 };
/** The authenticator and two messengers. */
const BUS_CLIENTS = 3;
const CONNECTED_MS = 30_000;
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
    await untilConnected(proxy, BUS_CLIENTS);

    await forRounds(async () => {
      await soak.deliver(DELIVERIES.cluster);
      proxy.refuse();
      await untilConnected(proxy, 0);
      await soak.deliver(DELIVERIES.cluster);
      proxy.admit();
      await untilConnected(proxy, BUS_CLIENTS);
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

async function untilConnected(proxy: EngineProxy, count: number): Promise<void> {
  for (const end = performance.now() + CONNECTED_MS; proxy.connections !== count; await delay(20))
    if (performance.now() > end) throw new Error(`${proxy.connections} connections to NATS, not ${count}`);
}

function assertNoEnds(counts: SoakCounts): void {
  for (const [name, count] of Object.entries(counts))
    process.stdout.write(`      ${name}: ${JSON.stringify(count)}\n`);
  const { ends, repeats, holes, missed, refused } = counts;
  const none = { ends: {}, repeats: 0, holes: 0, missed: 0, refused: 0 };
  assert.deepEqual({ ends, repeats, holes, missed, refused }, none);
}
