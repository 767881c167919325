import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { accountStoreContract } from './accounts.contract.ts';
import { openSqliteStore } from './accounts-sqlite.ts';
import { account, NOW, session } from './contract/samples.ts';
import { MIGRATIONS } from './schema-sqlite.ts';

accountStoreContract('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'accounts-'));
  const path = join(folder, 'accounts.db');
  const opened = {
    store: await openSqliteStore(path),
    async reopen() {
      await opened.store[Symbol.asyncDispose]();
      opened.store = await openSqliteStore(path);
    },
    async [Symbol.asyncDispose]() {
      await opened.store[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    },
  };
  return opened;
});

describe('the SQLite account store', () => {
  let folder: string;
  const path = () => join(folder, 'accounts.db');
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'accounts-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('refuses a file that a newer program has written', async () => {
    await (await openSqliteStore(path()))[Symbol.asyncDispose]();
    change("INSERT INTO migration (number, name) VALUES (99, 'from the future')");
    await assert.rejects(openSqliteStore(path()), /newer Chatterbox/);
  });

  it('keeps what a file of its first schema holds', async () => {
    const [first] = MIGRATIONS;
    change(`CREATE TABLE migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
      ${first?.sql}
      INSERT INTO migration (number, name) VALUES (1, '${first?.name}');
      INSERT INTO account VALUES (1, 'ada', 'ADA', 'hash of ada', ${NOW});
      INSERT INTO attempt VALUES ('pair ada home', 3, ${NOW});
      INSERT INTO known_address VALUES ('ada', 'home');`);
    const began = Math.floor(Date.now() / 1000) * 1000;
    await using store = await openSqliteStore(path());
    assert.equal(await store.knows('ada', 'home', began), true);
    assert.equal((await store.account('ada'))?.displayName, 'ADA');
  });

  it('answers UNAVAILABLE when it is closed, instead of waiting for ever', async () => {
    const store = await openSqliteStore(path());
    await store[Symbol.asyncDispose]();
    const unavailable = { reason: 'UNAVAILABLE' };
    await assert.rejects(store.check(), unavailable);
    await assert.rejects(store.createAccount(account('ada'), session('s1', 'ada'), 'home'), unavailable);
  });

  function change(sql: string): void {
    const db = new DatabaseSync(path());
    db.exec(sql);
    db.close();
  }
});
