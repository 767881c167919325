import type { Log } from '#common/log.ts';
import { warnOfWeaknesses } from '#common/mysql/durability.ts';
import { migrateMysql } from '#common/mysql/migrate.ts';
import { Mysql } from '#common/mysql/open.ts';
import { warnOfClock } from '#common/mysql/server-clock.ts';
import type { MessageStore, SharedLog } from '../ports.ts';
import { Committer } from './mysql/commit.ts';
import { MysqlDevices } from './mysql/devices.ts';
import { EPOCH, epochIn, renewEpoch } from './mysql/epoch.ts';
import { Journal } from './mysql/journal.ts';
import { JournalLane } from './mysql/journal-lane.ts';
import { JournalNode } from './mysql/journal-node.ts';
import { LogReader } from './mysql/log-reader.ts';
import { MarkKeeper } from './mysql/marks.ts';
import { OtherNodes } from './mysql/other-nodes.ts';
import { SCHEMA } from './mysql/schema.ts';

export interface MysqlStoreOptions {
  /** `mysql://user:password@host:port/database`, see `MysqlOptions`. */
  url: string;
  log: Log;
  clock(): number;
  /** Ms that only grow, see common/clocks.ts. */
  steady(): number;
}

export interface MysqlStore extends MessageStore, SharedLog, AsyncDisposable {
  /** How its pools are used at the moment. */
  poolUse(): Mysql['use'];
}

/**
 * The message store in a MySQL, MariaDB or TiDB, shared by any number of nodes. Leaves nothing open when it throws.
 * @throws Error when the server is not there (see `isConnectionTrouble`), refuses us, or its schema is newer than this program.
 */
export async function openMysqlStore({ url, log, clock, steady }: MysqlStoreOptions): Promise<MysqlStore> {
  await migrateMysql(url, SCHEMA);
  await using cleanup = new AsyncDisposableStack();
  const mysql = cleanup.use(new Mysql({ url }));
  // What is written never waits for a connection that many readers want.
  const writing = cleanup.use(new Mysql({ url, connections: 3, idle: 3 }));
  await warnOfWeaknesses(mysql, log);
  await warnOfClock(mysql, clock, log);
  // Marks do not wait for messages: both have lanes of their own, which the journal takes for two nodes.
  const own = [new JournalNode(writing), new JournalNode(writing)] as const;
  const others = new OtherNodes(mysql, own, steady, () => {
    log.warn('the log has a new epoch, as after a restore: all streams begin anew');
    committer.forget();
  });
  const lane = (node: JournalNode) => new JournalLane(writing, node, (place) => others.await(place));
  const committer = new Committer(lane(own[0]), () => writing.connectionsMade);
  const marks = new MarkKeeper(mysql, lane(own[1]), clock);
  const devices = new MysqlDevices(mysql);
  const reader = new LogReader(mysql);
  const journal = new Journal(mysql, clock, steady);
  await others.begin();
  const opened = cleanup.move();
  return {
    commit: (drafts, now) => committer.commit(drafts, now),
    news: () => others.news(),
    poolUse: () => ({
      busy: mysql.use.busy + writing.use.busy,
      waiting: mysql.use.waiting + writing.use.waiting,
    }),
    heads: (conversations) => reader.heads(conversations),
    newestAt: (moments) => reader.newestAt(moments),
    marksAfter: (ranges) => reader.marksAfter(ranges),
    stateAfter: (user, revision) => marks.stateAfter(user, revision),
    entries: (ranges, maxEntries) => reader.entries(ranges, maxEntries),
    entriesBefore: (conversation, seq, limit) => reader.entriesBefore(conversation, seq, limit),
    conversations: (user, before, limit) => reader.conversations(user, before, limit),
    unread: (user) => reader.unread(user),
    snapshot: (after, limit) => reader.snapshot(after, limit),
    saveCursors: (cursors) => marks.saveCursors(cursors),
    markRead: (reads) => marks.markRead(reads),
    openDevice: (user, device, arrival) => devices.open(user, device, arrival),
    journal: (cursor, limit) => journal.read(cursor, limit),
    journalEnd: () => journal.end(),
    isBeyondJournal: (cursor) => journal.isBeyond(cursor),
    epoch: async () => epochIn(await mysql.query(EPOCH)),
    renewEpoch: (from) => renewEpoch(mysql, from),
    acknowledgeJournal: (name, cursor, now) => journal.acknowledge(name, cursor, now),
    pruneJournal: (now) => journal.prune(now),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
