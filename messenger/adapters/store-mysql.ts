import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '#common/log.ts';
import { warnOfWeaknesses } from '#common/mysql/durability.ts';
import { isConnectionTrouble } from '#common/mysql/errors.ts';
import { migrateMysql } from '#common/mysql/migrate.ts';
import { Mysql } from '#common/mysql/open.ts';
import type { MessageStore } from '../ports.ts';
import { Committer } from './mysql/commit.ts';
import { Journal } from './mysql/journal.ts';
import { JournalNode } from './mysql/journal-node.ts';
import { LogReader } from './mysql/log-reader.ts';
import { MarkKeeper } from './mysql/marks.ts';
import { SCHEMA } from './mysql/schema.ts';

export interface MysqlStoreOptions {
  /** `mysql://user:password@host:port/database`, see `MysqlOptions`. */
  url: string;
  log: Log;
  clock(): number;
}

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5_000;

/**
 * The message store in a MySQL, MariaDB or TiDB, shared by any number of nodes. Waits for a server that is not there yet.
 * @throws Error when it refuses us, or its schema is newer than this program.
 */
export async function openMysqlStore({
  url,
  log,
  clock,
}: MysqlStoreOptions): Promise<MessageStore & AsyncDisposable> {
  await whenReachable(() => migrateMysql(url, SCHEMA), log);
  const mysql = new Mysql({ url });
  await warnOfWeaknesses(mysql, log);
  const committer = new Committer(mysql, new JournalNode(mysql));
  const reader = new LogReader(mysql);
  const marks = new MarkKeeper(mysql);
  const journal = new Journal(mysql, clock);
  return {
    commit: (drafts, now) => committer.commit(drafts, now),
    exists: (conversation) => reader.exists(conversation),
    positions: (user, device) => reader.positions(user, device),
    entries: (ranges, maxEntries) => reader.entries(ranges, maxEntries),
    entriesBefore: (conversation, seq, limit) => reader.entriesBefore(conversation, seq, limit),
    conversations: (user, before, limit) => reader.conversations(user, before, limit),
    snapshot: (after, limit) => reader.snapshot(after, limit),
    saveCursors: (cursors) => marks.saveCursors(cursors),
    markRead: (reads) => marks.markRead(reads),
    openDevice: (user, device, revision) => marks.openDevice(user, device, revision),
    journal: (cursor, limit) => journal.read(cursor, limit),
    journalEnd: () => journal.end(),
    acknowledgeJournal: (name, cursor, now) => journal.acknowledge(name, cursor, now),
    [Symbol.asyncDispose]: () => mysql[Symbol.asyncDispose](),
  };
}

async function whenReachable(work: () => Promise<void>, log: Log): Promise<void> {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    try {
      return await work();
    } catch (error) {
      if (!isConnectionTrouble(error)) throw error;
      log.warn({ cause: String(error) }, 'the message database does not answer; waiting for it');
    }
    await delay(wait);
  }
}
