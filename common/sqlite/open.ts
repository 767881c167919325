import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import {
  type AppliedStep,
  type Migration,
  type StepStatus,
  stepStatuses,
  stepsToRun,
} from '../migrations.ts';

export type { Migration };

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

/** Every step of a file's schema, and whether it has run; changes nothing. @throws Error when a newer program wrote it. */
export function sqliteStatus(path: string, migrations: readonly Migration[]): StepStatus[] {
  if (!existsSync(path)) return stepStatuses(path, [], migrations);
  const db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  try {
    return stepStatuses(path, applied(db), migrations);
  } finally {
    db.close();
  }
}

function migrate(db: DatabaseSync, path: string, migrations: readonly Migration[]): void {
  transaction(db, () => {
    db.exec(
      'CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT) STRICT',
    );
    if (!hasChecksums(db)) db.exec('ALTER TABLE migration ADD COLUMN checksum TEXT');
    for (const { number, name, sql, checksum } of stepsToRun(path, applied(db), migrations)) {
      db.exec(sql);
      db.prepare('INSERT INTO migration (number, name, checksum) VALUES (?, ?, ?)').run(
        number,
        name,
        checksum,
      );
    }
  });
}

function applied(db: DatabaseSync): AppliedStep[] {
  const checksum = hasChecksums(db) ? 'checksum' : 'NULL AS checksum';
  const steps: unknown[] = db
    .prepare(`SELECT number, name, ${checksum} FROM migration ORDER BY number`)
    .all();
  return steps as AppliedStep[];
}

/** The first program kept none. */
function hasChecksums(db: DatabaseSync): boolean {
  return (
    db.prepare("SELECT 1 FROM pragma_table_info('migration') WHERE name = 'checksum'").get() !== undefined
  );
}
