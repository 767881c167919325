import { toStoreError } from '#common/mysql/errors.ts';
import type { Mysql } from '#common/mysql/open.ts';
import { type Sql, sql } from '#common/mysql/sql.ts';
import type { Tx } from '#common/mysql/transaction.ts';
import type { News } from '../../ports.ts';
import type { JournalNode } from './journal-node.ts';

/** What a transaction, having read what it must under its locks, is to write. */
export interface Planned<T> {
  result: T;
  writes: Sql[];
  /** What others must hear of it; without, nothing is journalled, and `writes` must bear to be run again. */
  news: News | undefined;
}

/** One transaction to be. */
export interface Work<T> {
  /** Runs again from the start where a transaction was in the way, its connection broke, or `again` says so. */
  plan(tx: Tx): Promise<Planned<T>>;
  /** Whether another run of `plan` will not meet this error. Asked once. */
  again?(error: unknown): boolean;
}

/** Transactions of one node, one at a time in the order of the calls, each with its row in the journal. */
export class JournalLane {
  readonly #mysql: Mysql;
  readonly #node: JournalNode;
  readonly #onUnknown: (place: Place) => void;
  #last: Promise<unknown> = Promise.resolve();

  /** `onUnknown` hears of a batch that failed, and may have been committed, or may yet be. */
  constructor(mysql: Mysql, node: JournalNode, onUnknown: (place: Place) => void) {
    this.#mysql = mysql;
    this.#node = node;
    this.#onUnknown = onUnknown;
  }

  run<T>(now: number, work: Work<T>): Promise<T> {
    const result = this.#last.then(() => this.#run(now, work));
    this.#last = result.catch(() => {});
    return result;
  }

  async #run<T>(now: number, { plan, again }: Work<T>): Promise<T> {
    const place = await this.#node.nextPlace(now);
    let sent: Planned<T> | undefined;
    try {
      const result = await this.#mysql.transaction(async (tx) => {
        const planned = await plan(tx);
        // An earlier run may have committed and its answer got lost. Under these locks it has, or it never will.
        if (sent !== undefined && (await isWritten(tx, place))) return sent.result;
        sent = planned.news && planned;
        const rows = planned.news === undefined ? [] : [journalRow(planned.news, place, now)];
        if (planned.writes.length > 0)
          await tx.commit(...planned.writes, ...rows).catch((error: unknown) => {
            // The server has refused it, so its number is free, and the journal gets no gap.
            if (isRefused(error)) sent = undefined;
            throw error;
          });
        return planned.result;
      }, again);
      if (sent !== undefined) this.#node.written(place);
      return result;
    } catch (error) {
      if (sent !== undefined) this.#onUnknown(place);
      throw error;
    } finally {
      // Also where it is not known whether it was written: its number is not given to another batch.
      if (sent !== undefined) this.#node.used(place);
    }
  }
}

/** A batch's place in the journal. */
export interface Place {
  node: number;
  batch: number;
}

/** By what the statements say, and so rolled back for certain: not by the trouble of server or network. */
function isRefused(error: unknown): boolean {
  return toStoreError(error) === error;
}

async function isWritten(tx: Tx, { node, batch }: Place): Promise<boolean> {
  const [rows] = await tx.run(sql`SELECT 1 FROM journal WHERE node = ${node} AND batch = ${batch}`);
  return (rows?.length ?? 0) > 0;
}

function journalRow(news: News, { node, batch }: Place, now: number): Sql {
  return sql`INSERT INTO journal (node, batch, at, news) VALUES ${[[node, batch, now, JSON.stringify(news)]]}`;
}
