import type { Moment } from '../ports.ts';

/** One entry whose time is asked for. */
export interface Probe {
  conversation: string;
  seq: number;
}

/**
 * The seq of the newest entry of each conversation that was sent at `at` or before; 0 for none. Binary searches side by side: each yield asks for
 * the times of one entry of every conversation that is not decided yet, each round one query for all of them.
 */
export function* searchNewestAt(
  moments: readonly Moment[],
): Generator<Probe[], number[], (number | undefined)[]> {
  const searches = moments.map((moment) => ({ ...moment, low: 0, high: moment.lastSeq }));
  for (;;) {
    const open = searches.filter(({ low, high }) => low < high);
    if (open.length === 0) return searches.map(({ low }) => low);
    const times = yield open.map(({ conversation, low, high }) => ({ conversation, seq: middle(low, high) }));
    for (const [i, search] of open.entries()) {
      const seq = middle(search.low, search.high);
      if ((times[i] ?? Number.POSITIVE_INFINITY) <= search.at) search.low = seq;
      else search.high = seq - 1;
    }
  }
}

function middle(low: number, high: number): number {
  return Math.ceil((low + high) / 2);
}
