import type { Mysql } from '#common/mysql/open.ts';
import { type Sql, sql } from '#common/mysql/sql.ts';
import type { Tx } from '#common/mysql/transaction.ts';
import type { Account, FeedEnds, NewSession, PasswordChange, Sequenced } from '../../ports.ts';
import { makeKnown } from './attempts.ts';
import { lastSeqOf, lockFeed, moveFeed } from './feed.ts';
import { endSessions } from './revoke.ts';
import { exactly, rowsOf } from './rows.ts';

const ACCOUNT = sql`username, display_name AS displayName, password_hash AS passwordHash, created_at AS createdAt`;

/**
 * Accounts, and what must happen under the lock of one. Whoever locks several rows does so in this order: account, its sessions by id,
 * the feed.
 */
export class People {
  readonly #mysql: Mysql;

  constructor(mysql: Mysql) {
    this.#mysql = mysql;
  }

  /** All who register wait for each other at the feed, so a name is either there or free. A run that finds its own session was here before. */
  create(account: Account, session: NewSession, address: string): Promise<boolean> {
    const { username, displayName, passwordHash, createdAt } = account;
    return this.#mysql.transaction(async (tx) => {
      const [feed, taken, own] = await tx.run(
        lockFeed('accounts'),
        sql`SELECT 1 FROM auth_account WHERE username = ${username}`,
        sql`SELECT 1 FROM auth_session WHERE id = ${session.id}`,
      );
      if (rowsOf(taken).length > 0) return rowsOf(own).length > 0;
      const seq = lastSeqOf(feed) + 1;
      await tx.commit(
        moveFeed('accounts', seq),
        sql`INSERT INTO auth_account (username, seq, display_name, password_hash, created_at)
            VALUES ${[[username, seq, displayName, passwordHash, createdAt]]}`,
        addSession(session),
        makeKnown(username, address, session.now),
      );
      return true;
    });
  }

  async account(username: string): Promise<Account | undefined> {
    const rows = await this.#mysql.query<Account>(
      sql`SELECT ${ACCOUNT} FROM auth_account WHERE username = ${username}`,
    );
    return exactly(rows, (row) => row.username === username);
  }

  async replaceHash(username: string, from: string, to: string): Promise<void> {
    await this.#mysql.transaction((tx) => setHash(tx, username, from, to));
  }

  openSession(session: NewSession, passwordHash: string): Promise<boolean> {
    return this.#mysql.transaction(async (tx) => {
      const { username, id } = session;
      const [hashes, own] = await tx.run(
        lockHash(username),
        sql`SELECT 1 FROM auth_session WHERE id = ${id}`,
      );
      if (rowsOf(own).length > 0) return true;
      if (rowsOf<{ hash: string }>(hashes)[0]?.hash !== passwordHash) return false;
      await tx.commit(addSession(session));
      return true;
    });
  }

  /** `to` has a salt of its own: a later run that finds it was here before. */
  changePassword({ username, from, to, keep, now }: PasswordChange): Promise<boolean> {
    let isSent = false;
    return this.#mysql.transaction(async (tx) => {
      const hash = await setHash(tx, username, from, to);
      if (isSent && hash === to) return true;
      if (hash !== from) return false;
      isSent = true;
      await endSessions(tx, { username, keep, now });
      return true;
    });
  }

  async after(seq: number, limit: number): Promise<Sequenced<Account>[]> {
    return this.#mysql.query(
      sql`SELECT seq, ${ACCOUNT} FROM auth_account WHERE seq > ${seq} ORDER BY seq LIMIT ${limit}`,
    );
  }

  async feedEnds(): Promise<FeedEnds> {
    const rows = await this.#mysql.query<{ name: string; lastSeq: number; forgotten: number }>(
      sql`SELECT name, last_seq AS lastSeq, forgotten FROM auth_feed`,
    );
    const [accounts, revocations] = ['accounts', 'revocations'].map((feed) =>
      rows.find(({ name }) => name === feed),
    );
    return {
      accounts: accounts?.lastSeq ?? 0,
      revocations: revocations?.lastSeq ?? 0,
      forgotten: revocations?.forgotten ?? 0,
    };
  }
}

/** Changes the hash if it is `from`; what it was. The account stays locked, so that nobody logs in with the old one meanwhile. */
async function setHash(tx: Tx, username: string, from: string, to: string): Promise<string | undefined> {
  const [hashes] = await tx.run(lockHash(username));
  const hash = rowsOf<{ hash: string }>(hashes)[0]?.hash;
  if (hash === from)
    await tx.run(sql`UPDATE auth_account SET password_hash = ${to} WHERE username = ${username}`);
  return hash;
}

function lockHash(username: string): Sql {
  return sql`SELECT password_hash AS hash FROM auth_account WHERE username = ${username} FOR UPDATE`;
}

function addSession({ id, username, device, now, tokenHash, until }: NewSession): Sql {
  return sql`
    INSERT INTO auth_session
      (id, username, device, created_at, used_at, generation, token_hash, previous_hash, token_until)
    VALUES ${[[id, username, device, now, now, 0, tokenHash, '', until]]}`;
}
