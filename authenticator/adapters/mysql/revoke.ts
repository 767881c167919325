import { sql } from '#common/mysql/sql.ts';
import type { Tx } from '#common/mysql/transaction.ts';
import type { Ending } from '../../ports.ts';
import { lastSeqOf, lockFeed, moveFeed } from './feed.ts';
import { rowsOf } from './rows.ts';

/** What was ended, so that a later run can look whether an earlier one did. */
export interface Ended {
  sessionIds: string[];
  /** Of the first one's revocation; the others follow. */
  firstSeq: number;
}

/** Ends sessions and writes their revocations, in the caller's transaction, which it commits. Undefined when there was none. */
export async function endSessions(
  tx: Tx,
  { username, only, keep, now }: Ending,
  onSend: (ended: Ended) => void = () => {},
): Promise<Ended | undefined> {
  const [ids] = await tx.run(sql`SELECT id FROM auth_session WHERE username = ${username} ORDER BY id`);
  const wanted = rowsOf<{ id: string }>(ids)
    .map(({ id }) => id)
    .filter((id) => (only === undefined || id === only) && id !== keep);
  if (wanted.length === 0) return undefined;

  // Locked by their ids, and last the feed, as everybody locks them. What another one has ended meanwhile is not found.
  const [sessions, feed] = await tx.run(
    sql`SELECT id, token_until AS until FROM auth_session WHERE id IN (${wanted}) ORDER BY id FOR UPDATE`,
    lockFeed('revocations'),
  );
  const ending = rowsOf<{ id: string; until: number }>(sessions);
  if (ending.length === 0) return undefined;
  const firstSeq = lastSeqOf(feed) + 1;
  const sessionIds = ending.map(({ id }) => id);
  const ended = { sessionIds, firstSeq };
  onSend(ended);
  await tx.commit(
    moveFeed('revocations', firstSeq + ending.length - 1),
    sql`DELETE FROM auth_session WHERE id IN (${sessionIds})`,
    sql`INSERT INTO auth_revocation (seq, session_id, until)
        VALUES ${ending.map(({ id, until }, i) => [firstSeq + i, id, Math.max(until, Math.floor(now / 1000))])}`,
  );
  return ended;
}

/** Whether these revocations are in the feed. */
export async function isWritten(tx: Tx, { sessionIds: [id = ''], firstSeq }: Ended): Promise<boolean> {
  const [rows] = await tx.run(
    sql`SELECT 1 FROM auth_revocation WHERE seq = ${firstSeq} AND session_id = ${id}`,
  );
  return rowsOf(rows).length > 0;
}
