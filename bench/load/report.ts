/** What the load generator is asked to do. */
export interface LoadRequest {
  workload: 'pairs' | 'streams' | 'unary';
  /** `host:port`. */
  address: string;
  /** Two people for each pair. */
  people: { username: string; token: string }[];
  /** Messages that each sender keeps on their way. */
  inFlight: number;
  /** Bytes of text. */
  bodyBytes: number;
  seconds: number;
}

/** What it measured. A run in which anything was lost, repeated or out of order throws instead. */
export interface LoadResult {
  messages: number;
  seconds: number;
  /** From the send to its acknowledgement, ms. */
  acknowledged: Percentiles;
  /** From the send to its delivery, ms; absent where nothing is delivered. */
  delivered?: Percentiles;
}

export interface Percentiles {
  p50: number;
  p99: number;
}

/** Keeps at most so many samples, evenly over the run: a reservoir (Vitter, algorithm R). */
export class Samples {
  readonly #kept: number[] = [];
  #seen = 0;

  add(ms: number): void {
    this.#seen++;
    if (this.#kept.length < 100_000) this.#kept.push(ms);
    else {
      const at = Math.floor(Math.random() * this.#seen);
      if (at < this.#kept.length) this.#kept[at] = ms;
    }
  }

  percentiles(): Percentiles {
    const sorted = this.#kept.toSorted((a, b) => a - b);
    const at = (share: number) =>
      sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
    return { p50: at(0.5), p99: at(0.99) };
  }
}

/** A text of the right length that carries when it was sent. */
export function stampedText(bytes: number): string {
  return `${performance.now()} `.padEnd(bytes, 'x');
}

export function stampOf(text: string): number {
  return Number(text.slice(0, text.indexOf(' ')));
}

/** Throws unless it holds: a violation voids the figure. */
export function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`violated: ${what}`);
}
