import mysql, { type Connection } from 'mysql2/promise';
import { migrateMysql } from '../../common/mysql/migrate.ts';
import { SCHEMA } from '../../messenger/adapters/mysql/schema.ts';
import { conversationsOf, entriesOf, PHONE, type World } from './world.ts';

const ROWS_PER_STATEMENT = 1_000;
const PER_TRANSACTION = 100_000;

export async function loadIntoMysql(
  url: string,
  world: World,
  onProgress: (entries: number) => void,
): Promise<void> {
  await migrateMysql(url, SCHEMA);
  const connection = await mysql.createConnection(url);
  await connection.query('SET unique_checks = 0, foreign_key_checks = 0');
  await connection.query('START TRANSACTION');
  const tables = [
    new Table(
      connection,
      'conversation (k, id, members, last_seq, messages_so_far, last_sent_at, created_at)',
    ),
    new Table(connection, 'member (user, k, read_seq, read_messages, delivered_seq, revision)'),
    new Table(
      connection,
      'entry (k, seq, sender, client_id, content_hash, sent_at, client_time, messages_so_far, body)',
    ),
    new Table(connection, 'device (user, device)'),
  ] as const;
  const [conversation, member, entry, device] = tables;
  const body = 'x'.repeat(world.bodyBytes);
  let count = 0;
  for (const one of conversationsOf(world)) {
    const { id, members, lastSeq, sentAt } = one;
    const key = `x'${Buffer.from(one.key).toString('hex')}'`;
    const list = JSON.stringify(members.toSorted());
    await conversation.add(`${key},'${id}','${list}',${lastSeq},${lastSeq},${sentAt},${sentAt}`);
    for (const user of members) await member.add(`'${user}',${key},0,0,0,0`);
    for (const { seq, sender, clientId } of entriesOf(one)) {
      await entry.add(`${key},${seq},'${sender}','${clientId}',x'${ZEROS}',${sentAt},0,${seq},'${body}'`);
      if (++count % PER_TRANSACTION > 0) continue;
      await connection.query('COMMIT AND CHAIN');
      onProgress(count);
    }
  }
  for (const user of world.phones ?? []) await device.add(`'${user}','${PHONE}'`);
  for (const table of tables) await table.flush();
  await connection.query('COMMIT');
  await connection.end();
}

const ZEROS = '00'.repeat(16);

/** Rows of one table, inserted many at a time. They hold nothing that would have to be escaped. */
class Table {
  readonly #connection: Connection;
  readonly #into: string;
  #rows: string[] = [];

  constructor(connection: Connection, into: string) {
    this.#connection = connection;
    this.#into = into;
  }

  async add(row: string): Promise<void> {
    this.#rows.push(`(${row})`);
    if (this.#rows.length >= ROWS_PER_STATEMENT) await this.flush();
  }

  async flush(): Promise<void> {
    const rows = this.#rows;
    this.#rows = [];
    if (rows.length > 0) await this.#connection.query(`INSERT INTO ${this.#into} VALUES ${rows.join(',')}`);
  }
}
