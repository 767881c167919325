import type { Mysql } from '#common/mysql/open.ts';
import { sql } from '#common/mysql/sql.ts';
import type { News, SharedLog } from '../../ports.ts';
import { epochIn, renewEpoch } from './epoch.ts';
import { batchesAfter, goesBeyond, JOURNAL_NODES, type NodeRow } from './journal.ts';
import type { Place } from './journal-lane.ts';
import type { JournalNode } from './journal-node.ts';

/** A batch whose number was passed over may still come: its COMMIT may be on the way to a server that stands still. */
const MAY_COME_MS = 15_000;
const BATCHES_AT_ONCE = 200;
/** News of one round trip, bytes, and a batch of each node. */
const MAX_NEWS = 1024 * 1024;
const AWAITED_AT_ONCE = 20;
/** How far behind a node's newest batch one may still come: a node commits one after the other. */
const NEWEST = 100;
const MOST_AWAITED = 1_000;

/** What other nodes have written to the journal, read as it comes, see SharedLog. */
export class OtherNodes implements SharedLog {
  readonly #mysql: Mysql;
  readonly #own: readonly JournalNode[];
  readonly #steady: () => number;
  readonly #onEpoch: () => void;
  #epoch = '';
  /** The newest batch of each node that was read. */
  readonly #reached = new Map<number, number>();
  /** Batches before that which were not there. */
  #missing: Missing[] = [];
  /** What was read and not told yet: a later page may fail. */
  #untold: News = { commits: [], marks: [] };

  /**
   * `steady`: ms that only grow, see common/clocks.ts. `onEpoch` hears that what was remembered of the log
   * does not hold any more.
   */
  constructor(mysql: Mysql, own: readonly JournalNode[], steady: () => number, onEpoch: () => void) {
    this.#mysql = mysql;
    this.#own = own;
    this.#steady = steady;
    this.#onEpoch = onEpoch;
  }

  /** From now on everything is news. To be called once, before anybody reads the store. */
  async begin(): Promise<void> {
    const { epoch, nodes } = await this.#look();
    this.#epoch = epoch;
    await this.#beginWith(nodes);
  }

  async news(): Promise<News | undefined> {
    const known = this.#known();
    const { epoch, nodes: all } = await this.#look();
    if (epoch !== this.#epoch || goesBeyond(known, all)) return this.#beginEpoch(epoch, all);
    const nodes = this.#others(all);
    if (nodes.some(({ node, pruned }) => pruned > this.#reachedOf(node))) {
      await this.#beginWith(nodes);
      return undefined;
    }
    let behind = nodes;
    let hasMore = false;
    do {
      const { rows, areAllAwaited } = await this.#batches(behind);
      for (const { news } of rows) {
        const { commits, marks } = JSON.parse(news) as News;
        this.#untold.commits.push(...commits);
        this.#untold.marks.push(...marks);
      }
      // Of a node that has ended its batches may be forgotten meanwhile.
      behind = behind.filter(
        ({ node, last }) => this.#reachedOf(node) < last && rows.some((row) => row.node === node),
      );
      hasMore = behind.length > 0 || !areAllAwaited;
    } while (hasMore);
    const news = this.#untold;
    this.#untold = { commits: [], marks: [] };
    return news;
  }

  /** A batch of our own that may have been committed without our knowing: if so, it is news to us too. */
  await({ node, batch }: Place): void {
    this.#missing.push({ node, batch, noticedAt: this.#steady() });
  }

  /** Where another epoch has begun, or is to begin because the journal ends before what is known of it. */
  async #beginEpoch(epoch: string, nodes: NodeRow[]): Promise<undefined> {
    const present = epoch === this.#epoch ? await renewEpoch(this.#mysql, epoch) : epoch;
    for (const node of this.#own) node.renumber();
    this.#onEpoch();
    this.#untold = { commits: [], marks: [] };
    this.#reached.clear();
    await this.#beginWith(nodes);
    this.#epoch = present;
  }

  /** The batches that are certain to be in the journal. To be asked for before the journal is looked at. */
  #known(): { before: number; batchOf: Map<number, number> } {
    const own = this.#own.flatMap(({ lastWritten }) => [...lastWritten]);
    return { before: 0, batchOf: new Map([...this.#reached, ...own]) };
  }

  async #beginWith(nodes: NodeRow[]): Promise<void> {
    const newest = nodes.map(
      ({ node, last }) =>
        sql`SELECT node, batch, '' AS news FROM journal WHERE node = ${node} AND batch > ${last - NEWEST} AND batch <= ${last} ORDER BY batch`,
    );
    const results = newest.length === 0 ? [] : await this.#mysql.queries(...newest);
    this.#missing = [];
    for (const [i, { node, pruned, last }] of nodes.entries()) {
      const rows = (results[i] ?? []) as unknown[] as BatchRow[];
      this.#reached.set(node, Math.max(pruned, last - NEWEST));
      for (const row of rows) this.#passOver(row);
      this.#reached.set(node, last);
    }
  }

  async #look(): Promise<{ epoch: string; nodes: NodeRow[] }> {
    const rows = await this.#mysql.query<NodeRow & { epoch: string }>(
      sql`SELECT e.epoch, n.* FROM log_epoch e LEFT JOIN (${JOURNAL_NODES}) n ON TRUE ORDER BY n.node`,
    );
    return { epoch: epochIn(rows), nodes: rows.filter(({ node }) => node !== null) };
  }

  #others(nodes: NodeRow[]): NodeRow[] {
    return nodes.filter(({ node }) => !this.#isOwn(node));
  }

  #isOwn(node: number): boolean {
    return this.#own.some((one) => one.has(node));
  }

  /** What is new of these nodes, and what was missing and has come, in one round trip. */
  async #batches(nodes: NodeRow[]): Promise<{ rows: BatchRow[]; areAllAwaited: boolean }> {
    const behind = nodes.filter(({ node, last }) => last > this.#reachedOf(node));
    const bound = { limit: BATCHES_AT_ONCE, maxNews: MAX_NEWS / Math.max(1, behind.length) };
    const news = behind.map(({ node }) => batchesAfter(node, this.#reachedOf(node), bound));
    const awaited = this.#missing.slice(-MOST_AWAITED).map(({ node, batch }) => [node, batch]);
    if (awaited.length > 0)
      news.push(
        sql`SELECT node, batch, news FROM journal WHERE (node, batch) IN (${awaited}) LIMIT ${AWAITED_AT_ONCE}`,
      );
    if (news.length === 0) return { rows: [], areAllAwaited: true };
    const results = await this.#mysql.queries(...news);
    const rows = results.flat() as unknown[] as BatchRow[];
    for (const row of rows) if (!this.#isOwn(row.node)) this.#passOver(row);
    const since = this.#steady() - MAY_COME_MS;
    const came = new Set(rows.map(({ node, batch }) => `${node}:${batch}`));
    this.#missing = this.#missing.filter((m) => m.noticedAt > since && !came.has(`${m.node}:${m.batch}`));
    return { rows, areAllAwaited: (results[behind.length]?.length ?? 0) < AWAITED_AT_ONCE };
  }

  /** Notes the batch as read, and those between it and the one before it as missing. */
  #passOver({ node, batch }: BatchRow): void {
    const reached = this.#reachedOf(node);
    for (let missing = Math.max(reached + 1, batch - NEWEST); missing < batch; missing++)
      this.#missing.push({ node, batch: missing, noticedAt: this.#steady() });
    this.#reached.set(node, Math.max(reached, batch));
  }

  #reachedOf(node: number): number {
    return this.#reached.get(node) ?? 0;
  }
}

interface BatchRow {
  node: number;
  batch: number;
  news: string;
}

interface Missing {
  node: number;
  batch: number;
  /** By the steady clock. */
  noticedAt: number;
}
