import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { mulberry32 } from '../../userinfo/fixtures/crowd.ts';
import { fitBatchTime } from './fit.ts';
import { closedQueue, openQueue } from './lane-queue.ts';

const BATCH = { fixed: 0.001, each: 0.00001 };

/** New for each run, so that each is the same. */
const options = () => ({ batch: BATCH, cap: 512, transport: 0, random: mulberry32(1), messages: 50_000 });

function assertNear(actual: number, expected: number, share: number): void {
  assert.ok(Math.abs(actual - expected) <= expected * share, `${actual} is not near ${expected}`);
}

describe('the queue of the lane', () => {
  it('takes one message in flight at the pace of a batch of one', () => {
    const { rate, p50, batch } = closedQueue(1, options());
    assertNear(rate, 1 / 0.00101, 0.001);
    assertNear(p50, 1.01, 0.001);
    assert.equal(batch, 1);
  });

  it('shares the fixed cost among all that wait', () => {
    const { rate, batch } = closedQueue(100, options());
    // All go round together: 100 in each batch.
    assertNear(rate, 100 / 0.002, 0.01);
    assertNear(batch, 100, 0.01);
  });

  it('never takes more than its cap', () => {
    const { rate, batch } = closedQueue(2_000, options());
    assertNear(batch, 512, 0.01);
    assertNear(rate, 512 / (0.001 + 0.00512), 0.01);
  });

  it('is held back by the loop where that is the slower one', () => {
    const { rate } = closedQueue(1_000, { ...options(), transport: 0.0001 });
    assertNear(rate, 10_000, 0.02);
  });

  it('carries an open load, and answers later the busier it is', () => {
    const light = openQueue(100, options());
    const heavy = openQueue(20_000, options());
    assertNear(light.rate, 100, 0.05);
    assertNear(heavy.rate, 20_000, 0.05);
    // Nearly alone a message waits for its own batch only; a busy lane makes it wait for the one before.
    assertNear(light.p50, 1.01, 0.05);
    assert.ok(heavy.p50 > light.p50 && heavy.batch > 10);
  });

  it('finds both parts of the time of a batch from rates', () => {
    const rates = [1, 100, 512].map((size) => ({ size, rate: size / (BATCH.fixed + BATCH.each * size) }));
    const { fixed, each } = fitBatchTime(rates);
    assertNear(fixed, BATCH.fixed, 0.001);
    assertNear(each, BATCH.each, 0.001);
  });
});
