import neo4j, { type AuthToken, type Driver, type ManagedTransaction, type SessionMode } from 'neo4j-driver';
import { toGraphError, unavailable } from './errors.ts';

/** A transaction that runs statements one after the other; a row is an object of what the statement returns. */
export interface Tx {
  run<Row>(statement: string, values?: Values): Promise<Row[]>;
}

export type Values = Record<string, Value>;
export type Value = string | number | boolean | readonly Value[] | object;

const CONNECT_MS = 2_000;
const ACQUIRE_MS = 3_000;
/**
 * The driver tries again where another transaction or a lost connection was in the way, as long as the last failure was before this. Its
 * first pause is a second: so once, and who waits is answered, or follows a feed again, soon after.
 */
const RETRY_MS = 900;
/** A paused server says nothing at all, and the driver would wait for it: what a caller waits at most. */
const PATIENCE_MS = 3_500;
/** For what no caller waits for: batches of a feed, the schema. */
export const BATCH_MS = 30_000;
const CONNECTIONS = 50;

/** A bounded pool of connections to one Neo4j or a cluster. Every method rejects with UNAVAILABLE where there is no answer in time. */
export class Neo4j implements AsyncDisposable {
  /** For messages: without the password. */
  readonly where: string;
  readonly #driver: Driver;
  readonly #database: string;
  /** In a cluster, a read sees what was written through us before. */
  readonly #bookmarks = neo4j.bookmarkManager();

  /** `url`: `neo4j://user:password@host:port/database` and its kin, as CHATTERBOX_GRAPH_URL says. Does not connect yet. */
  constructor(url: string) {
    const { protocol, host, pathname } = new URL(url);
    this.where = host + pathname.replace(/^\/$/, '');
    this.#database = decodeURIComponent(pathname.slice(1));
    this.#driver = neo4j.driver(`${protocol}//${host}`, credentials(url), {
      maxConnectionPoolSize: CONNECTIONS,
      connectionTimeout: CONNECT_MS,
      connectionAcquisitionTimeout: ACQUIRE_MS,
      maxTransactionRetryTime: RETRY_MS,
      // Our integers are counts and milliseconds: far below 2^53.
      disableLosslessIntegers: true,
      notificationFilter: { minimumSeverityLevel: 'OFF' },
      telemetryDisabled: true,
      userAgent: 'chatterbox',
    });
  }

  /** Runs `work` in a transaction that only reads, in a cluster on a follower; from the start again where that may help. */
  read<T>(work: (tx: Tx) => Promise<T>, patienceMs = PATIENCE_MS): Promise<T> {
    return this.#run(neo4j.session.READ, patienceMs, work);
  }

  /** Runs `work` in a transaction; from the start again where that may help, so that it may have happened before. */
  write<T>(work: (tx: Tx) => Promise<T>, patienceMs = PATIENCE_MS): Promise<T> {
    return this.#run(neo4j.session.WRITE, patienceMs, work);
  }

  async #run<T>(mode: SessionMode, patienceMs: number, work: (tx: Tx) => Promise<T>): Promise<T> {
    const session = this.#session(mode);
    const config = { timeout: patienceMs };
    const run = (transaction: ManagedTransaction) => work(new OpenTransaction(transaction));
    try {
      const running =
        mode === neo4j.session.READ ? session.executeRead(run, config) : session.executeWrite(run, config);
      return await within(running, patienceMs);
    } catch (error) {
      throw toGraphError(error);
    } finally {
      // Not awaited: while the server is silent it would not come to an end.
      discard(session.close());
    }
  }

  #session(defaultAccessMode: SessionMode) {
    const database = this.#database === '' ? {} : { database: this.#database };
    return this.#driver.session({ defaultAccessMode, bookmarkManager: this.#bookmarks, ...database });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await within(this.#driver.close(), PATIENCE_MS).catch(() => {});
  }
}

class OpenTransaction implements Tx {
  readonly #transaction: ManagedTransaction;

  constructor(transaction: ManagedTransaction) {
    this.#transaction = transaction;
  }

  async run<Row>(statement: string, values: Values = {}): Promise<Row[]> {
    const { records } = await this.#transaction.run(statement, toParameters(values));
    return records.map((record) => record.toObject() as Row);
  }
}

/** The driver sends a number as a float, even a whole one; of a bigint it makes an integer. */
function toParameters(value: Value): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(toParameters);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, toParameters(item)]));
}

function credentials(url: string): AuthToken {
  const { username, password } = new URL(url);
  if (username === '') return { scheme: 'none', principal: '', credentials: '' };
  return neo4j.auth.basic(decodeURIComponent(username), decodeURIComponent(password));
}

async function within<T>(running: Promise<T>, patienceMs: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(unavailable(new Error('no answer in time'))), patienceMs);
  try {
    return await Promise.race([running, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function discard(promise: Promise<void>): void {
  promise.catch(() => {});
}
