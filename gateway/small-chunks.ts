/** Bytes that a chunk has at the least, on average: a gRPC message has five before it says anything. */
const FAIR_BYTES = 8;

/** How far a connection may fall behind the average, in chunks: about 200 KB on the wire at one byte each. */
const MOST_AHEAD = 20_000;

/** How much of that is forgotten in a second: so many small chunks are fair for ever. */
const FORGOTTEN_PER_SECOND = 200;

/** Notices bytes that come in pieces so small that each costs more to take than it says. */
export class SmallChunks {
  readonly #steady: () => number;
  #ahead = 0;
  #at: number;

  /** `steady`: ms that only grow. */
  constructor(steady: () => number = () => performance.now()) {
    this.#steady = steady;
    this.#at = steady();
  }

  /** Whether there were too many of them, with this one of so many bytes. */
  isTooMany(bytes: number): boolean {
    const now = this.#steady();
    const forgotten = ((now - this.#at) / 1_000) * FORGOTTEN_PER_SECOND;
    this.#at = now;
    this.#ahead = Math.max(0, Math.max(0, this.#ahead - forgotten) + 1 - bytes / FAIR_BYTES);
    return this.#ahead > MOST_AHEAD;
  }
}
