import { timeBefore } from '#common/clocks.ts';
import type { Mysql } from '#common/mysql/open.ts';
import { sql } from '#common/mysql/sql.ts';
import type { Ending, Revocation, Rotated, Rotation, Sequenced, Session, Standing } from '../../ports.ts';
import { type Head, successor } from '../../successor.ts';
import { type Ended, endSessions, isWritten } from './revoke.ts';
import { exactly, rowsOf } from './rows.ts';

const SESSION = sql`id, username, device, created_at AS createdAt, used_at AS usedAt, forgiven_at AS forgivenAt`;

const DROPPED_AT_ONCE = 200;

/** Login sessions and their revocations. */
export class Logins {
  readonly #mysql: Mysql;

  constructor(mysql: Mysql) {
    this.#mysql = mysql;
  }

  async session(id: string): Promise<Session | undefined> {
    const rows = await this.#mysql.query<Session>(sql`SELECT ${SESSION} FROM auth_session WHERE id = ${id}`);
    return exactly(rows, (row) => row.id === id);
  }

  sessions(username: string, { now, idleMs }: Standing): Promise<Session[]> {
    return this.#mysql.query(
      sql`SELECT ${SESSION} FROM auth_session
          WHERE username = ${username} AND used_at >= ${timeBefore(now, idleMs)}
            AND (token_hash <> '' OR token_until > ${Math.floor(now / 1000)})
          ORDER BY used_at DESC, id`,
    );
  }

  /** Found without a lock, and looked at again under theirs: one that was refreshed meanwhile stays. */
  async dropIdle({ now, idleMs }: Standing): Promise<number> {
    const isIdle = sql`used_at < ${timeBefore(now, idleMs)} AND token_until <= ${Math.floor(now / 1000)}`;
    const idle = await this.#mysql.query<{ id: string }>(
      sql`SELECT id FROM auth_session WHERE ${isIdle} ORDER BY used_at LIMIT ${DROPPED_AT_ONCE}`,
    );
    if (idle.length === 0) return 0;
    const ids = idle.map(({ id }) => id).sort();
    return this.#mysql.transaction(async (tx) => {
      const [dropped] = await tx.run(sql`DELETE FROM auth_session WHERE id IN (${ids}) AND ${isIdle}`);
      return dropped?.affectedRows ?? 0;
    });
  }

  /** A later run finds the successor in place and the token presented as its predecessor: the answer is the same. */
  rotate(rotation: Rotation): Promise<Rotated | undefined> {
    const { sessionId, tokenHash, now, idleMs, until } = rotation;
    let ended: Rotated | undefined;
    return this.#mysql.transaction(async (tx) => {
      const [heads] = await tx.run(
        sql`SELECT id, username, generation, token_hash AS tokenHash, previous_hash AS previousHash, used_at AS usedAt,
              forgiven_at AS forgivenAt
            FROM auth_session WHERE id = ${sessionId} FOR UPDATE`,
      );
      const head = exactly(rowsOf<StoredHead>(heads), ({ id }) => id === sessionId);
      if (head === undefined) return ended;
      if (head.tokenHash === '' || head.usedAt < timeBefore(now, idleMs)) return undefined;
      const { username } = head;
      const next = successor(head, rotation);
      if (next === undefined) {
        ended = { username, generation: undefined };
        await endSessions(tx, { username, only: sessionId, now });
        return ended;
      }
      const moved = sql`token_until = GREATEST(token_until, ${until})`;
      await tx.commit(
        next.generation === head.generation
          ? sql`UPDATE auth_session SET ${moved} WHERE id = ${sessionId}`
          : sql`UPDATE auth_session SET generation = ${next.generation}, token_hash = ${next.tokenHash},
                  previous_hash = ${tokenHash}, used_at = ${now}, forgiven_at = ${next.forgivenAt}, ${moved}
                WHERE id = ${sessionId}`,
      );
      return { username, generation: next.generation };
    });
  }

  endSessions(which: Ending): Promise<number> {
    let sent: Ended | undefined;
    return this.#mysql.transaction(async (tx) => {
      if (sent !== undefined && (await isWritten(tx, sent))) return sent.sessionIds.length;
      const ended = await endSessions(tx, which, (ending) => {
        sent = ending;
      });
      return ended?.sessionIds.length ?? 0;
    });
  }

  revocationsAfter(seq: number, limit: number): Promise<Sequenced<Revocation>[]> {
    return this.#mysql.query(
      sql`SELECT seq, session_id AS sessionId, until FROM auth_revocation
          WHERE seq > ${seq} ORDER BY seq LIMIT ${limit}`,
    );
  }

  /** Found without a lock: a revocation never changes. */
  async dropRevocations(before: number): Promise<number> {
    const old = await this.#mysql.query<{ seq: number }>(
      sql`SELECT seq FROM auth_revocation
          WHERE until < ${before} AND seq < (SELECT last_seq FROM auth_feed WHERE name = 'revocations')
          ORDER BY until LIMIT ${DROPPED_AT_ONCE}`,
    );
    if (old.length === 0) return 0;
    const seqs = old.map(({ seq }) => seq);
    return this.#mysql.transaction(async (tx) => {
      const [, dropped] = await tx.run(
        sql`UPDATE auth_feed SET forgotten = GREATEST(forgotten, ${Math.max(...seqs)}) WHERE name = 'revocations'`,
        sql`DELETE FROM auth_revocation WHERE seq IN (${seqs})`,
      );
      return dropped?.affectedRows ?? 0;
    });
  }
}

type StoredHead = Head & { id: string; username: string };
