import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { pino } from 'pino';
import { openSqliteStore } from './adapters/store-sqlite.ts';
import { HighWater } from './high-water.ts';
import type { MessageStore } from './ports.ts';

describe('the high-water file', () => {
  let folder: string;
  let store: MessageStore & AsyncDisposable;
  const path = () => join(folder, 'high-water');
  const database = () => join(folder, 'messages.db');
  const newHighWater = () => new HighWater({ path: path(), store, log, everyMs: 1 });

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'chatterbox-'));
    store = await openSqliteStore(folder);
  });
  afterEach(async () => {
    await store[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  /** The store has committed a batch, has been copied, and has committed two more. */
  async function growPastCopy(): Promise<void> {
    await commit(store, 1);
    await store[Symbol.asyncDispose]();
    cpSync(database(), `${database()}.copy`);
    store = await openSqliteStore(folder);
    await commit(store, 2);
    await commit(store, 3);
  }

  async function putCopyBack(): Promise<void> {
    await store[Symbol.asyncDispose]();
    cpSync(`${database()}.copy`, database());
    store = await openSqliteStore(folder);
  }

  it('says how far the journal is, soon after each commit and when it ends', async () => {
    const epoch = await store.epoch();
    const highWater = newHighWater();
    highWater.start();
    await commit(store, 1);
    while (!existsSync(path()) || readFileSync(path(), 'utf8') !== `${epoch}.1`) await delay(1);
    await commit(store, 2);
    await highWater[Symbol.asyncDispose]();
    assert.equal(readFileSync(path(), 'utf8'), `${epoch}.2`);
  });

  it('begins a new epoch where the store has been put back to an earlier state', async () => {
    await growPastCopy();
    const epoch = await store.epoch();
    const highWater = newHighWater();
    highWater.start();
    await highWater[Symbol.asyncDispose]();
    await putCopyBack();
    assert.equal(await store.epoch(), epoch);
    await newHighWater().check();
    const renewed = await store.epoch();
    assert.notEqual(renewed, epoch);
    await newHighWater().check();
    assert.equal(await store.epoch(), renewed, 'what it says of an earlier epoch says nothing now');
  });

  it('changes nothing where the store holds as much or more', async () => {
    const epoch = await store.epoch();
    await newHighWater().check();
    await commit(store, 1);
    for (const said of [`${epoch}.0`, `${epoch}.1`, '', 'x', '.', `${epoch}.x`, `another.9`]) {
      writeFileSync(path(), said);
      await newHighWater().check();
      assert.equal(await store.epoch(), epoch, said);
    }
  });
});

async function commit(store: MessageStore, number: number): Promise<void> {
  await store.commit(
    [
      {
        conversation: 'ada:bob',
        members: ['ada', 'bob'],
        sender: 'ada',
        clientId: `m${number}`,
        contentHash: '00'.repeat(16),
        body: 'x',
        clientTime: 0n,
      },
    ],
    number,
  );
}

const log = pino({ level: 'silent' });
