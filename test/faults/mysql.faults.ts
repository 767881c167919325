import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { after, before, describe, it } from 'mocha';
import mysql from 'mysql2/promise';
import type { RunningEngine } from '../../scripts/engines/engine.ts';
import { mariadb } from '../../scripts/engines/mariadb.ts';
import type { Processes } from '../../scripts/processes.ts';
import { startCluster } from '../outside/cluster.ts';
import { chatStub, detailsOf, unary } from '../outside/grpc.ts';
import { type Account, register } from '../outside/http.ts';
import { EngineProxy } from './world/engine-proxy.ts';
import { adminOf, isGone, isPaused, needs, ordinaryUser } from './world/engines.ts';
import { Follower } from './world/follower.ts';
import { assertWhole, type Logged, readLog } from './world/log.ts';
import { Pulse } from './world/pulse.ts';
import { type Send, Senders, send } from './world/senders.ts';

/** What a sender waits for a refusal at most. */
const LONGEST_REFUSAL_MS = 6_500;
const HEALS_WITHIN_MS = 5_000;
const RESPONSIVE_MS = 1_000;
const CONNECTIONS = 8;
/** MB. Less than what the flood brings to each messenger: one that kept it would end. */
const SMALL_HEAP = { NODE_OPTIONS: '--max-old-space-size=128' };

interface Fault {
  name: string;
  /** How long it stays, ms. */
  lasts: number;
  /** Makes it happen, and checks that it has. */
  begin(): Promise<void>;
  end(): Promise<void>;
  /** Whether sends are refused meanwhile; one that is over so soon that they may only have waited: maybe. */
  refuses: 'all' | 'maybe' | 'none';
}

describe('MySQL', function () {
  this.timeout(120_000);
  let engine: RunningEngine;
  let proxy: EngineProxy;
  let system: Processes;
  let people = 0;
  const parts = new AsyncDisposableStack();

  before(async function () {
    needs(this, mariadb);
    engine = parts.use(await mariadb.start());
    proxy = parts.use(await EngineProxy.start(await ordinaryUser(engine)));
    system = parts.use(await startCluster({ mysql: proxy.url, env: SMALL_HEAP }));
  });
  after(() => parts.disposeAsync());

  const faults: Fault[] = [
    {
      name: 'killed, and started again after three seconds',
      lasts: 3_000,
      async begin() {
        const { pid } = engine;
        await engine.kill();
        assert.ok(isGone(pid));
      },
      end: () => engine.restart(),
      refuses: 'all',
    },
    {
      name: 'restarted at once',
      lasts: 0,
      async begin() {
        const { pid } = engine;
        await engine.kill('SIGTERM');
        assert.ok(isGone(pid));
      },
      end: () => engine.restart(),
      refuses: 'maybe',
    },
    {
      name: 'paused for eight seconds',
      lasts: 8_000,
      async begin() {
        process.kill(engine.pid, 'SIGSTOP');
        assert.ok(isPaused(engine.pid));
      },
      async end() {
        assert.ok(isPaused(engine.pid));
        process.kill(engine.pid, 'SIGCONT');
      },
      refuses: 'all',
    },
    {
      name: 'read-only',
      lasts: 3_000,
      async begin() {
        await setReadOnly(true);
        const user = await mysql.createConnection(proxy.url);
        await assert.rejects(user.query('CREATE TABLE refused (x INT)'), { errno: 1290 });
        await user.end();
      },
      end: () => setReadOnly(false),
      refuses: 'all',
    },
    {
      name: 'refusing connections',
      lasts: 5_000,
      async begin() {
        proxy.refuse();
        await assert.rejects(mysql.createConnection(proxy.url));
      },
      async end() {
        assert.ok(proxy.refused > 1);
        proxy.admit();
      },
      refuses: 'all',
    },
    {
      name: 'slow: 300 ms away in each direction',
      lasts: 5_000,
      async begin() {
        proxy.delayMs = 300;
        const began = performance.now();
        const user = await mysql.createConnection(proxy.url);
        await user.end();
        assert.ok(performance.now() - began > 600);
      },
      async end() {
        proxy.delayMs = 0;
      },
      refuses: 'none',
    },
  ];

  async function setReadOnly(isOn: boolean): Promise<void> {
    const admin = await adminOf(engine);
    await admin.query(`SET GLOBAL read_only = ${isOn ? 1 : 0}`);
    await admin.end();
  }

  for (const fault of faults)
    it(`${fault.name}: ${
      fault.refuses === 'none' ? 'sends take longer' : 'sends are refused fast and typed'
    }, it heals by itself, nothing acknowledged is lost, and what was refused comes only by a retry, once`, async () => {
      const [ada, bob] = await Promise.all([newPerson(), newPerson()]);
      await using parts = new AsyncDisposableStack();
      const follower = parts.use(await Follower.open(system.url, bob, 'phone'));
      const pulses = NODES.map((name) => parts.use(pulseOf(name)));
      const senders = parts.use(new Senders(Array(CONNECTIONS).fill(system.url), ada, bob.username));
      await senders.nextAck(5_000);

      await fault.begin();
      const faultAt = performance.now();
      await delay(fault.lasts);
      const endsAt = performance.now();
      await fault.end();
      const healedMs = await senders.nextAck(2 * HEALS_WITHIN_MS);
      await senders[Symbol.asyncDispose]();

      const { acked, refused } = senders;
      const during = acked.filter(({ beganAt, endedAt }) => beganAt > faultAt && endedAt < endsAt);
      if (fault.refuses === 'all') assert.equal(during.length, 0, 'nothing is acknowledged meanwhile');
      if (fault.refuses !== 'maybe') assert.equal(refused.length > 0, fault.refuses === 'all');
      assertTyped(refused);
      assert.ok(healedMs < HEALS_WITHIN_MS, `healed in ${healedMs} ms`);

      const id = await conversationOf(ada, bob);
      const log = await readLog(system.url, bob, id);
      assertWhole(log);
      assertKept(acked, log);
      const found = storedOf(refused, log);
      const late = found.filter(({ beganAt }) => beganAt > faultAt);
      assert.equal(late.length, 0, 'what was sent after it had gone away and was refused is not there');
      for (const { slowestMs } of pulses) assert.ok(slowestMs < RESPONSIVE_MS, `answered in ${slowestMs} ms`);
      report(fault.name, { acked, refused, found: found.length, healedMs, pulses });

      await retry(refused, ada, bob.username);
      const whole = await readLog(system.url, bob, id);
      assertWhole(whole);
      const everything = new Set(whole.map(({ clientId }) => clientId));
      for (const { clientId } of senders.sends) assert.ok(everything.has(clientId));
      await follower.reaches(whole.length);
      assert.deepEqual(
        follower.shown.map(({ seq }) => seq),
        whole.map(({ seq }) => seq),
      );
    });

  it('paused under a flood from twenty sessions: memory stays within bounds, and all of it is committed once or refused', async () => {
    const bob = await newPerson();
    await using parts = new AsyncDisposableStack();
    const pulses = NODES.map((name) => parts.use(pulseOf(name)));
    const followers: Follower[] = [];
    for (let i = 0; i < FLOODS; i++)
      followers.push(parts.use(await Follower.open(system.url, await newPerson(), 'phone')));
    await delay(1_000);
    const before = pulses.map(({ largestMb }) => largestMb);
    const pids = NODES.map((name) => system.pidOf(name));
    process.kill(engine.pid, 'SIGSTOP');
    assert.ok(isPaused(engine.pid));
    const text = 'x'.repeat(FLOOD_TEXT);
    const sends = followers.flatMap(({ client }) =>
      Array.from({ length: FLOOD_SENDS }, () => client.send(bob.username, text)),
    );
    const settled = Promise.allSettled(sends);
    await delay(8_000);
    assert.ok(isPaused(engine.pid));
    process.kill(engine.pid, 'SIGCONT');
    const outcomes = await settled;
    const seqs = outcomes.flatMap((o) => (o.status === 'fulfilled' ? [Number(o.value.seq)] : []));
    const refusals = outcomes.flatMap((o) => (o.status === 'rejected' ? [o.reason] : []));
    for (const { code } of refusals) assert.equal(code, status.UNAVAILABLE);
    for (const pid of pids) assert.ok(!isGone(pid));
    const grown = pulses.map(({ largestMb }, i) => largestMb - (before[i] ?? 0));
    process.stdout.write(
      `      flood: ${seqs.length} acked, ${refusals.length} refused, memory grew by ${grown.map(Math.round)} MB to ${pulses.map((p) => Math.round(p.largestMb))}\n`,
    );
    for (const mb of grown) assert.ok(mb < LARGEST_GROWTH_MB, `grew by ${mb} MB`);
    for (const { slowestMs } of pulses) assert.ok(slowestMs < RESPONSIVE_MS, `answered in ${slowestMs} ms`);
  });

  async function newPerson(): Promise<Account> {
    return register(system.url, `person${++people}`);
  }

  function pulseOf(name: (typeof NODES)[number]): Pulse {
    return new Pulse(system.addressOf(name), system.metricsUrlOf(name));
  }

  async function conversationOf(ada: Account, bob: Account): Promise<string> {
    const stub = chatStub(system.url);
    const message = { friend: bob.username, message: 'the last one' };
    const { conversation } = await unary(stub, 'SendMessage', message, { token: ada.token });
    stub.close();
    return conversation;
  }

  async function retry(refused: Send[], account: Account, friend: string): Promise<void> {
    const stub = chatStub(system.url);
    const left = refused.values();
    const one = async () => {
      for (const { clientId } of left)
        assert.equal((await send(stub, account, friend, clientId)).refusal, undefined);
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, one));
    stub.close();
  }
});

const NODES = ['messenger', 'messenger2'] as const;
const FLOODS = 20;
const FLOOD_SENDS = 3_500;
const FLOOD_TEXT = 4_000;
const LARGEST_GROWTH_MB = 250;

function assertTyped(refused: Send[]): void {
  for (const { refusal, beganAt, endedAt } of refused) {
    assert.ok(refusal);
    assert.equal(refusal.code, status.UNAVAILABLE, `${refusal}`);
    assert.ok((detailsOf(refusal).retryDelayMs ?? 0) > 0, 'with a delay');
    assert.ok(endedAt - beganAt < LONGEST_REFUSAL_MS, `refused after ${endedAt - beganAt} ms`);
  }
}

function assertKept(acked: Send[], log: Logged[]): void {
  const seqs = new Map(log.map(({ clientId, seq }) => [clientId, seq]));
  for (const { clientId, seq } of acked) assert.equal(seqs.get(clientId), seq, 'acknowledged is kept');
}

function storedOf(refused: Send[], log: Logged[]): Send[] {
  const ids = new Set(log.map(({ clientId }) => clientId));
  return refused.filter(({ clientId }) => ids.has(clientId));
}

function report(
  name: string,
  about: { acked: Send[]; refused: Send[]; found: number; healedMs: number; pulses: Pulse[] },
): void {
  const { acked, refused, found, healedMs, pulses } = about;
  const slowest = Math.max(0, ...refused.map(({ beganAt, endedAt }) => endedAt - beganAt));
  process.stdout.write(
    `      ${name}: ${acked.length} acked, ${refused.length} refused, the slowest after ${Math.round(slowest)} ms, ` +
      `${found} of them stored, healed in ${Math.round(healedMs)} ms, health within ${pulses.map((p) => Math.round(p.slowestMs))} ms\n`,
  );
}
