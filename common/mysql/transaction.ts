import type { Connection } from 'mysql2/promise';
import { aheadBy } from '../clocks.ts';
import { CONNECTION_KILLED } from './errors.ts';
import { block, type Sql, sql } from './sql.ts';

/** The result of one statement: its rows, or how many it changed. */
export type Result = unknown[] & { affectedRows?: number };

/** A transaction that has begun, or will with its first statement. */
export interface Tx {
  /** Runs the statements in one round trip; one result for each. */
  run(...statements: Sql[]): Promise<Result[]>;
  /** Runs the statements and commits, in one round trip. The last thing to do. */
  commit(...statements: Sql[]): Promise<void>;
}

/** What takes longer is given up. */
export const STATEMENT_MS = 5_000;

/**
 * Escaping on our side needs backslash escapes; READ COMMITTED lets the first message of a conversation wait for another one
 * instead of deadlocking with it; a lock is not waited for longer than a sender would; and the locks of a process that stands still in the
 * middle of a transaction are given back while others still try, by closing its connection.
 */
const SESSION = [
  sql`SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED`,
  sql`SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', innodb_lock_wait_timeout = 3, wait_timeout = 4, time_zone = '+00:00'`,
  sql`SET NAMES utf8mb4 COLLATE utf8mb4_bin`,
];

/** A text up to this length, UTF-16 units, goes to the server as one block where it can take one: a longer one takes longer so. */
const LONGEST_BLOCK = 16_384;

/** What a transaction says on its connection. */
export class OpenTransaction implements Tx {
  readonly #connection: Connection;
  readonly #server: ServerBehind;
  #state: 'new' | 'open' | 'committed' = 'new';

  constructor(connection: Connection, server: ServerBehind) {
    this.#connection = connection;
    this.#server = server;
  }

  async run(...statements: Sql[]): Promise<Result[]> {
    if (this.#state === 'open') return runOn(this.#connection, statements);
    this.#state = 'open';
    return (await runOn(this.#connection, [sql`START TRANSACTION`, ...statements])).slice(1);
  }

  /** Nobody looks at the results of its statements, so that they may come as one. */
  async commit(...statements: Sql[]): Promise<void> {
    const begin = this.#state === 'open' ? [] : [sql`START TRANSACTION`];
    this.#state = 'open';
    await runOn(this.#connection, this.#inTime([...begin, ...statements, sql`COMMIT`]));
    this.#state = 'committed';
  }

  /**
   * As one statement, where the server takes that and it is not long: each has a result to send and to take, which for a transaction of one
   * row is half of our work. With a guard, so that a server that was away does not carry out later what we have given up.
   */
  #inTime(statements: Sql[]): Sql[] {
    const { takesBlocks, clockAheadMs } = this.#server;
    if (!takesBlocks) return statements;
    const guarded = [unlessLate(clockAheadMs), ...statements];
    const length = statements.reduce((sum, { text }) => sum + text.length, 0);
    return length < LONGEST_BLOCK ? [block(guarded)] : guarded;
  }

  async commitIfOpen(): Promise<void> {
    if (this.#state === 'open') await this.commit();
  }
}

/** What we know of the server at the other end of a connection. */
export interface ServerBehind {
  /** Statements that are made of others, outside of a procedure: MariaDB's. */
  takesBlocks: boolean;
  /** Its clock to ours, which is the steady one of `performance`. A server whose clock is set forward fails once, and is asked again. */
  clockAheadMs: number;
}

/** Makes a new connection ready. */
export async function prepare(connection: Connection): Promise<ServerBehind> {
  const askedAt = performance.now();
  const asks = sql`SELECT VERSION() AS version, UNIX_TIMESTAMP(NOW(3)) * 1000 AS now`;
  const results = await runOn(connection, [...SESSION, asks]);
  const [{ version, now }] = results.at(-1) as [{ version: string; now: string }];
  const clockAheadMs = aheadBy(Number(now), (askedAt + performance.now()) / 2);
  return { takesBlocks: version.includes('MariaDB'), clockAheadMs };
}

/** Ends the connection where the server comes to it only after we have given up. */
function unlessLate(clockAheadMs: number): Sql {
  const until = Math.round(performance.now() + STATEMENT_MS + clockAheadMs);
  return sql`IF UNIX_TIMESTAMP(NOW(3)) * 1000 > ${until} THEN
    SIGNAL SQLSTATE '08S01' SET MYSQL_ERRNO = ${CONNECTION_KILLED}, MESSAGE_TEXT = 'came too late'; END IF`;
}

/** One round trip. What takes too long ends the connection, see `isConnectionTrouble`. */
export async function runOn(connection: Connection, statements: readonly Sql[]): Promise<Result[]> {
  const text = statements.map((statement) => statement.text).join(';\n');
  const [results] = await connection.query({ sql: text, timeout: STATEMENT_MS });
  return (statements.length === 1 ? [results] : results) as unknown as Result[];
}
