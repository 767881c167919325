import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'mocha';
import { ServiceError } from '#common/errors.ts';
import { contentHash } from '../send.ts';
import { messageStoreContract } from './store.contract.ts';
import { openSqliteStore } from './store-sqlite.ts';

messageStoreContract('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'chatterbox-'));
  const opened = {
    store: await openSqliteStore(folder),
    async reopen() {
      await opened.store[Symbol.asyncDispose]();
      opened.store = await openSqliteStore(folder);
    },
    async [Symbol.asyncDispose]() {
      await opened.store[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    },
  };
  return opened;
});

describe('the SQLite message store', () => {
  it('refuses a file that a newer program has written', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'chatterbox-'));
    await (await openSqliteStore(folder))[Symbol.asyncDispose]();
    const db = new DatabaseSync(join(folder, 'messages.db'));
    db.exec("INSERT INTO migration (number, name) VALUES (99, 'from the future')");
    db.close();
    await assert.rejects(openSqliteStore(folder), /newer Chatterbox/);
    rmSync(folder, { recursive: true });
  });

  it('answers UNAVAILABLE when it is closed, instead of waiting for ever', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'chatterbox-'));
    const store = await openSqliteStore(folder);
    await store[Symbol.asyncDispose]();
    const draft = {
      conversation: 'ada:bob',
      members: ['ada', 'bob'],
      sender: 'ada',
      clientId: '1',
      contentHash: contentHash('x'),
      body: 'x',
      clientTime: 0n,
    };
    await assert.rejects(
      store.commit([draft], 1),
      (error) => error instanceof ServiceError && error.reason === 'UNAVAILABLE',
    );
    rmSync(folder, { recursive: true });
  });
});
