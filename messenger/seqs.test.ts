import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { entrySeq, wholeNumber } from './seqs.ts';

describe('numbers from outside', () => {
  it('are whole, not negative, and exact', () => {
    assert.equal(wholeNumber(0n, 'x', 0), 0);
    assert.equal(entrySeq(1n, 'x'), 1);
    assert.equal(entrySeq(2n ** 53n - 1n, 'x'), Number.MAX_SAFE_INTEGER);
    for (const bad of [-1n, -(2n ** 63n), 2n ** 53n, 2n ** 63n - 1n])
      assert.throws(() => wholeNumber(bad, 'x', 0), {
        reason: 'INVALID_REQUEST',
        fields: [{ field: 'x', description: 'must be 0 to 2^53 - 1' }],
      });
    assert.throws(() => entrySeq(0n, 'x'), { reason: 'INVALID_REQUEST' });
  });
});
