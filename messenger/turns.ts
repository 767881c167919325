import type { MessageStore } from './ports.ts';
import type { EntrySource } from './reader.ts';
import type { StateSource } from './state-reader.ts';

/** What a device needs of the store to open its stream and to catch up. A call whose signal is aborted leaves its queue. */
export interface Arrivals extends EntrySource, StateSource, Pick<MessageStore, 'heads'> {
  openDevice(
    ...args: [...Parameters<MessageStore['openDevice']>, signal: AbortSignal]
  ): ReturnType<MessageStore['openDevice']>;
  newestAt(
    ...args: [...Parameters<MessageStore['newestAt']>, signal: AbortSignal]
  ): ReturnType<MessageStore['newestAt']>;
}

type ArrivalStore = Pick<
  MessageStore,
  'openDevice' | 'newestAt' | 'entries' | 'stateAfter' | 'marksAfter' | 'heads'
>;

/**
 * The store for streams that open and catch up, only a few of these calls at a time: when thousands of devices come back together they wait
 * for each other, and the messages of the others do not wait for them.
 */
export function inTurns(store: ArrivalStore, atOnce: number): Arrivals {
  const opening = new Turns(atOnce);
  // Those who are here already and fall behind do not wait for those who come.
  const reading = new Turns(atOnce);
  return {
    openDevice: (user, device, arrival, signal) =>
      opening.take(() => store.openDevice(user, device, arrival), signal),
    newestAt: (moments, signal) => opening.take(() => store.newestAt(moments), signal),
    entries: (ranges, maxEntries, signal) => reading.take(() => store.entries(ranges, maxEntries), signal),
    stateAfter: (user, revision, signal) => reading.take(() => store.stateAfter(user, revision), signal),
    marksAfter: (ranges, signal) => reading.take(() => store.marksAfter(ranges), signal),
    heads: (...args) => reading.take(() => store.heads(...args)),
  };
}

/** Where even the oldest has waited so long, its caller has probably given up: the newest are served first, which still have the time. */
const LONG_MS = 10_000;

/**
 * Limits how many calls run at a time. The others follow in the order in which they came; the newest first while the oldest has waited
 * long ("adaptive LIFO": Maurer, Fail at Scale, ACM Queue 2015).
 */
export class Turns {
  readonly #steadyClock: () => number;
  readonly #waiting = new Waiting();
  #free: number;

  constructor(atOnce: number, steadyClock: () => number = () => performance.now()) {
    this.#free = atOnce;
    this.#steadyClock = steadyClock;
  }

  /** Rejects with the signal's reason where that is aborted before its turn comes. */
  async take<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else await this.#turn(signal);
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.remove(call);
        reject(signal?.reason);
      };
      const enter = () => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const call: Call = { since: this.#steadyClock(), enter, older: undefined, newer: undefined };
      signal?.addEventListener('abort', leave, { once: true });
      this.#waiting.add(call);
    });
  }

  /** The next one takes this turn over. */
  #next(): void {
    const { oldest, newest } = this.#waiting;
    if (oldest === undefined || newest === undefined) {
      this.#free++;
      return;
    }
    const next = this.#steadyClock() - oldest.since > LONG_MS ? newest : oldest;
    this.#waiting.remove(next);
    next.enter();
  }
}

/** The calls that wait, by age: a linked list, for some leave from the middle. */
class Waiting {
  oldest: Call | undefined;
  newest: Call | undefined;

  add(call: Call): void {
    call.older = this.newest;
    if (this.newest === undefined) this.oldest = call;
    else this.newest.newer = call;
    this.newest = call;
  }

  remove({ older, newer }: Call): void {
    if (older === undefined) this.oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.newest = older;
    else newer.older = older;
  }
}

interface Call {
  /** By the steady clock, ms. */
  since: number;
  enter(): void;
  older: Call | undefined;
  newer: Call | undefined;
}
