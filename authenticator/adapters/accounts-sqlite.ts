import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { timeBefore } from '#common/clocks.ts';
import { type Hosted, hostInWorker, type Sync } from '#common/sqlite/host.ts';
import { openSqlite, transaction } from '#common/sqlite/open.ts';
import type * as Port from '../ports.ts';
import { type Head, successor } from '../successor.ts';
import { admit, knows, makeKnown, settle } from './attempts-sqlite.ts';
import { MIGRATIONS } from './schema-sqlite.ts';

/** The accounts in this file, made if it is not there; closed by disposing. */
export function openSqliteStore(path: string): Promise<Hosted<Port.AccountStore>> {
  return hostInWorker(new URL(import.meta.url), path);
}

/** What runs in the worker. */
export function open(path: string): AccountsSqlite {
  return new AccountsSqlite(openSqlite(path, MIGRATIONS));
}

const ACCOUNT =
  'username, display_name AS displayName, password_hash AS passwordHash, created_at AS createdAt';
const SESSION = 'id, username, device, created_at AS createdAt, used_at AS usedAt, forgiven_at AS forgivenAt';

const DROPPED_AT_ONCE = 200;

/** Accounts in one SQLite file. One writer: a `seq` taken inside a transaction is in the order of the commits. */
class AccountsSqlite implements Sync<Port.AccountStore> {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  createAccount(account: Port.Account, session: Port.NewSession, address: string): boolean {
    return transaction(this.#db, () => {
      if (this.account(account.username)) return false;
      const { username, displayName, passwordHash, createdAt } = account;
      this.#run(
        `INSERT INTO account (seq, username, display_name, password_hash, created_at)
         VALUES ((SELECT coalesce(max(seq), 0) + 1 FROM account), ?, ?, ?, ?)`,
        [username, displayName, passwordHash, createdAt],
      );
      this.#addSession(session);
      makeKnown(this.#db, username, address, session.now);
      return true;
    });
  }

  account(username: string): Port.Account | undefined {
    return this.#all<Port.Account>(`SELECT ${ACCOUNT} FROM account WHERE username = ?`, [username])[0];
  }

  replaceHash(username: string, from: string, to: string): void {
    this.#setHash(username, from, to);
  }

  openSession(session: Port.NewSession, passwordHash: string): boolean {
    return transaction(this.#db, () => {
      if (this.account(session.username)?.passwordHash !== passwordHash) return false;
      this.#addSession(session);
      return true;
    });
  }

  session(id: string): Port.Session | undefined {
    return this.#all<Port.Session>(`SELECT ${SESSION} FROM session WHERE id = ?`, [id])[0];
  }

  sessions(username: string, { now, idleMs }: Port.Standing): Port.Session[] {
    return this.#all(
      `SELECT ${SESSION} FROM session
       WHERE username = ? AND used_at >= ? AND (token_hash <> '' OR token_until > ?) ORDER BY used_at DESC, id`,
      [username, timeBefore(now, idleMs), Math.floor(now / 1000)],
    );
  }

  dropIdle({ now, idleMs }: Port.Standing): number {
    return this.#run(
      `DELETE FROM session WHERE id IN
         (SELECT id FROM session WHERE used_at < ? AND token_until <= ? ORDER BY used_at LIMIT ?)`,
      [timeBefore(now, idleMs), Math.floor(now / 1000), DROPPED_AT_ONCE],
    );
  }

  rotate(rotation: Port.Rotation): Port.Rotated | undefined {
    const { sessionId, tokenHash, now, idleMs, until } = rotation;
    return transaction(this.#db, () => {
      const [head] = this.#all<Head & { username: string }>(
        `SELECT username, generation, token_hash AS tokenHash, previous_hash AS previousHash, used_at AS usedAt,
           forgiven_at AS forgivenAt
         FROM session WHERE id = ?`,
        [sessionId],
      );
      if (head === undefined || head.tokenHash === '' || head.usedAt < timeBefore(now, idleMs))
        return undefined;
      const { username } = head;
      const next = successor(head, rotation);
      if (next === undefined) this.#end({ username, only: sessionId, now });
      else if (next.generation === head.generation)
        this.#run('UPDATE session SET token_until = max(token_until, ?) WHERE id = ?', [until, sessionId]);
      else
        this.#run(
          `UPDATE session SET generation = ?, token_hash = ?, previous_hash = ?, used_at = ?, forgiven_at = ?,
             token_until = max(token_until, ?)
           WHERE id = ?`,
          [next.generation, next.tokenHash, tokenHash, now, next.forgivenAt, until, sessionId],
        );
      return { username, generation: next?.generation };
    });
  }

  endSessions(which: Port.Ending): number {
    return transaction(this.#db, () => this.#end(which));
  }

  changePassword({ username, from, to, keep, now }: Port.PasswordChange): boolean {
    return transaction(this.#db, () => {
      if (!this.#setHash(username, from, to)) return false;
      this.#end({ username, keep, now });
      return true;
    });
  }

  accountsAfter(seq: number, limit: number): Port.Sequenced<Port.Account>[] {
    return this.#all(`SELECT seq, ${ACCOUNT} FROM account WHERE seq > ? ORDER BY seq LIMIT ?`, [seq, limit]);
  }

  revocationsAfter(seq: number, limit: number): Port.Sequenced<Port.Revocation>[] {
    return this.#all(
      'SELECT seq, session_id AS sessionId, until FROM revocation WHERE seq > ? ORDER BY seq LIMIT ?',
      [seq, limit],
    );
  }

  /** The newest one stays: the next number is counted from it. */
  dropRevocations(before: number): number {
    return transaction(this.#db, () => {
      const dropped = this.#all<{ seq: number }>(
        `SELECT seq FROM revocation WHERE until < ? AND seq < (SELECT max(seq) FROM revocation)
         ORDER BY until LIMIT ?`,
        [before, DROPPED_AT_ONCE],
      ).map(({ seq }) => seq);
      if (dropped.length === 0) return 0;
      for (const seq of dropped) this.#run('DELETE FROM revocation WHERE seq = ?', [seq]);
      this.#run("UPDATE forgotten SET seq = max(seq, ?) WHERE feed = 'revocations'", [Math.max(...dropped)]);
      return dropped.length;
    });
  }

  ends(): Port.FeedEnds {
    const [ends = { accounts: 0, revocations: 0, forgotten: 0 }] = this.#all<Port.FeedEnds>(
      `SELECT (SELECT coalesce(max(seq), 0) FROM account) AS accounts,
              (SELECT coalesce(max(seq), 0) FROM revocation) AS revocations,
              (SELECT seq FROM forgotten WHERE feed = 'revocations') AS forgotten`,
      [],
    );
    return ends;
  }

  knows(username: string, address: string, since: number): boolean {
    return knows(this.#db, username, address, since);
  }

  dropAddresses(before: number): number {
    return this.#run(
      `DELETE FROM known_address WHERE rowid IN
         (SELECT rowid FROM known_address WHERE used_at < ? ORDER BY used_at LIMIT ?)`,
      [before, DROPPED_AT_ONCE],
    );
  }

  admit(attempt: Port.Attempt): number {
    return transaction(this.#db, () => admit(this.#db, attempt));
  }

  settle(attempt: Port.Attempt, isSuccess: boolean): void {
    transaction(this.#db, () => settle(this.#db, attempt, isSuccess));
  }

  check(): void {
    this.#all('SELECT 1 FROM account LIMIT 1', []);
  }

  close(): void {
    this.#db.close();
  }

  #addSession({ id, username, device, now, tokenHash, until }: Port.NewSession): void {
    this.#run(
      `INSERT INTO session (id, username, device, created_at, used_at, generation, token_hash, previous_hash, token_until)
       VALUES (?, ?, ?, ?, ?, 0, ?, '', ?)`,
      [id, username, device, now, now, tokenHash, until],
    );
  }

  #setHash(username: string, from: string, to: string): boolean {
    const sql = 'UPDATE account SET password_hash = ? WHERE username = ? AND password_hash = ?';
    return this.#run(sql, [to, username, from]) === 1;
  }

  #end({ username, only, keep, now }: Port.Ending): number {
    const ending = this.#all<{ id: string; until: number }>(
      'SELECT id, token_until AS until FROM session WHERE username = ?',
      [username],
    ).filter(({ id }) => (only === undefined || id === only) && id !== keep);
    for (const { id, until } of ending) {
      this.#run('DELETE FROM session WHERE id = ?', [id]);
      this.#run(
        'INSERT INTO revocation (seq, session_id, until) VALUES ((SELECT coalesce(max(seq), 0) + 1 FROM revocation), ?, ?)',
        [id, Math.max(until, Math.floor(now / 1000))],
      );
    }
    return ending.length;
  }

  #all<Row>(sql: string, values: SQLInputValue[]): Row[] {
    return this.#db.prepare(sql).all(...values) as Row[];
  }

  #run(sql: string, values: SQLInputValue[]): number {
    return Number(this.#db.prepare(sql).run(...values).changes);
  }
}
