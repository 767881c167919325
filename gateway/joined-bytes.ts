const EMPTY = Buffer.alloc(0);

/**
 * Bytes in one block that grows by doubling, so that a chunk of one byte costs one byte, and not a Buffer
 * with what lies behind it.
 */
export class JoinedBytes {
  #block: Buffer = EMPTY;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** All that was added, until the next call of `add`. */
  get bytes(): Buffer {
    return this.#block.subarray(0, this.#size);
  }

  add(chunk: Buffer): void {
    const size = this.#size + chunk.length;
    if (size > this.#block.length) {
      const block = Buffer.allocUnsafeSlow(Math.max(size, 2 * this.#block.length));
      block.set(this.bytes);
      this.#block = block;
    }
    this.#block.set(chunk, this.#size);
    this.#size = size;
  }

  /** Gives all away, and is empty again. */
  take(): Buffer {
    const taken = this.bytes;
    this.#block = EMPTY;
    this.#size = 0;
    return taken;
  }
}
