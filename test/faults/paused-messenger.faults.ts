import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import type { RowDataPacket } from 'mysql2/promise';
import type { RunningEngine } from '../../scripts/engines/engine.ts';
import { mariadb } from '../../scripts/engines/mariadb.ts';
import { nats } from '../../scripts/engines/nats.ts';
import type { Processes } from '../../scripts/processes.ts';
import { startCluster } from '../outside/cluster.ts';
import { register } from '../outside/http.ts';
import { adminOf, isPaused, needs } from './world/engines.ts';
import { Senders } from './world/senders.ts';

const CONNECTIONS = 16;
/** Long texts, so that a transaction takes its messenger long enough to be met in the middle. */
const TEXT_LENGTH = 8_000;
const TRIES = 100;
const TRIES_OF_EACH = 20;
/** Longer than any transaction of a messenger that runs. */
const HELD_MS = 300;
/** Left after two seconds; its locks are taken from it after four; then the rest of what waited. */
const LONGEST_SEND_MS = 8_000;

describe('a messenger that stands still in the middle of a transaction', function () {
  this.timeout(90_000);
  let engine: RunningEngine;
  let system: Processes;
  const parts = new AsyncDisposableStack();

  before(async function () {
    needs(this, mariadb, nats);
    engine = parts.use(await mariadb.start());
    const bus = parts.use(await nats.start());
    system = parts.use(await startCluster({ mysql: engine.url, nats: bus.url }));
  });
  after(() => parts.disposeAsync());

  it('holds up the others in its conversation for seconds, and fails no call', async () => {
    const [ada, bob] = await Promise.all([register(system.url, 'ada'), register(system.url, 'bob')]);
    const urls = Array(CONNECTIONS).fill(system.url);
    await using groups = new AsyncDisposableStack();
    const all: Senders[] = [];
    const start = async () => {
      const group = groups.use(new Senders(urls, ada, bob.username, { textLength: TEXT_LENGTH }));
      all.push(group);
      await group.nextAck(5_000);
      return group;
    };
    let senders = await start();
    await pauseHoldingLocks(async () => {
      await senders[Symbol.asyncDispose]();
      senders = await start();
    });
    try {
      assert.ok(isPaused(system.pidOf('messenger2')));
      await senders.nextAck(LONGEST_SEND_MS);
    } finally {
      system.signal('messenger2', 'SIGCONT');
    }
    await senders.nextAck(LONGEST_SEND_MS);
    await senders[Symbol.asyncDispose]();
    const sends = all.flatMap((group) => group.sends);
    const slowest = Math.max(...sends.map(({ beganAt, endedAt }) => endedAt - beganAt));
    process.stdout.write(
      `      ${all.flatMap(({ acked }) => acked).length} acked, the slowest after ${Math.round(slowest)} ms\n`,
    );
    assert.deepEqual(
      all.flatMap(({ refused }) => refused.map(({ refusal }) => String(refusal))),
      [],
    );
    assert.ok(slowest < LONGEST_SEND_MS, `${slowest} ms`);
  });

  /**
   * Pauses it, again and again, until that was in the middle of a transaction. Now and then with other
   * connections: the gateway may have moved all of them to the other messenger, which looked better by then.
   */
  async function pauseHoldingLocks(connectAnew: () => Promise<void>): Promise<void> {
    const admin = await adminOf(engine);
    try {
      for (let i = 0; i < TRIES; i++) {
        if (i > 0 && i % TRIES_OF_EACH === 0) await connectAnew();
        system.signal('messenger2', 'SIGSTOP');
        await delay(HELD_MS);
        const [[row]] = await admin.query<RowDataPacket[]>(
          'SELECT COUNT(*) AS held FROM information_schema.innodb_trx WHERE trx_state = "LOCK WAIT"',
        );
        if (row?.held > 0) return;
        system.signal('messenger2', 'SIGCONT');
        await delay(Math.random() * HELD_MS);
      }
    } finally {
      await admin.end();
    }
    throw new Error('it was never paused in the middle of a transaction');
  }
});
