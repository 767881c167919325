import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import { openSqliteStore } from '../../messenger/adapters/store-sqlite.ts';
import type { Draft } from '../../messenger/ports.ts';

/** The store without the transport: full batches of drafts over 20 conversations, one after the other. Returns entries per second. */
export async function storeFloor(batchSize: number, bodyBytes: number, seconds: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'chatterbox-bench-'));
  const store = await openSqliteStore(folder);
  const began = performance.now();
  let count = 0;
  while (performance.now() - began < seconds * 1000) {
    await store.commit(
      Array.from({ length: batchSize }, (_, i) => draft(i % 20, bodyBytes)),
      Date.now(),
    );
    count += batchSize;
  }
  const rate = count / ((performance.now() - began) / 1000);
  await store[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
  return rate;
}

function draft(pair: number, bodyBytes: number): Draft {
  const members = [`a${pair}`, `b${pair}`];
  return {
    conversation: members.join(':'),
    members,
    sender: `a${pair}`,
    clientId: uuidv7(),
    contentHash: new Uint8Array(16),
    body: 'x'.repeat(bodyBytes),
    clientTime: 0n,
  };
}
