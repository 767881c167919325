import type { Figures } from '../report/figures.ts';
import type { BatchTime } from './lane-queue.ts';

/**
 * The time of a batch, from how many messages per second a store takes in batches of several sizes: least squares of the relative error, so
 * that the small batches, which are the fast ones, count as much as the large.
 */
export function fitBatchTime(measured: readonly { size: number; rate: number }[]): BatchTime {
  let [w, wn, wnn, wt, wnt] = [0, 0, 0, 0, 0];
  for (const { size, rate } of measured) {
    const time = size / rate;
    const weight = 1 / time ** 2;
    w += weight;
    wn += weight * size;
    wnn += weight * size ** 2;
    wt += weight * time;
    wnt += weight * size * time;
  }
  const each = (w * wnt - wn * wt) / (w * wnn - wn ** 2);
  return { fixed: Math.max(0, (wt - each * wn) / w), each };
}

/** Of our adapter, from the floors of a run. Undefined where they were not measured. */
export function batchTimeOf(figures: Figures, store: string): BatchTime | undefined {
  const measured = [1, 10, 100, 512].flatMap((size) => {
    const rate = figures.rate(`store, our adapter, batches of ${size}`, store, 'floor');
    return rate === undefined ? [] : [{ size, rate }];
  });
  return measured.length < 3 ? undefined : fitBatchTime(measured);
}
