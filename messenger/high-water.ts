import { readFile, rename, writeFile } from 'node:fs/promises';
import type { Log } from '#common/log.ts';
import { Repeating } from '#common/repeating.ts';
import { type EpochStore, formatCursor, resumeAt } from './epoch.ts';
import type { MessageStore } from './ports.ts';

export interface HighWaterOptions {
  /** The file, which a backup leaves out. */
  path: string;
  store: EpochStore & Pick<MessageStore, 'journalEnd'>;
  log: Log;
  everyMs?: number;
}

const EVERY_MS = 1_000;

/**
 * How far the journal went, in a file beside the store: where the store is put back to an earlier state and
 * the file is not, the next start notices, and begins a new epoch.
 */
export class HighWater implements AsyncDisposable {
  readonly #options: HighWaterOptions;
  readonly #noting: Repeating;
  #isFollowing = false;
  #written = '';
  #isTroubled = false;

  constructor(options: HighWaterOptions) {
    this.#options = options;
    this.#noting = new Repeating(options.everyMs ?? EVERY_MS, () => this.#note());
  }

  /** Before anything is written to the store. A file that cannot be read says nothing. */
  async check(): Promise<void> {
    const { path, store, log } = this.#options;
    const cursor = await readFile(path, 'utf8').catch(() => '');
    if (cursor === '') return;
    await resumeAt(cursor, store, () =>
      log.warn('the log ends before its high-water file says, as after a restore: it has a new epoch'),
    );
  }

  /** Follows the journal from now on. */
  start(): void {
    this.#isFollowing = true;
    this.#noting.start();
  }

  /** Replaces the file as a whole. It is not synced: an older one is a witness too. */
  async #note(): Promise<void> {
    const { path, store, log } = this.#options;
    try {
      // The epoch first: with the end of a log that has begun another one since, the file would say too much.
      const epoch = await store.epoch();
      const cursor = formatCursor({ epoch, place: await store.journalEnd() });
      if (cursor === this.#written) return;
      await writeFile(`${path}.draft`, cursor, { mode: 0o600 });
      await rename(`${path}.draft`, path);
      this.#written = cursor;
      this.#isTroubled = false;
    } catch (error) {
      if (!this.#isTroubled)
        log.warn({ err: error }, 'cannot write the high-water file; trying every second');
      this.#isTroubled = true;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#noting[Symbol.asyncDispose]();
    if (this.#isFollowing) await this.#note();
  }
}
