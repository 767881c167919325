import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Batches of what has come while the batch before was worked on: one transaction then takes many items under load,
 * and a lone item waits for nothing. At most `limit` in a batch, and reads ahead no further than one item.
 * `stop` must make the source end: it is called when the batches are no longer wanted.
 */
export async function* coalesce<Item>(
  source: AsyncIterable<Item>,
  stop: () => void,
  limit: number,
): AsyncGenerator<Item[]> {
  const items = source[Symbol.asyncIterator]();
  let next = read(items);
  try {
    for (let first = await next; !first.done; first = await next) {
      const batch = [first.value];
      const turn = nextTurn();
      next = read(items);
      while (batch.length < limit) {
        const more = await Promise.race([next, turn]);
        if (more === undefined || more.done) break;
        batch.push(more.value);
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
