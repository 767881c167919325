import { aheadBy } from '#common/clocks.ts';
import { isDuplicate } from '#common/mysql/errors.ts';
import type { Mysql } from '#common/mysql/open.ts';
import { sql } from '#common/mysql/sql.ts';
import type { Place } from './journal-lane.ts';

/**
 * After this long without a batch a node numbers its batches anew, long before its old numbers are forgotten.
 * By the clock that the forgetting goes by, which also counts while the machine sleeps; where it was set by
 * so much, back or forward, the node numbers anew too.
 */
const RENEW_MS = 24 * 3_600_000;
/** More nodes than this do not start at the same moment. */
const MOST_TRIES = 50;

/**
 * This process's part of the journal: a node number that nobody had before, and the numbers of its batches. A number goes to another batch
 * only where it is certain that the first one was not written.
 */
export class JournalNode {
  readonly #mysql: Mysql;
  #node = 0;
  #lastBatch = 0;
  #usedAt = 0;
  #askedAt = 0;
  /**
   * The numbers that this process had, now or before, each with the last batch that is certain to be written.
   */
  readonly #written = new Map<number, number>();

  constructor(mysql: Mysql) {
    this.#mysql = mysql;
  }

  /** Whether this process had the number, now or before. */
  has(node: number): boolean {
    return this.#written.has(node);
  }

  /** The last batch of each number that is certain to be written. */
  get lastWritten(): ReadonlyMap<number, number> {
    return this.#written;
  }

  /**
   * Takes another number for the next batch, and disowns the former ones: in the log of another epoch they
   * may be those of others.
   */
  renumber(): void {
    this.#node = 0;
    this.#written.clear();
  }

  async nextPlace(now: number): Promise<Place> {
    if (this.#node === 0 || Math.abs(aheadBy(now, this.#usedAt)) > RENEW_MS) await this.#register(now);
    this.#askedAt = now;
    return { node: this.#node, batch: this.#lastBatch + 1 };
  }

  used({ node, batch }: Place): void {
    if (node !== this.#node) return;
    this.#lastBatch = batch;
    this.#usedAt = this.#askedAt;
  }

  written({ node, batch }: Place): void {
    if (this.#written.has(node)) this.#written.set(node, batch);
  }

  /** The newest node is never removed, so no number comes twice. Of several that take the same, one has it and the others try again. */
  async #register(now: number): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        this.#node = await this.#takeNumber(now);
        break;
      } catch (error) {
        if (!isDuplicate(error) || tries === MOST_TRIES) throw error;
      }
    }
    this.#usedAt = now;
    this.#written.set(this.#node, 0);
    this.#lastBatch = 0;
  }

  #takeNumber(now: number): Promise<number> {
    return this.#mysql.transaction(async (tx) => {
      const [rows] = await tx.run(sql`SELECT node FROM journal_node ORDER BY node DESC LIMIT 1 FOR UPDATE`);
      const node = ((rows?.[0] as { node: number } | undefined)?.node ?? 0) + 1;
      await tx.commit(sql`INSERT INTO journal_node (node, pruned, last_at) VALUES ${[[node, 0, now]]}`);
      return node;
    });
  }
}
