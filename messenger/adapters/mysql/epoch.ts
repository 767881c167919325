import { migrateMysql } from '#common/mysql/migrate.ts';
import { Mysql } from '#common/mysql/open.ts';
import { type Sql, sql } from '#common/mysql/sql.ts';
import { newEpoch } from '../epoch.ts';
import { SCHEMA } from './schema.ts';

/** Answers one row, see `epochIn`. */
export const EPOCH = sql`SELECT epoch FROM log_epoch`;

/** The epoch in the answer to `EPOCH`. */
export function epochIn(rows: readonly unknown[] = []): string {
  const [row] = rows as { epoch: string }[];
  if (row === undefined) throw new Error('the table log_epoch is empty');
  return row.epoch;
}

/** Begins a new epoch, whatever the present one is. */
export function beginEpoch(): Sql {
  return sql`UPDATE log_epoch SET epoch = ${newEpoch()}`;
}

/** See MessageStore.renewEpoch. */
export async function renewEpoch(mysql: Mysql, from: string): Promise<string> {
  await mysql.query(sql`${beginEpoch()} WHERE epoch = ${from}`);
  return epochIn(await mysql.query(EPOCH));
}

/** Begins a new epoch of the log in a database that no store is opened on. @throws like `migrateMysql`. */
export async function renewMysqlEpoch(url: string): Promise<void> {
  await migrateMysql(url, SCHEMA);
  await using mysql = new Mysql({ url, connections: 1 });
  await mysql.query(beginEpoch());
}
