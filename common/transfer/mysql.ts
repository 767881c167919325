import { migrateMysql, type Schema } from '../mysql/migrate.ts';
import { Mysql } from '../mysql/open.ts';
import { type Sql, sql, type Value } from '../mysql/sql.ts';
import { type Kind, type Table, tableOf } from './table.ts';
import { NotEmptyError, type Progress, type Row, type Target } from './transfer.ts';

/** A table and what it is called in MySQL, where some names are not allowed or taken. */
export interface MysqlTable extends Table {
  mysql: string;
  /** The columns that have another name there. */
  renamed?: Readonly<Record<string, string>>;
}

const ROWS_AT_ONCE = 1_000;
/** For the row that says of a part as a whole that it is finished. */
const PART = '';

/**
 * The part of a MySQL database that one service owns, with its schema at the newest step. `finishing`: what
 * is done in the database where an import is finished. @throws like `migrateMysql`.
 */
export async function openMysqlTransfer(
  url: string,
  schema: Schema,
  tables: readonly MysqlTable[],
  finishing: () => Sql[] = () => [],
): Promise<MysqlTransfer> {
  await migrateMysql(url, schema);
  return new MysqlTransfer(url, schema.part, tables, finishing);
}

export class MysqlTransfer implements Target {
  readonly #mysql: Mysql;
  readonly #where: string;
  readonly #part: string;
  readonly #tables: readonly MysqlTable[];
  readonly #finishing: () => Sql[];
  #exportId = '';

  constructor(url: string, part: string, tables: readonly MysqlTable[], finishing: () => Sql[]) {
    const { host, pathname } = new URL(url);
    this.#where = `${host}${pathname}`;
    this.#mysql = new Mysql({ url, connections: 2 });
    this.#part = part;
    this.#tables = tables;
    this.#finishing = finishing;
  }

  get tables(): string[] {
    return this.#tables.map(({ name }) => name);
  }

  /** As the server guesses them: counting the rows of a large table takes minutes. */
  async estimate(): Promise<number> {
    const names = this.#tables.map(({ mysql }) => mysql);
    const [row] = await this.#mysql.query<{ total: string | null }>(
      sql`SELECT SUM(table_rows) AS total FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name IN (${names})`,
    );
    return Number(row?.total ?? 0);
  }

  /** In the order of the primary key, page by page: no statement takes long, and no transaction stays open. */
  async *read(name: string): AsyncGenerator<Row[]> {
    const table = tableOf(this.#tables, name);
    for (let after: Row | undefined; ; ) {
      const results = await this.#mysql.queries(...pageAfter(table, after));
      const rows = (results.flat() as Row[]).slice(0, ROWS_AT_ONCE);
      if (rows.length === 0) return;
      yield rows;
      after = rows.at(-1);
    }
  }

  async begin(exportId: string): Promise<Progress> {
    await this.#mysql.query(sql`
      CREATE TABLE IF NOT EXISTS transfer (
        part VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
        name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
        export VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
        done BIGINT NOT NULL,
        PRIMARY KEY (part, name)
      )`);
    const notes = await this.#mysql.query<{ name: string; export: string; done: number }>(
      sql`SELECT name, export, done FROM transfer WHERE part = ${this.#part}`,
    );
    this.#exportId = exportId;
    const own = notes.filter((note) => note.export === exportId);
    if (own.length === 0) {
      await this.#requireEmpty();
      await this.#mysql.query(sql`DELETE FROM transfer WHERE part = ${this.#part}`);
    }
    const done = new Map(own.map((note) => [note.name, note.done]));
    return { isFinished: done.has(PART), done };
  }

  async write(name: string, rows: readonly Row[], done: number): Promise<void> {
    const table = tableOf(this.#tables, name);
    await this.#mysql.transaction((tx) => tx.commit(insert(table, rows), this.#note(name, done)));
  }

  async finish(): Promise<void> {
    await this.#mysql.transaction((tx) => tx.commit(...this.#finishing(), this.#note(PART, 1)));
  }

  async #requireEmpty(): Promise<void> {
    for (const { mysql, isNeverEmpty } of this.#tables) {
      if (isNeverEmpty) continue;
      const rows = await this.#mysql.query({ text: `SELECT 1 FROM ${mysql} LIMIT 1` });
      if (rows.length > 0) throw new NotEmptyError(this.#where, `has rows in ${mysql}`);
    }
  }

  #note(name: string, done: number): Sql {
    return sql`INSERT INTO transfer (part, name, export, done) VALUES ${[[this.#part, name, this.#exportId, done]]}
               ON DUPLICATE KEY UPDATE done = GREATEST(done, VALUES(done))`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#mysql[Symbol.asyncDispose]();
  }
}

/**
 * A row that is there stays; the sums show whether it is the same. What is never empty is overwritten. A column that the export does not have, for an
 * earlier version wrote it, gets its default.
 */
function insert(table: MysqlTable, rows: readonly Row[]): Sql {
  const { mysql, columns, key, isNeverEmpty } = table;
  const [first = {}] = rows;
  const names = Object.keys(columns).filter((name) => Object.hasOwn(first, name));
  const values = rows.map((row) => names.map((name) => VALUE[columns[name] ?? 'text'](row[name] ?? '')));
  const into = names.map((name) => columnOf(table, name));
  const updates = (isNeverEmpty ? names : key)
    .map((name) => columnOf(table, name))
    .map((column) => `${column} = VALUES(${column})`);
  return sql`INSERT INTO ${raw(mysql)} (${raw(into.join())}) VALUES ${values} ON DUPLICATE KEY UPDATE ${raw(updates.join())}`;
}

/**
 * The page after a row, as several statements whose rows follow each other: first those that share all but the last column of its key,
 * then those that share one less, and so on. Each is one range of the index, which a comparison of whole keys is not.
 */
function pageAfter(table: MysqlTable, after: Row | undefined): Sql[] {
  const { mysql, columns, key } = table;
  const selected = Object.entries(columns).map(
    ([name, kind]) => `${SELECT[kind](columnOf(table, name))} AS \`${name}\``,
  );
  const order = key.map((name) => columnOf(table, name)).join();
  const page = (where: Sql) =>
    sql`SELECT ${raw(selected.join())} FROM ${raw(mysql)} WHERE ${where} ORDER BY ${raw(order)} LIMIT ${ROWS_AT_ONCE}`;
  if (after === undefined) return [page(raw('TRUE'))];
  const compare = (name: string, operator: string) =>
    sql`${raw(columnOf(table, name))} ${raw(operator)} ${VALUE[columns[name] ?? 'text'](after[name] ?? '')}`;
  return key.toReversed().map((name) => {
    const shared = key.slice(0, key.indexOf(name)).map((one) => compare(one, '='));
    return page([...shared, compare(name, '>')].reduce((all, one) => sql`${all} AND ${one}`));
  });
}

function columnOf({ renamed }: MysqlTable, name: string): string {
  return `\`${renamed?.[name] ?? name}\``;
}

/** Names of our own, never from outside. */
function raw(text: string): Sql {
  return { text };
}

const SELECT: Record<Kind, (column: string) => string> = {
  text: (column) => column,
  number: (column) => column,
  bigint: (column) => `CAST(${column} AS CHAR)`,
  bytes: (column) => `LOWER(HEX(${column}))`,
};

const VALUE: Record<Kind, (value: string | number) => Value> = {
  text: (value) => String(value),
  number: (value) => Number(value),
  bigint: (value) => BigInt(value),
  bytes: (value) => Buffer.from(String(value), 'hex'),
};
