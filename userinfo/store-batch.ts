import type { Log } from '#common/log.ts';
import { splitBatch } from '#common/split-batch.ts';

/**
 * Stores what a feed told, and with it the feed's place. An item that the graph cannot take is noted in the log and left out: else the feed
 * would stop before it for ever. `store` is given a cursor with the whole batch, or, where that failed, after all parts of it.
 * @throws ServiceError UNAVAILABLE while the graph does not answer; the batch is to be told again.
 */
export async function storeBatch<Item>(
  { feed, items, cursor }: FeedBatch<Item>,
  store: (items: Item[], cursor: string | undefined) => Promise<void>,
  log: Log,
): Promise<void> {
  const isWhole = (part: readonly Item[] | undefined) => part?.length === items.length;
  const { done, refused, left } = await splitBatch(items, (part) =>
    store(part, isWhole(part) ? cursor : undefined),
  );
  if (left !== undefined) throw left.error;
  const [first] = refused;
  if (first !== undefined)
    log.error(
      { err: first.error, feed, item: first.item, count: refused.length },
      'the graph refuses what the feed tells; it is left out, and the first of it is named',
    );
  if (!isWhole(done[0]?.items)) await store([], cursor);
}

export interface FeedBatch<Item> {
  feed: string;
  items: readonly Item[];
  cursor: string;
}
