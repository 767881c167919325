import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { coalesce } from './coalesce.ts';

describe('coalescing', () => {
  it('gives a lone item at once, and together what came meanwhile', async () => {
    const more = Promise.withResolvers<void>();
    async function* source() {
      yield 1;
      await more.promise;
      yield 2;
      yield 3;
    }
    const batches = coalesce(source(), () => {}, 10);
    assert.deepEqual((await batches.next()).value, [1]);
    more.resolve();
    assert.deepEqual((await batches.next()).value, [2, 3]);
    assert.equal((await batches.next()).done, true);
  });

  it('takes no more into a batch that is heavy enough', async () => {
    async function* source() {
      yield* [1, 5, 2, 3, 9, 1];
    }
    const batches: number[][] = [];
    const weightOf = (item: number) => item;
    for await (const batch of coalesce(source(), () => {}, 6, weightOf)) batches.push(batch);
    assert.deepEqual(batches, [[1, 5], [2, 3, 9], [1]]);
  });

  it('keeps to the limit, and reads one item ahead of it', async () => {
    let given = 0;
    async function* source() {
      for (;;) yield ++given;
    }
    const batches = coalesce(source(), () => {}, 3);
    assert.deepEqual((await batches.next()).value, [1, 2, 3]);
    assert.equal(given, 4);
    assert.deepEqual((await batches.next()).value, [4, 5, 6]);
    await batches.return(undefined);
  });

  it('delivers what came before a failure, then the failure', async () => {
    async function* source() {
      yield 1;
      throw new Error('broken');
    }
    const batches = coalesce(source(), () => {}, 10);
    await assert.rejects(async () => {
      assert.deepEqual((await batches.next()).value, [1]);
      await batches.next();
    }, /broken/);
  });

  it('ends a silent source when nobody wants more', async () => {
    const silence = Promise.withResolvers<void>();
    async function* source() {
      yield 1;
      await silence.promise;
    }
    for await (const batch of coalesce(source(), silence.resolve, 10)) {
      assert.deepEqual(batch, [1]);
      break;
    }
  });
});
