import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '#common/log.ts';
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
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #isTroubled = false;

  constructor(options: JournalPruningOptions) {
    this.#options = options;
  }

  /** Once the store is open. */
  start(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    const { everyMs = EVERY_MS } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      while (!signal.aborted && (await this.#prune()));
      await delay(everyMs, undefined, { signal, ref: false }).catch(() => {});
    }
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

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}
