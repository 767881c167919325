import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ServiceError } from '#common/errors.ts';
import { createLog } from '#common/log.ts';
import { storeBatch } from './store-batch.ts';

const log = createLog('test', 'silent');
const batch = { feed: 'commits', items: [1, 2, 3, 4, 5], cursor: 'here' };

describe('a batch of a feed', () => {
  /** What a store that refuses `bad` was told and has kept. */
  async function stored(items: readonly number[], bad: readonly number[]) {
    const kept: { items: number[]; cursor: string | undefined }[] = [];
    const store = async (part: number[], cursor: string | undefined) => {
      if (part.some((item) => bad.includes(item))) throw new Error('cannot take it');
      kept.push({ items: part, cursor });
    };
    await storeBatch({ ...batch, items }, store, log);
    return kept;
  }

  it('is stored in one step with its place, also when it is empty', async () => {
    assert.deepEqual(await stored([1, 2], []), [{ items: [1, 2], cursor: 'here' }]);
    assert.deepEqual(await stored([], []), [{ items: [], cursor: 'here' }]);
  });

  for (const bad of [[3], [1, 5], [1, 2, 3, 4, 5]])
    it(`is stored but for ${bad.join(' and ')}, which the graph cannot take, and then its place`, async () => {
      const kept = await stored(batch.items, bad);
      assert.deepEqual(
        kept.flatMap(({ items }) => items),
        batch.items.filter((item) => !bad.includes(item)),
      );
      assert.deepEqual(
        kept.map(({ cursor }) => cursor),
        kept.map((_, i) => (i === kept.length - 1 ? 'here' : undefined)),
        'the place moves last',
      );
    });

  it('of one bad item is passed over', async () => {
    assert.deepEqual(await stored([7], [7]), [{ items: [], cursor: 'here' }]);
  });

  it('is told again where the graph does not answer, and its place stays', async () => {
    const away = new ServiceError('UNAVAILABLE');
    let places = 0;
    const store = async (part: number[], cursor: string | undefined) => {
      if (part.length === batch.items.length) throw new Error('cannot take it');
      if (part.includes(4)) throw away;
      if (cursor !== undefined) places++;
    };
    await assert.rejects(storeBatch(batch, store, log), (error) => error === away);
    assert.equal(places, 0);
  });
});
