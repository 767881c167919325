import { type Sql, sql } from '#common/mysql/sql.ts';
import type { Result } from '#common/mysql/transaction.ts';
import { rowsOf } from './rows.ts';

export type Feed = 'accounts' | 'revocations';

/**
 * The last number of a feed, locked until the transaction ends. Whoever adds to the feed takes this lock last and writes the next number: so
 * the numbers are in the order of the commits and without a gap, whichever node commits, and a reader that has seen a number has seen all
 * before it. Two nodes wait for each other here for the length of a commit, which accounts and revocations can bear.
 */
export function lockFeed(feed: Feed): Sql {
  return sql`SELECT last_seq AS lastSeq FROM auth_feed WHERE name = ${feed} FOR UPDATE`;
}

export function moveFeed(feed: Feed, lastSeq: number): Sql {
  return sql`UPDATE auth_feed SET last_seq = ${lastSeq} WHERE name = ${feed}`;
}

/** What `lockFeed` has found. @throws Error when somebody has emptied the table. */
export function lastSeqOf(rows: Result | undefined): number {
  const [row] = rowsOf<{ lastSeq: number }>(rows);
  if (row === undefined) throw new Error('auth_feed has lost a row: the feeds cannot be numbered');
  return row.lastSeq;
}
