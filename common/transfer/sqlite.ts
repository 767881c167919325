import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { openDataFolder } from '../data-folder.ts';
import { type Migration, openSqlite } from '../sqlite/open.ts';
import { type Kind, type Table, tableOf } from './table.ts';
import type { Row, Source } from './transfer.ts';

const ROWS_AT_ONCE = 500;

/**
 * The rows of a service's SQLite file, `file` in its sub-folder of the data folder, which is locked meanwhile.
 * @throws FolderInUseError while a service runs on it; Error when there is no such file, or a newer program wrote it.
 */
export function openSqliteSource(
  { dataDir, service, file }: { dataDir: string; service: string; file: string },
  migrations: readonly Migration[],
  tables: readonly Table[],
): Source {
  const path = join(dataDir, service, file);
  if (!existsSync(path)) throw new Error(`there is no ${basename(path)} in ${dirname(path)}`);
  using parts = new DisposableStack();
  parts.use(openDataFolder(dataDir, service));
  const db = openSqlite(path, migrations);
  parts.defer(() => db.close());
  const opened = parts.move();
  return {
    tables: tables.map(({ name }) => name),
    async estimate() {
      return tables.reduce((sum, table) => sum + count(db, table), 0);
    },
    read: (name) => read(db, tableOf(tables, name)),
    [Symbol.asyncDispose]: async () => opened.dispose(),
  };
}

function count(db: DatabaseSync, { name, from = name }: Table): number {
  return (db.prepare(`SELECT count(*) AS count FROM ${from}`).get() as { count: number }).count;
}

/** By the primary key, in which a server takes them fastest. */
async function* read(db: DatabaseSync, { name, columns, key, from = name }: Table): AsyncGenerator<Row[]> {
  const selected = Object.entries(columns).map(([column, kind]) => `${SELECT[kind](column)} AS ${column}`);
  const rows = db.prepare(
    `SELECT ${selected} FROM ${from} AS t ORDER BY ${key.map((column) => `t.${column}`)}`,
  );
  let batch: Row[] = [];
  for (const row of rows.iterate()) {
    // Its prototype is null; what is read elsewhere has an ordinary one.
    batch.push({ ...(row as Row) });
    if (batch.length < ROWS_AT_ONCE) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

const SELECT: Record<Kind, (column: string) => string> = {
  text: (column) => `t.${column}`,
  number: (column) => `t.${column}`,
  bigint: (column) => `CAST(t.${column} AS TEXT)`,
  bytes: (column) => `lower(hex(t.${column}))`,
};
