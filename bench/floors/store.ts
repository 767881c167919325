import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import { steadyClock } from '../../common/clocks.ts';
import { createLog } from '../../common/log.ts';
import { openMysqlStore } from '../../messenger/adapters/store-mysql.ts';
import { openSqliteStore } from '../../messenger/adapters/store-sqlite.ts';
import type { Draft, MessageStore } from '../../messenger/ports.ts';
import { openDatabase } from '../processes/database.ts';

/** A store of its own for a floor: an empty folder, or an empty database on that server. */
export interface Ground extends AsyncDisposable {
  folder?: string;
  url?: string;
}

export async function newGround(server: string): Promise<Ground> {
  if (server !== 'sqlite:') return openDatabase(server);
  const folder = mkdtempSync(join(tmpdir(), 'chatterbox-bench-'));
  return { folder, [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true }) };
}

export function openStoreOn({ folder, url }: Ground): Promise<MessageStore & AsyncDisposable> {
  if (folder !== undefined) return openSqliteStore(folder);
  return openMysqlStore({
    url: url ?? '',
    log: createLog('bench', 'fatal'),
    clock: Date.now,
    steady: steadyClock,
  });
}

/** Full batches of drafts over 20 conversations through our adapter, one after the other. Returns entries per second. */
export async function adapterRate(
  store: MessageStore,
  batch: number,
  bodyBytes: number,
  seconds: number,
): Promise<number> {
  return rate(batch, seconds, (from) =>
    store.commit(
      Array.from({ length: batch }, (_, i) => draft((from + i) % 20, bodyBytes)),
      Date.now(),
    ),
  );
}

/** `work` is given how many there were before. Returns how many per second. */
export async function rate(
  batch: number,
  seconds: number,
  work: (before: number) => Promise<unknown> | unknown,
): Promise<number> {
  const began = performance.now();
  let count = 0;
  while (performance.now() - began < seconds * 1000) {
    await work(count);
    count += batch;
  }
  return count / ((performance.now() - began) / 1000);
}

function draft(pair: number, bodyBytes: number): Draft {
  const members = [`a${pair}`, `b${pair}`];
  return {
    conversation: members.join(':'),
    members,
    sender: `a${pair}`,
    clientId: uuidv7(),
    contentHash: '00'.repeat(16),
    body: 'x'.repeat(bodyBytes),
    clientTime: 0n,
  };
}
