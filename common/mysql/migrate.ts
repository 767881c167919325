import mysql, { type Connection } from 'mysql2/promise';
import { ServiceError } from '../errors.ts';
import {
  type AppliedStep,
  type Migration,
  type StepStatus,
  stepStatuses,
  stepsToRun,
} from '../migrations.ts';
import { connectionOptions } from './open.ts';

/** The part of a database that one service owns; several may share a database. */
export interface Schema {
  part: string;
  migrations: readonly Migration[];
}

const LOCK_SECONDS = 60;

/**
 * Brings the database to the newest step. Any number of nodes may do this at once: one does, the others wait for it.
 * MySQL commits each CREATE or ALTER by itself, so a step that was cut short runs again: it is one statement, or several with
 * `IF NOT EXISTS`; that a column is there already, or gone, means that it ran.
 * @throws Error when the database was written by a newer program.
 */
export async function migrateMysql(url: string, schema: Schema): Promise<void> {
  await withConnection(url, async (connection) => {
    await locked(connection, schema.part, async () => {
      const where = nameOf(url);
      for (const step of stepsToRun(where, await applied(connection, schema.part), schema.migrations)) {
        await runStep(connection, step.sql);
        await connection.query('INSERT INTO migration (part, number, name, checksum) VALUES (?, ?, ?, ?)', [
          schema.part,
          step.number,
          step.name,
          step.checksum,
        ]);
      }
    });
  });
}

/** There is such a table, column or key already; there is none to drop. MySQL has no `ADD COLUMN IF NOT EXISTS`. */
const DONE_ALREADY = [1050, 1060, 1061, 1091];

async function runStep(connection: Connection, statements: string): Promise<void> {
  try {
    await connection.query(statements);
  } catch (error) {
    if (!DONE_ALREADY.includes((error as { errno?: number }).errno ?? 0)) throw error;
  }
}

/** Every step, and whether it has run; changes nothing. @throws Error like `migrateMysql`. */
export function mysqlStatus(url: string, schema: Schema): Promise<StepStatus[]> {
  return withConnection(url, async (connection) => {
    const [tables] = await connection.query<mysql.RowDataPacket[]>("SHOW TABLES LIKE 'migration'");
    const steps = tables.length === 0 ? [] : await rows(connection, schema.part);
    return stepStatuses(nameOf(url), steps, schema.migrations);
  });
}

async function applied(connection: Connection, part: string): Promise<AppliedStep[]> {
  await connection.query(`
    CREATE TABLE IF NOT EXISTS migration (
      part VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
      number INT NOT NULL,
      name VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
      checksum CHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
      PRIMARY KEY (part, number)
    )`);
  return rows(connection, part);
}

async function rows(connection: Connection, part: string): Promise<AppliedStep[]> {
  const [found] = await connection.query<mysql.RowDataPacket[]>(
    'SELECT number, name, checksum FROM migration WHERE part = ? ORDER BY number',
    [part],
  );
  return found as unknown as AppliedStep[];
}

async function locked(connection: Connection, part: string, work: () => Promise<void>): Promise<void> {
  const lock = `concat('chatterbox ', left(md5(concat(database(), ?)), 32))`;
  const [[answer]] = await connection.query<mysql.RowDataPacket[]>(
    `SELECT get_lock(${lock}, ${LOCK_SECONDS}) AS got`,
    [part],
  );
  if (answer?.got !== 1)
    throw new ServiceError('UNAVAILABLE', {
      detail: 'another node has been changing the schema for a minute; try again later',
    });
  try {
    await work();
  } finally {
    await connection.query(`SELECT release_lock(${lock})`, [part]);
  }
}

async function withConnection<T>(url: string, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await mysql.createConnection(connectionOptions(url));
  try {
    return await work(connection);
  } finally {
    connection.destroy();
  }
}

/** For messages: without the password. */
function nameOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}
