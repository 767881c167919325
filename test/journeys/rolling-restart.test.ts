import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import { newDatabase, type TestDatabase } from '../../common/mysql/fixtures/database.ts';
import { SessionClient } from '../../docs/examples/session-client.ts';
import { Processes } from '../../scripts/processes.ts';
import { MYSQL, NATS, withoutEngine } from '../outside/engines.ts';
import { addressOf, chatStub, unary } from '../outside/grpc.ts';
import { type Account, register } from '../outside/http.ts';
import { counted, untilServing } from '../outside/numbers.ts';

const SENDERS = 8;

if (MYSQL === undefined) describe('messengers that restart', () => it(withoutEngine('MySQL')));
else restarts(MYSQL);

function restarts(server: string): void {
  describe('messengers that restart under load', function () {
    this.timeout(120_000);
    let database: TestDatabase;
    const dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-'));
    let system: Processes;
    let load: Load;
    before(async () => {
      database = await newDatabase(server);
      const env = {
        DATA_DIR: dataDir,
        CHATTERBOX_LOG_LEVEL: 'fatal',
        CHATTERBOX_MESSAGES_URL: database.url,
        CHATTERBOX_SEND_RATE: '100000',
        CHATTERBOX_SEND_BURST: '100000',
        ...(NATS === undefined ? {} : { CHATTERBOX_BUS_URL: NATS }),
      };
      system = await Processes.prepare({ env, messengers: 2 });
      system.start(...system.names);
      await system.untilMissing();
      await servedBy('messenger', 'messenger2');
      const [ada, bob] = await Promise.all([register(system.url, 'ada'), register(system.url, 'bob')]);
      load = await Load.start(system.url, ada, bob);
      await load.reaches(100);
    });
    after(async () => {
      await load?.stop();
      await system?.[Symbol.asyncDispose]();
      await database?.[Symbol.asyncDispose]();
      rmSync(dataDir, { recursive: true });
    });

    const servedBy = (...names: ('messenger' | 'messenger2')[]) =>
      untilServing(system.metricsUrlOf('gateway'), ...names.map((name) => system.addressOf(name)));
    const replays = () => counted(system.metricsUrlOf('gateway'), 'chatterbox_grpc_replays_total');

    for (const name of ['messenger', 'messenger2'] as const)
      it(`${name}, told to stop, fails no call`, async () => {
        assert.equal(await system.stop(name, 'SIGTERM'), 0);
        await load.goesOn();
        system.start(name);
        await servedBy('messenger', 'messenger2');
        await load.goesOn();
      });

    it('one that is killed fails no call', async () => {
      const before = await replays();
      await system.stop('messenger', 'SIGKILL');
      await load.goesOn();
      assert.ok((await replays()) > before, 'calls were sent again');
      system.start('messenger');
      await servedBy('messenger', 'messenger2');
    });

    it('one that is paused is left within two seconds, and fails no call', async () => {
      const began = performance.now();
      system.signal('messenger2', 'SIGSTOP');
      try {
        await servedBy('messenger');
        assert.ok(performance.now() - began < 2_000);
        // Paused inside a transaction it holds locks, which the database takes from it while the others wait.
        await load.goesOn();
      } finally {
        system.signal('messenger2', 'SIGCONT');
      }
      await servedBy('messenger', 'messenger2');
      await load.goesOn();
    });

    it('both at once, told to stop and started again, fail no call', async () => {
      const names = ['messenger', 'messenger2'] as const;
      await Promise.all(names.map((name) => system.stop(name, 'SIGTERM')));
      for (const name of names) system.start(name);
      await servedBy('messenger', 'messenger2');
      await load.goesOn();
    });

    it('and the live session of the other one has shown everything once, in order', async () => {
      await load.stop();
      assert.ok(load.sent.size > 500);
      assert.deepEqual(
        load.shown.map(({ seq }) => seq),
        load.shown.map((_, i) => i + 1),
      );
      assert.equal(load.shown.length, load.sent.size);
      for (const { seq, clientId } of load.shown) assert.equal(load.sent.get(clientId), seq, clientId);
    });
  });
}

/** Ada sends by unary calls, over some connections, one after the other on each; Bob follows in a session. Any call that fails is kept. */
class Load {
  /** The seq that each send was acknowledged with. */
  readonly sent = new Map<string, number>();
  readonly shown: { seq: number; clientId: string }[] = [];
  readonly #bob: SessionClient;
  readonly #caughtUp = Promise.withResolvers<void>();
  #running: Promise<unknown> = Promise.resolve();
  #isOver = false;

  private constructor(url: string, bob: Account) {
    this.#bob = new SessionClient({
      address: addressOf(url),
      token: () => bob.token,
      device: 'phone',
      onEntries: (entries) => {
        for (const { seq, clientId } of entries) this.shown.push({ seq: Number(seq), clientId });
      },
      onCaughtUp: () => this.#caughtUp.resolve(),
    });
  }

  static async start(url: string, ada: Account, bob: Account): Promise<Load> {
    const load = new Load(url, bob);
    // A new device begins with what comes after it.
    await load.#caughtUp.promise;
    load.#running = Promise.all(Array.from({ length: SENDERS }, (_, i) => load.#pour(url, ada, i)));
    load.#running.catch(() => {});
    return load;
  }

  /** Once so many sends are acknowledged and shown; rejects when one has failed. */
  async reaches(count: number): Promise<void> {
    const reached = async () => {
      for (const deadline = Date.now() + 30_000; Date.now() < deadline; await delay(20))
        if (this.sent.size >= count && this.shown.length >= count) return;
      throw new Error(`${this.sent.size} sent, ${this.shown.length} shown, not ${count}`);
    };
    await Promise.race([reached(), this.#running]);
  }

  /** Once each sender has been answered again. */
  async goesOn(): Promise<void> {
    await this.reaches(this.sent.size + SENDERS * 5);
  }

  /** Ends the sends, and the session once it has shown them all. */
  async stop(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    await this.#running;
    for (const deadline = Date.now() + 15_000; this.shown.length < this.sent.size && Date.now() < deadline; )
      await delay(20);
    await this.#bob.close();
  }

  async #pour(url: string, { token }: Account, sender: number): Promise<void> {
    const stub = chatStub(url);
    try {
      for (let i = 0; !this.#isOver; i++) {
        const client_id = `${sender}-${i}`;
        const message = { friend: 'bob', message: 'hi', client_id };
        const { seq } = await unary(stub, 'SendMessage', message, { token });
        this.sent.set(client_id, Number(seq));
        await delay(10);
      }
    } finally {
      stub.close();
    }
  }
}
