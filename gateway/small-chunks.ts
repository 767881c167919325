/** Bytes that a chunk has at the least, on average: a gRPC message has five before it says anything. */
const FAIR_BYTES = 8;

/** Chunks below the average that a connection may be ahead with: some 200 KB on the wire, where each carries one byte. */
const MOST_AHEAD = 20_000;

/** Notices a connection whose bytes come in pieces so small that each costs more to take than it says. */
export class SmallChunks {
  #ahead = 0;

  /** Whether there were too many of them, with this one. */
  isTooMany(bytes: number): boolean {
    this.#ahead = Math.max(0, this.#ahead + 1 - bytes / FAIR_BYTES);
    return this.#ahead > MOST_AHEAD;
  }
}
