import { setTimeout as delay } from 'node:timers/promises';
import mysql, { type Connection, type PoolConnection, type PoolOptions } from 'mysql2/promise';
import { isConnectionTrouble, isLockTrouble, toStoreError, unavailable } from './errors.ts';
import { type Sql, sql } from './sql.ts';
import {
  OpenTransaction,
  prepare,
  type Result,
  runOn,
  type ServerBehind,
  STATEMENT_MS,
  type Tx,
} from './transaction.ts';

export interface MysqlOptions {
  /** `mysql://user:password@host:port/database`; `?tls=on` encrypts, `?tls=verify` checks the certificate too. */
  url: string;
  connections?: number;
  /** How many connections may wait unused for longer than a moment; as many as there may be: none is ever closed by us. */
  idle?: number;
}

const CONNECT_MS = 3_000;
const ACQUIRE_MS = 3_000;
const MAX_WAITING = 1_000;
const ATTEMPTS = 6;
const PAUSE_MS = 25;
/** No further attempt after this long: the sender has been waiting enough, and what was given up as a whole is not tried again. */
const PATIENCE_MS = STATEMENT_MS - 500;

/** Connections that nobody uses are closed before the server does it. */
const IDLE_MS = 2_000;

/** What mysql2 is told for every connection. */
export function connectionOptions(url: string): PoolOptions {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url);
  const tls = searchParams.get('tls');
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || 3306),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
    ...(tls === 'on' || tls === 'verify'
      ? { ssl: { rejectUnauthorized: tls === 'verify', verifyIdentity: tls === 'verify' } }
      : {}),
    charset: 'UTF8MB4_BIN',
    timezone: 'Z',
    supportBigNumbers: true,
    multipleStatements: true,
    connectTimeout: CONNECT_MS,
    // Else an INSERT that changes nothing counts as one that did.
    flags: ['-FOUND_ROWS'],
  };
}

/** A bounded pool of connections. Every method rejects with UNAVAILABLE when the server does not answer in time. */
export class Mysql implements AsyncDisposable {
  readonly #pool: mysql.Pool;
  /** For each connection that is ready. */
  readonly #servers = new WeakMap<Connection, ServerBehind>();
  /** How many connections are in use, and how many callers wait for one. */
  readonly use = { busy: 0, waiting: 0 };
  #isClosed = false;
  #connectionsMade = 0;

  constructor({ url, connections = 10, idle = 1 }: MysqlOptions) {
    this.#pool = mysql.createPool({
      ...connectionOptions(url),
      connectionLimit: connections,
      queueLimit: MAX_WAITING,
      maxIdle: idle,
      idleTimeout: IDLE_MS,
      enableKeepAlive: true,
      // `sql` has put the values in; looking for placeholders in a long statement costs as much as making it.
      queryFormat: (statement: string) => statement,
      // A stack for each statement, in case it fails, is 5 % of a short one.
      trace: false,
    });
  }

  /** How many connections were made until now: behind a new one there may be another server. */
  get connectionsMade(): number {
    return this.#connectionsMade;
  }

  /** Runs one statement by itself; a read that met a dead connection is tried on another. */
  async query<Row>(statement: Sql): Promise<Row[]> {
    const [rows] = await this.queries(statement);
    return rows as Row[];
  }

  /** Runs the statements, reads only, in one round trip; one result for each. */
  queries(...statements: Sql[]): Promise<Result[]> {
    return this.#attempts((connection) => runOn(connection, statements), false);
  }

  /**
   * Runs `work` in a transaction, and commits when it returns unless it did itself. Where another transaction was in the way, or the
   * connection broke, it is rolled back and `work` runs again from the start, a few times; so also when the answer to a COMMIT is lost
   * and nobody knows whether it happened: `work` must see for itself what an earlier run of it has done. `again` says of another error
   * that `work`, run again, will not meet it; then it is run at once.
   */
  async transaction<T>(
    work: (tx: Tx) => Promise<T>,
    again: (error: unknown) => boolean = () => false,
  ): Promise<T> {
    try {
      return await this.#transaction(work);
    } catch (error) {
      if (!again(error)) throw error;
      return this.#transaction(work);
    }
  }

  #transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#attempts(async (connection, server) => {
      const tx = new OpenTransaction(connection, server);
      try {
        const result = await work(tx);
        await tx.commitIfOpen();
        return result;
      } catch (error) {
        // A lock time-out leaves the transaction open, and a later COMMIT would keep half of it.
        if (!isConnectionTrouble(error)) await runOn(connection, [sql`ROLLBACK`]);
        throw error;
      }
    }, true);
  }

  /** Again where that may help. Of a server that cannot be reached only where a COMMIT may be on its way: else it is answered at once. */
  async #attempts<T>(work: OnConnection<T>, isTransaction: boolean): Promise<T> {
    let hasBroken = false;
    const deadline = performance.now() + PATIENCE_MS;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#withConnection(work);
      } catch (error) {
        const isBroken = isConnectionTrouble(error) && !isUnreachable(error);
        const mayPass = isLockTrouble(error) || isBroken;
        const isUnknown = isTransaction && hasBroken && isUnreachable(error);
        const isOver = this.#isClosed || attempt === ATTEMPTS || performance.now() > deadline;
        if (isOver || !(mayPass || isUnknown)) throw toStoreError(error);
        hasBroken ||= isBroken;
      }
      await delay(PAUSE_MS * attempt * (0.5 + Math.random()));
    }
  }

  async #withConnection<T>(work: OnConnection<T>): Promise<T> {
    this.use.waiting++;
    const connection = await this.#acquire().finally(() => this.use.waiting--);
    this.use.busy++;
    try {
      const server = this.#servers.get(connection.connection) ?? (await this.#prepare(connection));
      const result = await work(connection, server);
      connection.release();
      return result;
    } catch (error) {
      // Whatever state it is in, nobody else should get it.
      if (isConnectionTrouble(error)) connection.destroy();
      else connection.release();
      throw error;
    } finally {
      this.use.busy--;
    }
  }

  async #prepare(connection: PoolConnection): Promise<ServerBehind> {
    const server = await prepare(connection);
    this.#servers.set(connection.connection, server);
    this.#connectionsMade++;
    return server;
  }

  /** The pool itself would wait for ever; a connection that comes too late goes back. */
  async #acquire(): Promise<PoolConnection> {
    if (this.#isClosed) throw unavailable(new Error('the store is closed'));
    const acquiring = this.#pool.getConnection().catch((cause: unknown) => {
      throw Object.assign(new Error('no connection', { cause }), unreachable(cause));
    });
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      acquiring.then((connection) => connection.release()).catch(() => {});
      late.reject(Object.assign(new Error('no connection in time'), unreachable(undefined)));
    }, ACQUIRE_MS);
    try {
      return await Promise.race([acquiring, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#pool.end();
  }
}

type OnConnection<T> = (connection: PoolConnection, server: ServerBehind) => Promise<T>;

/** Nothing was begun, so nothing can have happened. */
const UNREACHABLE = 'EUNREACHABLE';

function unreachable(cause: unknown): { code: string; errno?: number } {
  const { errno } = (cause ?? {}) as { errno?: number };
  return { code: UNREACHABLE, ...(errno === undefined ? {} : { errno }) };
}

function isUnreachable(error: unknown): boolean {
  return (error as { code?: string }).code === UNREACHABLE;
}
