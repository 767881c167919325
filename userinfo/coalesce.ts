import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Batches of what has come while the batch before was worked on: one transaction then takes many items under load,
 * and a lone item waits for nothing. No more is taken into a batch that weighs `limit`, and it reads ahead no further than one item.
 * `stop` must make the source end: it is called when the batches are no longer wanted.
 */
export async function* coalesce<Item>(
  source: AsyncIterable<Item>,
  stop: () => void,
  limit: number,
  weightOf: (item: Item) => number = () => 1,
): AsyncGenerator<Item[]> {
  const items = source[Symbol.asyncIterator]();
  let next = read(items);
  try {
    for (let first = await next; !first.done; first = await next) {
      const batch = [first.value];
      let weight = weightOf(first.value);
      const turn = nextTurn();
      next = read(items);
      while (weight < limit) {
        const more = await Promise.race([next, turn]);
        if (more === undefined || more.done) break;
        batch.push(more.value);
        weight += weightOf(more.value);
        next = read(items);
      }
      yield batch;
    }
  } finally {
    stop();
    await items.return?.().catch(() => {});
  }
}

/** A failure is seen where it is awaited, which may be after a batch was worked on. */
function read<Item>(items: AsyncIterator<Item>): Promise<IteratorResult<Item>> {
  const next = items.next();
  next.catch(() => {});
  return next;
}
