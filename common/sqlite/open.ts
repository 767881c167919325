import { DatabaseSync } from 'node:sqlite';

/** One numbered step of a schema: `name` for people, `sql` of one or more statements. Never edited once released. */
export interface Migration {
  name: string;
  sql: string;
}

/**
 * Opens a database file: WAL, every commit synced to disk, one writer that waits for its turn, foreign keys on,
 * and the schema at the newest of `migrations`.
 * @throws Error when the file was written by a newer program.
 */
export function openSqlite(path: string, migrations: readonly Migration[]): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 5_000 });
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON');
  migrate(db, path, migrations);
  return db;
}

/** Runs `work` in one transaction: committed when it returns, rolled back when it throws. */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function migrate(db: DatabaseSync, path: string, migrations: readonly Migration[]): void {
  transaction(db, () => {
    db.exec('CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT');
    const { done } = db.prepare('SELECT count(*) AS done FROM migration').get() as { done: number };
    if (done > migrations.length) {
      throw new Error(
        `${path} was written by a newer Chatterbox (schema ${done}, this one knows ${migrations.length})`,
      );
    }
    for (const [index, { name, sql }] of migrations.entries()) {
      if (index < done) continue;
      db.exec(sql);
      db.prepare('INSERT INTO migration (number, name) VALUES (?, ?)').run(index + 1, name);
    }
  });
}
