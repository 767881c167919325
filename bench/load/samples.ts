export interface Percentiles {
  p50: number;
  p99: number;
}

const KEPT = 100_000;

/** Keeps at most so many samples, evenly over the run: a reservoir (Vitter, algorithm R). */
export class Samples {
  readonly #kept: number[] = [];
  #seen = 0;

  add(sample: number): void {
    this.#seen++;
    if (this.#kept.length < KEPT) this.#kept.push(sample);
    else {
      const at = Math.floor(Math.random() * this.#seen);
      if (at < KEPT) this.#kept[at] = sample;
    }
  }

  get count(): number {
    return this.#seen;
  }

  percentiles(): Percentiles {
    const sorted = this.#kept.toSorted((a, b) => a - b);
    const at = (share: number) =>
      sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
    return { p50: at(0.5), p99: at(0.99) };
  }
}
