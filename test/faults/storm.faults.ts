import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import { mariadb } from '../../scripts/engines/mariadb.ts';
import { nats } from '../../scripts/engines/nats.ts';
import type { Processes } from '../../scripts/processes.ts';
import { startCluster } from '../outside/cluster.ts';
import { registerAll } from '../outside/http.ts';
import { isGone, needs } from './world/engines.ts';
import { type Counts, Pair } from './world/pair.ts';

/** How long it lasts, seconds; the promise is about ten minutes (600). */
const SECONDS = Number(process.env.STORM_SECONDS || 41);
const PAIRS = 20;
const KILL_EVERY_MS = 20_000;
const DOWN_MS = 1_000;

describe(`a storm of ${SECONDS} seconds on two messengers, one of which is killed every ${KILL_EVERY_MS / 1_000} seconds`, function () {
  this.timeout(SECONDS * 1_000 + 300_000);
  let system: Processes;
  let pairs: Pair[] = [];
  const parts = new AsyncDisposableStack();

  before(async function () {
    needs(this, mariadb, nats);
    const [database, bus] = await Promise.all([mariadb.start(), nats.start()]);
    parts.use(database);
    parts.use(bus);
    system = parts.use(await startCluster({ mysql: database.url, nats: bus.url }));
  });
  after(async () => {
    for (const pair of pairs) await pair.close();
    await parts.disposeAsync();
  });

  it('loses nothing, reorders nothing, leaves no gap, and says nothing twice', async () => {
    const names = Array.from({ length: 2 * PAIRS }, (_, i) => `person${i}`);
    const people = await registerAll(system.url, names);
    const couples = Array.from({ length: PAIRS }, (_, i) => people.slice(2 * i, 2 * i + 2));
    pairs = await Promise.all(
      couples.flatMap(([one, other]) => (one && other ? [Pair.start(system.url, [one, other])] : [])),
    );
    const began = performance.now();
    const kills = await storm();
    const seconds = (performance.now() - began) / 1_000;
    const acked = pairs.reduce((sum, pair) => sum + pair.acked, 0);
    const total = sumOf(await Promise.all(pairs.map((pair) => pair.finish())));

    const lines = { ...total, kills, 'acked per second': Math.round(acked / seconds) };
    for (const [name, count] of Object.entries(lines)) process.stdout.write(`      ${name}: ${count}\n`);
    assert.ok(acked > PAIRS * SECONDS, 'they were writing all the time');
    const { lost, missed, reordered, gaps, twoContents, twoSeqs } = total;
    const none = { lost: 0, missed: 0, reordered: 0, gaps: 0, twoContents: 0, twoSeqs: 0 };
    assert.deepEqual({ lost, missed, reordered, gaps, twoContents, twoSeqs }, none);
  });

  /** How often it has killed. */
  async function storm(): Promise<number> {
    const end = performance.now() + SECONDS * 1_000;
    let kills = 0;
    for (let next = performance.now() + KILL_EVERY_MS / 2; next < end; next += KILL_EVERY_MS) {
      await delay(next - performance.now());
      const name = kills++ % 2 === 0 ? 'messenger' : 'messenger2';
      const pid = system.pidOf(name);
      await system.stop(name, 'SIGKILL');
      assert.ok(isGone(pid));
      await delay(DOWN_MS);
      system.start(name);
    }
    await delay(Math.max(0, end - performance.now()));
    return kills;
  }
});

function sumOf(all: Counts[]): Counts {
  return all.reduce((total, counts) => {
    const keys = Object.keys(total) as (keyof Counts)[];
    return Object.fromEntries(keys.map((key) => [key, total[key] + counts[key]])) as unknown as Counts;
  });
}
