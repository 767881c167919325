import { toServiceError } from './errors.ts';

/** What became of a batch. Each of its items is in exactly one part, and every list is in the order of the batch. */
export interface SplitBatch<Item, Result> {
  /** Parts that went through, each with its result. */
  done: { items: Item[]; result: Result }[];
  /** Items that failed alone. */
  refused: { item: Item; error: unknown }[];
  /** Where the store became UNAVAILABLE: what is neither done nor refused. Some of it may be done all the same. */
  left: { items: Item[]; error: unknown } | undefined;
}

/**
 * Runs `work` on a batch of items that several people share. A failure other than UNAVAILABLE is taken for the fault of an item: the batch
 * is run again in halves, the first half first, until that item is alone. One bad item in n costs 2 log2(n) more runs.
 * `work` does all of its items or none, and is safe to repeat. Never rejects.
 */
export async function splitBatch<Item, Result>(
  batch: readonly Item[],
  work: (items: Item[]) => Promise<Result>,
): Promise<SplitBatch<Item, Result>> {
  const split: SplitBatch<Item, Result> = { done: [], refused: [], left: undefined };
  // The next part to run is the last one.
  const parts = batch.length === 0 ? [] : [[...batch]];
  for (let items = parts.pop(); items !== undefined; items = parts.pop()) {
    try {
      split.done.push({ items, result: await work(items) });
    } catch (error) {
      if (toServiceError(error).code === 'UNAVAILABLE') {
        split.left = { items: [...items, ...parts.reverse().flat()], error };
        return split;
      }
      const [item] = items;
      const middle = Math.ceil(items.length / 2);
      if (items.length > 1) parts.push(items.slice(middle), items.slice(0, middle));
      else if (item !== undefined) split.refused.push({ item, error });
    }
  }
  return split;
}
