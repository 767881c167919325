import { timeBefore } from '#common/clocks.ts';
import type { Mysql } from '#common/mysql/open.ts';
import { type Sql, sql } from '#common/mysql/sql.ts';
import type { JournalPage, News } from '../../ports.ts';
import { formatPlace, type Place, parsePlace, reachedIn } from './journal-place.ts';
import { SettledBatches } from './settled-batches.ts';

/** A journal reader that has not been seen for so long no longer holds the journal; it starts anew from a snapshot. */
const READER_LIFETIME_MS = 7 * 24 * 3_600_000;

/** For the other nodes, which look every second and are no readers. */
const KEPT_MS = 60_000;

/** What nobody reads is kept for so long. */
const UNREAD_MS = 3_600_000;

/** News of a page, bytes, after which it counts as full. */
const MAX_NEWS = 1024 * 1024;

/** How many of a node's newest batches are looked through for one that may still come. */
const NEWEST = 5_000;
const PRUNED_AT_ONCE = 1_000;

/**
 * The journal of all nodes: each numbers its own batches, in commit order, and a reader follows all of them. Between nodes there is no
 * order but `lastSeq`; pages are merged by time.
 */
export class Journal {
  readonly #mysql: Mysql;
  readonly #clock: () => number;
  readonly #settled: SettledBatches;

  constructor(mysql: Mysql, clock: () => number, steady: () => number) {
    this.#mysql = mysql;
    this.#clock = clock;
    this.#settled = new SettledBatches(steady);
  }

  async read(cursor: string, limit: number): Promise<JournalPage | undefined> {
    const place = parsePlace(cursor);
    if (place === undefined) return undefined;
    const nodes = await this.#nodes();
    if (!isPlace(place, nodes)) return undefined;
    const news = limit === 0 ? [] : nodes.filter(({ node, last }) => last > reachedIn(place, node));
    if (news.length === 0) return { commits: [], cursor: this.#cursorOf(place, nodes) };
    const bound = { limit, maxNews: MAX_NEWS / news.length };
    const results = await this.#mysql.queries(
      ...news.map(({ node }) => batchesAfter(node, reachedIn(place, node), bound)),
    );
    const behindGaps: Batch[] = [];
    const batches = results.flatMap((rows, i) => {
      const found = rows as unknown[] as Batch[];
      const whole = this.#withoutGaps(found, reachedIn(place, news[i]?.node ?? 0));
      behindGaps.push(...found.slice(whole.length, whole.length + 1));
      return whole;
    });
    const page = mergeByTime(batches).slice(0, limit);
    const batchOf = new Map(place.batchOf);
    for (const { node, batch } of page) batchOf.set(node, batch);
    return {
      commits: page.flatMap(({ news }) => (JSON.parse(news) as News).commits),
      cursor: this.#cursorOf({ before: place.before, batchOf }, nodes),
      ...this.#lookAgain(behindGaps),
    };
  }

  /** Whether `cursor` names a batch or a node after the last one. */
  async isBeyond(cursor: string): Promise<boolean> {
    const place = parsePlace(cursor);
    return place !== undefined && goesBeyond(place, await this.#nodes());
  }

  /** Before any batch that may still come. */
  async end(): Promise<string> {
    const nodes = await this.#nodes();
    const batchOf = new Map<number, number>();
    const alive = nodes.filter(({ last }) => last > 0);
    const results =
      alive.length === 0 ? [] : await this.#mysql.queries(...alive.map(({ node }) => newestBatches(node)));
    for (const [i, { node, pruned, last }] of alive.entries()) {
      const rows = (results[i] as unknown[] as Batch[]).toReversed();
      const before = (rows[0]?.batch ?? last + 1) - 1;
      batchOf.set(
        node,
        this.#withoutGaps(rows, Math.max(before, pruned)).at(-1)?.batch ?? Math.max(before, pruned),
      );
    }
    return this.#cursorOf({ before: firstOf(nodes), batchOf }, nodes);
  }

  async acknowledge(reader: string, cursor: string, now: number): Promise<void> {
    await this.#mysql.transaction(async (tx) => {
      await tx.run(
        sql`INSERT INTO journal_reader (name, place, seen_at) VALUES ${[[reader, cursor, now]]}
            ON DUPLICATE KEY UPDATE place = VALUES(place), seen_at = VALUES(seen_at)`,
      );
    });
  }

  /** True when there is more to prune. */
  async prune(now: number): Promise<boolean> {
    await this.#mysql.transaction((tx) =>
      tx.commit(sql`DELETE FROM journal_reader WHERE seen_at < ${timeBefore(now, READER_LIFETIME_MS)}`),
    );
    const readers = await this.#mysql.query<{ place: string }>(sql`SELECT place FROM journal_reader`);
    const places = readers.map(({ place }) => parsePlace(place)).filter((place) => place !== undefined);
    const nodes = await this.#nodes();
    let hasMore = false;
    for (const node of nodes) hasMore = (await this.#prune(node, places, now)) || hasMore;
    await this.#retire(nodes, now);
    return hasMore;
  }

  /** Behind all readers, and behind their lifetime. True when there is more of this node. */
  async #prune({ node, pruned, last }: NodeRow, places: Place[], now: number): Promise<boolean> {
    if (pruned >= last) return false;
    const read = Math.min(last, ...places.map((place) => reachedIn(place, node)));
    const readBefore = timeBefore(now, places.length === 0 ? UNREAD_MS : KEPT_MS);
    const [oldest] = await this.#mysql.query<{ batch: number | null; looked: number }>(sql`
      SELECT MAX(IF(at < ${timeBefore(now, READER_LIFETIME_MS)} OR (batch <= ${read} AND at < ${readBefore}), batch, NULL)) AS batch,
        COUNT(*) AS looked
      FROM (SELECT batch, at FROM journal WHERE node = ${node} ORDER BY batch LIMIT ${PRUNED_AT_ONCE}) o`);
    const until = oldest?.batch ?? 0;
    if (until <= pruned) return false;
    await this.#mysql.transaction((tx) =>
      tx.commit(
        sql`UPDATE journal_node SET last_at = GREATEST(last_at, ${now}), pruned = GREATEST(pruned, ${until}) WHERE node = ${node}`,
        sql`DELETE FROM journal WHERE node = ${node} AND batch <= ${until}`,
      ),
    );
    return oldest?.looked === PRUNED_AT_ONCE;
  }

  /** A node that ended, left the cursors and is of no use to any; never the newest, from which the next one is numbered. */
  async #retire(nodes: NodeRow[], now: number): Promise<void> {
    const first = firstKept(nodes, timeBefore(now, 2 * READER_LIFETIME_MS));
    if (first > firstOf(nodes)) await this.#mysql.query(sql`DELETE FROM journal_node WHERE node < ${first}`);
  }

  /** Without the nodes that ended long ago, where they were read to their end. */
  #cursorOf(place: Place, nodes: NodeRow[]): string {
    const kept = firstKept(nodes, timeBefore(this.#clock(), READER_LIFETIME_MS));
    const next = nodes.find(({ node, last }) => node >= kept || reachedIn(place, node) < last);
    return formatPlace({ before: Math.max(place.before, next?.node ?? 1), batchOf: place.batchOf });
  }

  /** The batches up to the first missing one that may still come. */
  #withoutGaps(batches: Batch[], after: number): Batch[] {
    const gap = batches.findIndex((found, i) => {
      return found.batch !== (batches[i - 1]?.batch ?? after) + 1 && !this.#settled.has(found);
    });
    return gap === -1 ? batches : batches.slice(0, gap);
  }

  /** When the first of these may be told though the batch before it is missing. */
  #lookAgain(behindGaps: Batch[]): { lookAgainInMs?: number } {
    if (behindGaps.length === 0) return {};
    return { lookAgainInMs: Math.min(...behindGaps.map((batch) => this.#settled.inMs(batch))) };
  }

  async #nodes(): Promise<NodeRow[]> {
    const nodes = await this.#mysql.query<NodeRow>(JOURNAL_NODES);
    this.#settled.look(nodes);
    return nodes;
  }
}

/** All nodes, the oldest first: each a `NodeRow`. */
export const JOURNAL_NODES = sql`
  SELECT n.node, n.pruned, n.last_at AS lastAt,
    GREATEST(n.pruned, COALESCE((SELECT MAX(j.batch) FROM journal j WHERE j.node = n.node), 0)) AS last
  FROM journal_node n ORDER BY n.node`;

/**
 * Whether a place names a batch or a node after the last one: nodes are numbered without holes, and the first
 * ones retire first.
 */
export function goesBeyond({ before, batchOf }: Place, nodes: readonly NodeRow[]): boolean {
  if (before > lastOf(nodes)) return true;
  const ends = new Map(nodes.map(({ node, last }) => [node, last]));
  return [...batchOf].some(([node, batch]) => {
    const end = ends.get(node) ?? (node < firstOf(nodes) ? batch : 0);
    return batch > end;
  });
}

/** Not one that lies before what was forgotten, or after what was written. */
function isPlace(place: Place, nodes: NodeRow[]): boolean {
  const known = new Set(nodes.map(({ node }) => node));
  if (place.before < firstOf(nodes) || place.before > lastOf(nodes)) return false;
  if ([...place.batchOf.keys()].some((node) => !known.has(node))) return false;
  return nodes.every(({ node, pruned, last }) => {
    const reached = reachedIn(place, node);
    return node < place.before || (reached >= pruned && reached <= last);
  });
}

/** The first node that has not ended before `since`, all of it read; at most the newest. */
function firstKept(nodes: NodeRow[], since: number): number {
  const kept = nodes.find(({ last, pruned, lastAt }) => last !== pruned || lastAt >= since);
  return kept?.node ?? lastOf(nodes);
}

function lastOf(nodes: readonly NodeRow[]): number {
  return nodes.at(-1)?.node ?? 1;
}

/** Every node before this one is forgotten. */
function firstOf(nodes: readonly NodeRow[]): number {
  return nodes[0]?.node ?? 1;
}

/**
 * Batches of a node after one of them, in their order: at most `limit`, and none after `maxNews` bytes of news, but one at least. How long
 * each is, is found out first, without its news.
 */
export function batchesAfter(node: number, batch: number, { limit, maxNews }: Bound): Sql {
  return sql`
    SELECT j.node, j.batch, j.at, j.news FROM (
      SELECT batch, SUM(size) OVER (ORDER BY batch) - size AS size_before FROM (
        SELECT batch, LENGTH(news) AS size FROM journal WHERE node = ${node} AND batch > ${batch} ORDER BY batch LIMIT ${limit}
      ) found
    ) sized STRAIGHT_JOIN journal j ON j.node = ${node} AND j.batch = sized.batch
    WHERE sized.size_before < ${maxNews} ORDER BY sized.batch`;
}

function newestBatches(node: number): Sql {
  return sql`SELECT node, batch, at FROM journal WHERE node = ${node} ORDER BY batch DESC LIMIT ${NEWEST}`;
}

/** By time, but each node's own in their order: a clock may go back. */
function mergeByTime(batches: Batch[]): Batch[] {
  const newest = new Map<number, number>();
  const timed = batches.map((batch) => {
    const time = Math.max(batch.at, newest.get(batch.node) ?? 0);
    newest.set(batch.node, time);
    return { batch, time };
  });
  return timed.sort((a, b) => a.time - b.time).map(({ batch }) => batch);
}

export interface NodeRow {
  node: number;
  /** Batches up to here are forgotten. */
  pruned: number;
  last: number;
  lastAt: number;
}

interface Bound {
  limit: number;
  /** Bytes. */
  maxNews: number;
}

interface Batch {
  node: number;
  batch: number;
  at: number;
  news: string;
}
