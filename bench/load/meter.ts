import { setTimeout as delay } from 'node:timers/promises';
import type { LoadResult, Phases } from './load.ts';
import { Samples } from './samples.ts';

export interface Timing {
  /** Before anything is counted. */
  warmUpSeconds: number;
  seconds: number;
}

const PROGRESS_MS = 1_000;
const PATIENCE_MS = 50;

/** Counts what happens within the measured part of a run, which begins after the warm-up. */
export class Meter {
  readonly #acknowledged = new Samples();
  readonly #delivered = new Samples();
  #from = Number.POSITIVE_INFINITY;
  #to = Number.POSITIVE_INFINITY;

  /** When senders are to stop, by `performance.now()`. */
  get end(): number {
    return this.#to;
  }

  get count(): number {
    return this.#acknowledged.count;
  }

  acknowledged(sentAt: number): void {
    const now = performance.now();
    if (now >= this.#from && now < this.#to) this.#acknowledged.add(now - sentAt);
  }

  delivered(sentAt: number, now: number): void {
    if (now >= this.#from && now < this.#to) this.#delivered.add(now - sentAt);
  }

  /** Runs the clock: warm-up, then the measured part, which lasts until there is something to tell. Fulfils at its end. */
  async run({ warmUpSeconds, seconds }: Timing, phases: Phases): Promise<void> {
    await delay(warmUpSeconds * 1000);
    this.#from = performance.now();
    phases.begin();
    const timer = setInterval(() => phases.progress(this.count), PROGRESS_MS);
    await delay(seconds * 1000);
    while (this.count === 0) await delay(PATIENCE_MS);
    this.#to = performance.now();
    clearInterval(timer);
    phases.end();
  }

  result(): LoadResult & { rate: number } {
    return {
      rate: this.#acknowledged.count / ((this.#to - this.#from) / 1000),
      acknowledged: this.#acknowledged.percentiles(),
      ...(this.#delivered.count > 0 ? { delivered: this.#delivered.percentiles() } : {}),
    };
  }
}
