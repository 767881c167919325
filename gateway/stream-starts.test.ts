import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { StreamStarts } from './stream-starts.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('new streams of a connection', () => {
  it('begin a turn later, in their order, and not where they are gone by then', async () => {
    const begun: number[] = [];
    const gone = new Set<number>();
    using starts = new StreamStarts({ perSecond: 1, burst: 10 });
    for (let n = 0; n < 5; n++) starts.add({ begin: () => begun.push(n), isGone: () => gone.has(n) });
    gone.add(1).add(3);
    assert.deepEqual(begun, []);
    await turn();
    assert.deepEqual(begun, [0, 2, 4]);
  });

  it('wait for the rate above the burst; those that go take nothing of it', async () => {
    let now = 0;
    const begun: number[] = [];
    const gone = new Set<number>();
    using starts = new StreamStarts({ perSecond: 1_000, burst: 3 }, () => now);
    const add = (n: number) => starts.add({ begin: () => begun.push(n), isGone: () => gone.has(n) });
    for (let n = 0; n < 8; n++) add(n);
    gone.add(4);
    await turn();
    assert.deepEqual(begun, [0, 1, 2]);
    now = 2;
    while (begun.length < 5) await turn();
    assert.deepEqual(begun, [0, 1, 2, 3, 5]);
    now = 1_000;
    while (begun.length < 7) await turn();
    assert.deepEqual(begun, [0, 1, 2, 3, 5, 6, 7]);
  });

  it('wait for nothing once the rate is lifted', async () => {
    let begun = 0;
    using starts = new StreamStarts({ perSecond: 1, burst: 1 }, () => 0);
    starts.lift();
    for (let n = 0; n < 1_000; n++) starts.add({ begin: () => begun++, isGone: () => false });
    await turn();
    assert.equal(begun, 1_000);
  });

  it('never begin after the connection has ended', async () => {
    const starts = new StreamStarts({ perSecond: 1, burst: 1 });
    starts.add({ begin: () => assert.fail('begun'), isGone: () => false });
    starts[Symbol.dispose]();
    await turn();
  });
});
