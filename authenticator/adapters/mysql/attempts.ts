import { hash, randomBytes } from 'node:crypto';
import { aheadBy } from '#common/clocks.ts';
import type { Mysql } from '#common/mysql/open.ts';
import { type Sql, sql } from '#common/mysql/sql.ts';
import type { Attempt, Budget } from '../../ports.ts';
import { exactly, rowsOf } from './rows.ts';

const FIRST_WAIT_MS = 1_000;
const SWEEP_MS = 60_000;
const DROPPED_AT_ONCE = 200;
const NO_ID = new Uint8Array(16);

/** Failed logins, and the addresses that know an account. The counters are in the database, so they hold whichever node is asked. */
export class Attempts {
  readonly #mysql: Mysql;
  /** By the clock that rows are forgotten by; where it is set, sweeping comes sooner, either way. */
  #sweptAt = 0;

  constructor(mysql: Mysql) {
    this.#mysql = mysql;
  }

  /** A refused attempt locks and writes nothing. For one that seems to be admitted it is decided under the locks of its budgets. */
  async admit(attempt: Attempt): Promise<number> {
    const { budgets, now } = attempt;
    await this.#sweep(now);
    const keyed = byKey(budgets);
    const wait = longestWait(keyed, await this.#mysql.query<State>(find(keyed)), now);
    return wait > 0 ? wait : this.#count(keyed, attempt);
  }

  /** Rows that are not there are made, so that there is something to lock. */
  #count(budgets: KeyedBudget[], { now, forgetMs }: Attempt): Promise<number> {
    const id = randomBytes(16);
    const rows = budgets.map(({ k }) => [k, 0, now, now + forgetMs, NO_ID]);
    return this.#mysql.transaction(async (tx) => {
      const [, found] = await tx.run(
        sql`INSERT INTO auth_attempt (k, tries, last_at, forget_at, last_id) VALUES ${rows}
            ON DUPLICATE KEY UPDATE tries = tries`,
        sql`${find(budgets)} FOR UPDATE`,
      );
      const states = rowsOf<State>(found);
      // An earlier run may have counted it, and the answer to its COMMIT got lost.
      if (states.some(({ lastId }) => Buffer.compare(lastId, id) === 0)) return 0;
      const wait = longestWait(budgets, states, now);
      if (wait > 0) return wait;
      await tx.commit(
        sql`UPDATE auth_attempt
            SET tries = IF(forget_at < ${now}, 0, tries) + 1, last_at = ${now}, forget_at = ${now + forgetMs}, last_id = ${id}
            WHERE k IN (${budgets.map(({ k }) => k)})`,
      );
      return 0;
    });
  }

  /** Nothing is taken back twice: where the answer to a COMMIT was lost, rather not at all. */
  async settle({ username, address, budgets, now }: Attempt, isSuccess: boolean): Promise<void> {
    const keyed = byKey(budgets);
    const own = budgets.slice(0, 1).map(({ key }) => keyOf(key));
    const success = [
      ...own.map((k) => sql`DELETE FROM auth_attempt WHERE k = ${k}`),
      makeKnown(username, address, now),
    ];
    let isSent = false;
    await this.#mysql.transaction(async (tx) => {
      await tx.run(sql`${find(keyed)} FOR UPDATE`);
      const takeBack = isSent ? [] : [less(keyed)];
      isSent = true;
      await tx.commit(...takeBack, ...(isSuccess ? success : []));
    });
  }

  async knows(username: string, address: string, since: number): Promise<boolean> {
    const rows = await this.#mysql.query<{ username: string; address: string }>(
      sql`SELECT username, address FROM auth_known_address
          WHERE username = ${username} AND address = ${address} AND used_at >= ${since}`,
    );
    const known = exactly(rows, (row) => row.username === username && row.address === address);
    return known !== undefined;
  }

  /** Those used meanwhile stay. */
  async dropAddresses(before: number): Promise<number> {
    const unused = await this.#mysql.query<{ username: string; address: string }>(
      sql`SELECT username, address FROM auth_known_address WHERE used_at < ${before}
          ORDER BY used_at LIMIT ${DROPPED_AT_ONCE}`,
    );
    if (unused.length === 0) return 0;
    const keys = unused.map(({ username, address }) => [username, address]);
    return this.#mysql.transaction(async (tx) => {
      const [dropped] = await tx.run(
        sql`DELETE FROM auth_known_address WHERE (username, address) IN (${keys}) AND used_at < ${before}`,
      );
      return dropped?.affectedRows ?? 0;
    });
  }

  /** Counters that are whole again need no row. Once a minute and node, and as long as there are many with every attempt. */
  async #sweep(now: number): Promise<void> {
    if (Math.abs(aheadBy(now, this.#sweptAt)) < SWEEP_MS) return;
    const forgotten = await this.#mysql.query<{ k: Uint8Array }>(
      sql`SELECT k FROM auth_attempt WHERE forget_at < ${now} ORDER BY forget_at LIMIT ${DROPPED_AT_ONCE}`,
    );
    if (forgotten.length < DROPPED_AT_ONCE) this.#sweptAt = now;
    if (forgotten.length === 0) return;
    const keys = forgotten.map(({ k }) => k).sort(Buffer.compare);
    await this.#mysql.transaction((tx) =>
      tx.run(sql`DELETE FROM auth_attempt WHERE k IN (${keys}) AND forget_at < ${now}`),
    );
  }
}

export function makeKnown(username: string, address: string, now: number): Sql {
  return sql`INSERT INTO auth_known_address (username, address, used_at) VALUES ${[[username, address, now]]}
             ON DUPLICATE KEY UPDATE used_at = GREATEST(used_at, VALUES(used_at))`;
}

function find(budgets: KeyedBudget[]): Sql {
  return sql`SELECT k, tries, last_at AS lastAt, forget_at AS forgetAt, last_id AS lastId
             FROM auth_attempt WHERE k IN (${budgets.map(({ k }) => k)}) ORDER BY k`;
}

function less(budgets: KeyedBudget[]): Sql {
  return sql`UPDATE auth_attempt SET tries = tries - 1 WHERE k IN (${budgets.map(({ k }) => k)}) AND tries > 0`;
}

/** In the order of their keys, as everybody locks them. */
function byKey(budgets: Budget[]): KeyedBudget[] {
  return budgets
    .map((budget) => ({ ...budget, k: keyOf(budget.key) }))
    .sort((a, b) => Buffer.compare(a.k, b.k));
}

/** Of a fixed width, whatever name somebody has tried. */
function keyOf(key: string): Buffer {
  return hash('sha256', key, 'buffer').subarray(0, 16);
}

function longestWait(budgets: KeyedBudget[], states: State[], now: number): number {
  const waits = budgets.map((budget) => {
    const state = states.find(({ k }) => budget.k.equals(k));
    return state === undefined || state.forgetAt < now ? 0 : waitOf(budget, state, now);
  });
  return Math.max(0, ...waits);
}

/**
 * Twice as long with each attempt beyond the free ones, up to the ceiling; no longer where the clock was set
 * back since.
 */
function waitOf({ free, ceilingMs }: Budget, { tries, lastAt }: State, now: number): number {
  if (tries < free) return 0;
  const wait = Math.min(ceilingMs, FIRST_WAIT_MS * 2 ** (tries - free));
  return Math.min(wait, Math.max(0, aheadBy(lastAt + wait, now)));
}

type KeyedBudget = Budget & { k: Buffer };

interface State {
  k: Uint8Array;
  tries: number;
  lastAt: number;
  forgetAt: number;
  lastId: Uint8Array;
}
