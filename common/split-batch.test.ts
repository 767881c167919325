import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { ServiceError } from './errors.ts';
import { splitBatch } from './split-batch.ts';

const bad = new Error('bad item');
const away = new ServiceError('UNAVAILABLE');

/** A store that takes a batch whole, or refuses it whole for one of `poison`. */
function storeRefusing(poison: ReadonlySet<number>, unavailableAfter = Number.POSITIVE_INFINITY) {
  const store = {
    stored: [] as number[],
    runs: 0,
    async take(items: number[]) {
      if (store.runs++ >= unavailableAfter) throw away;
      if (items.some((item) => poison.has(item))) throw bad;
      store.stored.push(...items);
      return items.length;
    },
  };
  return store;
}

const batches = fc.uniqueArray(fc.nat(10_000), { maxLength: 200 });
const batchWithPoison = batches.chain((batch) =>
  fc.record({ batch: fc.constant(batch), poison: fc.subarray(batch).map((items) => new Set(items)) }),
);

describe('a batch that is split', () => {
  it('refuses exactly the bad items and does the others once, in their order', () =>
    fc.assert(
      fc.asyncProperty(batchWithPoison, async ({ batch, poison }) => {
        const store = storeRefusing(poison);
        const { done, refused, left } = await splitBatch(batch, store.take);
        const good = batch.filter((item) => !poison.has(item));
        assert.deepEqual(store.stored, good);
        assert.deepEqual(
          done.flatMap(({ items }) => items),
          good,
        );
        assert.ok(done.every(({ items, result }) => items.length === result));
        assert.deepEqual(
          refused,
          batch.filter((item) => poison.has(item)).map((item) => ({ item, error: bad })),
        );
        assert.equal(left, undefined);
      }),
    ));

  it('stops where the store is unavailable, and gives back in order what is not decided', () =>
    fc.assert(
      fc.asyncProperty(batchWithPoison, fc.nat(50), async ({ batch, poison }, unavailableAfter) => {
        const store = storeRefusing(poison, unavailableAfter);
        const { done, refused, left } = await splitBatch(batch, store.take);
        assert.ok(store.runs <= unavailableAfter + 1, 'it is not asked again');
        const decided = [...done.flatMap(({ items }) => items), ...refused.map(({ item }) => item)];
        assert.deepEqual(
          left?.items ?? [],
          batch.filter((item) => !decided.includes(item)),
        );
        assert.equal(decided.length + (left?.items.length ?? 0), batch.length);
        if (left !== undefined) assert.equal(left.error, away);
      }),
    ));

  it('is run whole where nothing fails, and a few times more for one bad item of many', async () => {
    const batch = Array.from({ length: 512 }, (_, i) => i);
    const good = storeRefusing(new Set());
    await splitBatch(batch, good.take);
    assert.equal(good.runs, 1);
    const one = storeRefusing(new Set([300]));
    await splitBatch(batch, one.take);
    assert.equal(one.runs, 19);
  });

  it('is not run where it is empty', async () => {
    assert.deepEqual(await splitBatch([], () => assert.fail()), { done: [], refused: [], left: undefined });
  });
});
