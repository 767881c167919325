import type { MessageStore } from './ports.ts';

/** What a device needs of the store to open its stream and to catch up. */
export type Arrivals = Pick<MessageStore, 'openDevice' | 'positions' | 'conversations' | 'entries'>;

/**
 * The store for streams that open and catch up, so many of these calls at once: when thousands of devices come back together they wait
 * for each other, and the messages of the others do not wait for them.
 */
export function inTurns(store: Arrivals, atOnce: number): Arrivals {
  const turns = new Turns(atOnce);
  // Those who are here already and fall behind do not wait for those who come.
  const reading = new Turns(atOnce);
  return {
    openDevice: (...args) => turns.take(() => store.openDevice(...args)),
    positions: (...args) => turns.take(() => store.positions(...args)),
    conversations: (...args) => turns.take(() => store.conversations(...args)),
    entries: (...args) => reading.take(() => store.entries(...args)),
  };
}

class Turns {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The next one takes this turn over.
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
