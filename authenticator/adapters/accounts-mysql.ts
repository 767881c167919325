import type { Log } from '#common/log.ts';
import { warnOfWeaknesses } from '#common/mysql/durability.ts';
import { migrateMysql } from '#common/mysql/migrate.ts';
import { Mysql } from '#common/mysql/open.ts';
import { warnOfClock } from '#common/mysql/server-clock.ts';
import { sql } from '#common/mysql/sql.ts';
import type { AccountStore } from '../ports.ts';
import { Attempts } from './mysql/attempts.ts';
import { Logins } from './mysql/logins.ts';
import { People } from './mysql/people.ts';
import { SCHEMA } from './mysql/schema.ts';

/**
 * The accounts in a MySQL, MariaDB or TiDB, shared by any number of authenticators; its schema is brought to this version.
 * @throws Error when the server is not there or refuses us, or when its schema is newer than this program.
 */
export async function openMysqlStore(url: string, log: Log): Promise<AccountStore & AsyncDisposable> {
  await migrateMysql(url, SCHEMA);
  await using opening = new AsyncDisposableStack();
  const mysql = opening.use(new Mysql({ url }));
  await warnOfWeaknesses(mysql, log);
  await warnOfClock(mysql, Date.now, log);
  opening.move();
  const people = new People(mysql);
  const logins = new Logins(mysql);
  const attempts = new Attempts(mysql);
  return {
    createAccount: (account, session, address) => people.create(account, session, address),
    account: (username) => people.account(username),
    replaceHash: (username, from, to) => people.replaceHash(username, from, to),
    openSession: (session, passwordHash) => people.openSession(session, passwordHash),
    changePassword: (change) => people.changePassword(change),
    accountsAfter: (seq, limit) => people.after(seq, limit),
    ends: () => people.feedEnds(),
    session: (id) => logins.session(id),
    sessions: (username, at) => logins.sessions(username, at),
    dropIdle: (at) => logins.dropIdle(at),
    rotate: (rotation) => logins.rotate(rotation),
    endSessions: (which) => logins.endSessions(which),
    revocationsAfter: (seq, limit) => logins.revocationsAfter(seq, limit),
    dropRevocations: (before) => logins.dropRevocations(before),
    knows: (username, address, since) => attempts.knows(username, address, since),
    dropAddresses: (before) => attempts.dropAddresses(before),
    admit: (attempt) => attempts.admit(attempt),
    settle: (attempt, isSuccess) => attempts.settle(attempt, isSuccess),
    async check() {
      await mysql.query(sql`SELECT 1 FROM auth_feed LIMIT 1`);
    },
    [Symbol.asyncDispose]: () => mysql[Symbol.asyncDispose](),
  };
}
