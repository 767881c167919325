import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { SessionClient, type SessionClientOptions } from '../../docs/examples/session-client.ts';
import { addressOf } from '../outside/grpc.ts';
import { type Account, register } from '../outside/http.ts';
import { type System, spawnServer } from '../outside/system.ts';
import { onEverySystem } from '../outside/systems.ts';

const UNLIMITED = { CHATTERBOX_SEND_RATE: '1000000', CHATTERBOX_SEND_BURST: '1000000' };

/** A client that collects what it is shown, and waits for it. */
class Collecting {
  readonly texts: string[] = [];
  readonly client: SessionClient;
  readonly caughtUp = Promise.withResolvers<void>();
  #arrived = Promise.withResolvers<void>();

  constructor(address: string, account: Account, options: Partial<SessionClientOptions> = {}) {
    this.client = new SessionClient({
      address,
      token: () => account.token,
      device: 'phone',
      onEntries: (entries) => {
        for (const { message } of entries) this.texts.push(message?.text ?? '');
        this.#arrived.resolve();
        this.#arrived = Promise.withResolvers();
      },
      onCaughtUp: () => this.caughtUp.resolve(),
      ...options,
    });
  }

  async until(count: number): Promise<string[]> {
    while (this.texts.length < count) await this.#arrived.promise;
    return this.texts;
  }
}

onEverySystem('the example client', (start) => {
  let system: System;
  before(async () => {
    system = await start(UNLIMITED);
  });
  after(() => system[Symbol.asyncDispose]());

  it('sends many at once, is answered for each, and shows each once and in order', async () => {
    const [ada, bob] = await Promise.all([register(system.url, 'ada'), register(system.url, 'bob')]);
    const [hers, his] = [ada, bob].map((account) => new Collecting(addressOf(system.url), account));
    await Promise.all([hers!.caughtUp.promise, his!.caughtUp.promise]);
    const texts = Array.from({ length: 1_000 }, (_, i) => `${i} ${'é'.repeat(i % 300)}`);
    const sent = await Promise.all(texts.map((text) => hers!.client.send('bob', text)));
    assert.deepEqual(
      sent.map(({ seq }) => Number(seq)),
      texts.map((_, i) => i + 1),
    );
    assert.deepEqual(await his!.until(1_000), texts);
    await assert.rejects(hers!.client.send('nobody-of-that-name', 'x'), { name: 'RefusedError', code: 5 });
    await Promise.all([hers!.client.close(), his!.client.close()]);
  });

  it('stops for good when another session of its device takes over', async () => {
    const cleo = await register(system.url, 'cleo');
    const ended = Promise.withResolvers<string>();
    const first = new Collecting(addressOf(system.url), cleo, {
      onEnd: ({ details }) => ended.resolve(details),
    });
    await first.caughtUp.promise;
    const second = new Collecting(addressOf(system.url), cleo);
    assert.match(await ended.promise, /newer stream/);
    await Promise.all([first.client.close(), second.client.close()]);
  });
});

describe('the example client', () => {
  it('loses and repeats nothing while the server is killed under it', async function () {
    this.timeout(60_000);
    const dataDir = mkdtempSync(join(tmpdir(), 'chatterbox-'));
    let server = await spawnServer({ DATA_DIR: dataDir, ...UNLIMITED });
    const [dan, eve] = await Promise.all([register(server.url, 'dan'), register(server.url, 'eve')]);
    const address = addressOf(server.url);
    const [his, hers] = [dan, eve].map((account) => new Collecting(address, account));
    await Promise.all([his!.caughtUp.promise, hers!.caughtUp.promise]);
    const sends: Promise<unknown>[] = [];
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 500; i++) sends.push(his!.client.send('eve', `${round}-${i}`));
      await hers!.until(round * 500 + 50);
      await server.kill();
      server = await spawnServer({ DATA_DIR: dataDir, PORT: address.split(':')[1] ?? '', ...UNLIMITED });
    }
    await Promise.all(sends);
    const expected = [0, 1, 2].flatMap((round) => Array.from({ length: 500 }, (_, i) => `${round}-${i}`));
    assert.deepEqual(await hers!.until(1_500), expected);
    await Promise.all([his!.client.close(), hers!.client.close()]);
    await server.terminate();
    rmSync(dataDir, { recursive: true });
  });
});
