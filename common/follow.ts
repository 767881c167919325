import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from './log.ts';

export interface FollowOptions<Item> {
  /** What is followed, for the log. */
  name: string;
  /** Opens the feed after `cursor` (empty: from the beginning). Ends or throws when the connection does. */
  open(cursor: string, signal: AbortSignal): AsyncIterable<Item>;
  /** Where to go on after this item; empty when there is no such place yet. */
  cursorOf(item: Item): string;
  /** Takes one item. Sees it at least once, in order; a throw makes the feed start again before it. */
  take(item: Item): void | Promise<void>;
  /** Where the last run ended, if anywhere. */
  cursor?: string;
  log: Log;
}

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 2_000;

/** Follows a feed until it is disposed of: whenever the connection ends, opens it again after the last item taken. */
export function follow<Item>(options: FollowOptions<Item>): AsyncDisposable {
  const stop = new AbortController();
  const running = run(options, stop.signal);
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

async function run<Item>(options: FollowOptions<Item>, signal: AbortSignal): Promise<void> {
  let cursor = options.cursor ?? '';
  let wait = FIRST_DELAY_MS;
  while (!signal.aborted) {
    try {
      for await (const item of options.open(cursor, signal)) {
        await options.take(item);
        cursor = options.cursorOf(item) || cursor;
        wait = FIRST_DELAY_MS;
      }
    } catch (error) {
      if (!signal.aborted)
        options.log.info({ feed: options.name, cause: String(error) }, 'feed interrupted; following again');
    }
    // Half of the wait is random, so that many followers of a restarted server do not return as one.
    await delay(wait * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
    wait = Math.min(wait * 2, LONGEST_DELAY_MS);
  }
}
