import type { Log } from '#common/log.ts';
import { Repeating } from '#common/repeating.ts';
import type { Hub } from './hub.ts';
import type { SharedLog } from './ports.ts';

export interface RepairOptions {
  store: SharedLog;
  hub: Hub;
  /** Others have committed something. Must not throw. */
  onNews(): void;
  /** What this node missed cannot be known any more: its streams are to begin anew. Must not throw. */
  onGap(): void;
  log: Log;
}

/** A lost hint costs no more latency than this, and the time of a query. */
const EVERY_MS = 1_000;

/**
 * Makes up for hints that were lost: once a second this node reads what the others have committed since, two queries whatever has
 * happened and however many are here, and tells whoever has not heard.
 */
export class Repair implements AsyncDisposable {
  readonly #options: RepairOptions;
  readonly #looking = new Repeating(EVERY_MS, () => this.#look());
  #repaired = 0;
  #isTroubled = false;

  constructor(options: RepairOptions) {
    this.#options = options;
  }

  /** Once the store is open. */
  start(): void {
    this.#looking.start();
  }

  /** For how many streams news came this way first. */
  get repaired(): number {
    return this.#repaired;
  }

  async #look(): Promise<void> {
    const { store, hub, onNews, onGap, log } = this.#options;
    try {
      const news = await store.news();
      if (this.#isTroubled) log.info('reading what other nodes committed again');
      this.#isTroubled = false;
      if (news === undefined) return onGap();
      for (const commit of news.commits) this.#repaired += hub.announce(commit);
      if (news.marks.length > 0) hub.takeMarks(news.marks);
      if (news.commits.length > 0) onNews();
    } catch (error) {
      if (!this.#isTroubled)
        log.warn({ err: error }, 'cannot read what other nodes committed; trying every second');
      this.#isTroubled = true;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#looking[Symbol.asyncDispose]();
  }
}
