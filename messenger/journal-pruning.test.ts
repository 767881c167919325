import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { openDataFolder } from '#common/data-folder.ts';
import { ServiceError } from '#common/errors.ts';
import { createLog } from '#common/log.ts';
import { openSqliteStore } from './adapters/store-sqlite.ts';
import { readConfig } from './config.ts';
import { JournalPruning } from './journal-pruning.ts';
import type { MessageStore } from './ports.ts';
import { contentHash } from './send.ts';
import { startMessenger } from './service.ts';

const log = createLog('test', 'silent');

describe('pruning the journal', () => {
  it('is done in steps until there is nothing more, again after a while, and though a step has failed', async () => {
    const answers = [true, true, false, new ServiceError('UNAVAILABLE'), true, false];
    const times: number[] = [];
    const isOver = Promise.withResolvers<void>();
    const pruneJournal = async (now: number) => {
      times.push(now);
      const answer = answers[times.length - 1] ?? false;
      if (times.length > answers.length) isOver.resolve();
      if (answer instanceof Error) throw answer;
      return answer;
    };
    let now = 0;
    await using pruning = new JournalPruning({
      store: { pruneJournal },
      clock: () => ++now,
      log,
      everyMs: 1,
    });
    pruning.start();
    await isOver.promise;
    assert.deepEqual(times.slice(0, 7), [1, 2, 3, 4, 5, 6, 7]);
  });

  it('is the messenger’s own work: nobody need follow the journal', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'chatterbox-'));
    const config = readConfig({
      DATA_DIR: folder,
      CHATTERBOX_MESSENGER_PORT: '0',
      CHATTERBOX_SERVICE_SECRET: 'a secret of the tests, long enough to be one',
    });
    const pruned = Promise.withResolvers<MessageStore>();
    const wrapStore = (store: MessageStore): MessageStore => ({
      ...store,
      async pruneJournal(now) {
        const hasMore = await store.pruneJournal(now);
        if (!hasMore) pruned.resolve(store);
        return hasMore;
      },
    });
    {
      using own = openDataFolder(folder, 'messenger');
      await using store = await openSqliteStore(own.path);
      for (const body of ['a', 'b', 'c']) await store.commit([draft(body)], Date.now() - 2 * 3_600_000);
      assert.equal((await store.journal('0', 10))?.commits.length, 3);
    }
    {
      await using _ = await startMessenger(config, { log, wrapStore });
      const store = await pruned.promise;
      assert.equal(await store.journal('0', 10), undefined);
      assert.equal((await store.entries([{ conversation: 'ada:bob', after: 0 }], 9)).length, 3);
    }
    rmSync(folder, { recursive: true });
  });
});

function draft(body: string) {
  const hash = contentHash(body);
  const members = ['ada', 'bob'];
  return {
    conversation: 'ada:bob',
    members,
    sender: 'ada',
    clientId: body,
    contentHash: hash,
    body,
    clientTime: 0n,
  };
}
