import type { NodeRow } from './journal.ts';

/**
 * A batch that has been in the journal for this long is settled: a smaller number that is missing was
 * aborted, and will not come.
 */
const SETTLED_MS = 10_000;
const LOOK_EVERY_MS = 1_000;

/**
 * Which batches have been in the journal for a while, as this process has seen it. Neither the times in the
 * journal nor the machine's clock tell that: a clock that is set would pass over a batch whose COMMIT is on
 * its way, or wait an hour for one that never comes.
 */
export class SettledBatches {
  readonly #steady: () => number;
  /**
   * The newest of each second, ascending; the first one is the newest that is old enough, once there is one.
   */
  readonly #looks: Look[] = [];

  /** `steady`: ms that only grow, see common/clocks.ts. */
  constructor(steady: () => number) {
    this.#steady = steady;
  }

  /** To be called with every reading of the nodes. */
  look(nodes: readonly NodeRow[]): void {
    const now = this.#steady();
    const newest = this.#looks.at(-1);
    if (newest !== undefined && slotOf(newest.at) === slotOf(now)) this.#looks.pop();
    this.#looks.push({ at: now, lastOf: new Map(nodes.map(({ node, last }) => [node, last])) });
    while ((this.#looks[1]?.at ?? now) <= now - SETTLED_MS) this.#looks.shift();
  }

  has({ node, batch }: { node: number; batch: number }): boolean {
    const [oldest] = this.#looks;
    if (oldest === undefined || oldest.at > this.#steady() - SETTLED_MS) return false;
    return batch <= (oldest.lastOf.get(node) ?? 0);
  }

  /** How long until `has` is true of a batch that was looked at, ms, at least 1. */
  inMs({ node, batch }: { node: number; batch: number }): number {
    const now = this.#steady();
    const first = this.#looks.find(({ lastOf }) => batch <= (lastOf.get(node) ?? 0));
    return Math.max(1, (first?.at ?? now) + SETTLED_MS - now);
  }
}

function slotOf(at: number): number {
  return Math.floor(at / LOOK_EVERY_MS);
}

interface Look {
  at: number;
  /** The newest batch of each node. */
  lastOf: Map<number, number>;
}
