import type { Writable } from 'node:stream';
import { JoinedBytes } from '../joined-bytes.ts';

/** Bytes that may wait for a write to be taken, before the sender is to stop. */
const MOST_WAITING = 65_536;

/**
 * Writes one after the other: what comes while one is under way is joined into the next, so that nothing
 * waits in small pieces.
 */
export class JoinedWrites {
  readonly #to: Writable;
  readonly #onRoom: () => void;
  readonly #waiting = new JoinedBytes();
  #isWriting = false;

  /** `onRoom`: there is room again after `write` has said that there is none. */
  constructor(to: Writable, onRoom: () => void) {
    this.#to = to;
    this.#onRoom = onRoom;
  }

  /** Whether there is room for more. */
  write(chunk: Buffer): boolean {
    if (!this.#isWriting) {
      this.#isWriting = true;
      this.#to.write(chunk, this.#written);
    } else this.#waiting.add(chunk);
    return this.#waiting.size < MOST_WAITING;
  }

  end(): void {
    if (this.#waiting.size > 0) this.#to.end(this.#waiting.take());
    else this.#to.end();
  }

  readonly #written = (): void => {
    this.#isWriting = false;
    if (this.#to.destroyed || this.#waiting.size === 0) return;
    const wasFull = this.#waiting.size >= MOST_WAITING;
    this.write(this.#waiting.take());
    if (wasFull) this.#onRoom();
  };
}
