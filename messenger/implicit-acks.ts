/** A place in a conversation. */
export interface Place {
  conversation: string;
  seq: number;
}

/** How long after a write a sign of life shows that it has arrived. */
const SETTLE_MS = 10_000;
const SLOT_MS = 1_000;

/**
 * What a device that cannot acknowledge has received, as far as that can be told: what was written out 10 s
 * before a frame of its own, or before a clean end. Anything else counts as lost on the way, and is sent
 * again with the same seq. Keeps one place for each conversation and second, for 10 s. `now` is ms by a
 * steady clock, see common/clocks.ts.
 */
export class ImplicitAcks {
  readonly #slots = new Map<number, Map<string, number>>();
  readonly #settled = new Map<string, number>();

  /** The entry, and all before it in its conversation, is written out (or was not meant for this stream). */
  writtenOut({ conversation, seq }: Place, now: number): void {
    const slot = Math.ceil(now / SLOT_MS);
    const places = this.#slots.get(slot) ?? new Map<string, number>();
    this.#slots.set(slot, places.set(conversation, seq));
  }

  /** The device sent a frame: what has settled until now, each place once. */
  frameReceived(now: number): Place[] {
    for (const [slot, places] of this.#slots) {
      if (slot * SLOT_MS + SETTLE_MS > now) break;
      this.#slots.delete(slot);
      for (const [conversation, seq] of places) this.#settled.set(conversation, seq);
    }
    return this.#takeSettled();
  }

  /** The device ended the stream cleanly: everything that was written out. */
  endedCleanly(): Place[] {
    return this.frameReceived(Number.POSITIVE_INFINITY);
  }

  #takeSettled(): Place[] {
    const reached = Array.from(this.#settled, ([conversation, seq]) => ({ conversation, seq }));
    this.#settled.clear();
    return reached;
  }
}
