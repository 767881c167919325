import type { Log } from '#common/log.ts';
import { Repeating } from '#common/repeating.ts';
import type { MessageStore } from './ports.ts';

export interface JournalPruningOptions {
  store: Pick<MessageStore, 'pruneJournal'>;
  clock(): number;
  log: Log;
  everyMs?: number;
}

const EVERY_MS = 60_000;

/** Forgets now and then what nobody needs of the journal any more. With several messengers on one store each of them does, which does no harm. */
export class JournalPruning implements AsyncDisposable {
  readonly #options: JournalPruningOptions;
  readonly #pruning: Repeating;
  #isTroubled = false;

  constructor(options: JournalPruningOptions) {
    this.#options = options;
    this.#pruning = new Repeating(options.everyMs ?? EVERY_MS, async (signal) => {
      while (!signal.aborted && (await this.#prune()));
    });
  }

  /** Once the store is open. */
  start(): void {
    this.#pruning.start();
  }

  /** Whether there is more. Between two steps commits have their turn. */
  async #prune(): Promise<boolean> {
    const { store, clock, log } = this.#options;
    try {
      const hasMore = await store.pruneJournal(clock());
      this.#isTroubled = false;
      return hasMore;
    } catch (error) {
      if (!this.#isTroubled) log.warn({ err: error }, 'cannot prune the journal; trying again every minute');
      this.#isTroubled = true;
      return false;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#pruning[Symbol.asyncDispose]();
  }
}
