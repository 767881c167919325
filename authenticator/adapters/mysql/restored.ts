import { Mysql } from '#common/mysql/open.ts';
import { sql } from '#common/mysql/sql.ts';
import { lastSeqOf, lockFeed, moveFeed } from './feed.ts';

/** More than the feeds ever grew by between a backup and its restore. */
const LOST = 1_000_000_000;

/**
 * Numbers the feeds on from far behind what was given after the backup, so that a reader that had more of
 * them misses nothing of what comes. A reader of the revocations is to begin anew, for sessions that have
 * ended since the backup are there again: its place counts as forgotten. One that begins then reaches the end
 * by a revocation of no session.
 */
export async function raiseFeeds(url: string): Promise<void> {
  await using mysql = new Mysql({ url, connections: 1 });
  await mysql.transaction(async (tx) => {
    const [accounts, revocations] = await tx.run(lockFeed('accounts'), lockFeed('revocations'));
    const end = lastSeqOf(revocations) + LOST;
    await tx.commit(
      moveFeed('accounts', lastSeqOf(accounts) + LOST),
      sql`UPDATE auth_feed SET last_seq = ${end}, forgotten = ${end - 1} WHERE name = 'revocations'`,
      sql`INSERT INTO auth_revocation (seq, session_id, until) VALUES ${[[end, 'restored', 0]]}`,
    );
  });
}
