import { steadyClock, watchedClock } from '#common/clocks.ts';
import type { Log } from '#common/log.ts';

/** The clocks of a messenger, and what warns its operators where the machine's clock is wrong. */
export interface WatchedClocks {
  /** Points in time, ms since the epoch. */
  clock(): number;
  /** Durations, see common/clocks.ts. */
  steady(): number;
  /** An entry was dated this much before the one before it, ms: a clock was wrong. */
  onDatedBack(byMs: number): void;
}

/**
 * A server that starts with a wrong clock cannot tell. It warns when it can: the clock is set while it runs,
 * the database's clock differs (see `warnOfClock`), or the log holds an entry from a time that has not come.
 */
export function watchClocks(
  { clock = Date.now, steady = steadyClock }: { clock?: () => number; steady?: () => number },
  log: Log,
): WatchedClocks {
  let isTold = false;
  return {
    steady,
    clock: watchedClock(clock, steady, (byMs) => log.warn({ byMs }, wasSet(byMs))),
    onDatedBack(byMs) {
      if (isTold) return;
      isTold = true;
      log.warn(
        { byMs },
        `the log holds entries that are dated ${seconds(byMs)} s after this machine's clock: ${WRONG}`,
      );
    },
  };
}

const WRONG =
  'a clock was ahead when they were written, or this one is behind now; new entries carry the time of this one';

function wasSet(byMs: number): string {
  return byMs > 0
    ? `the machine's clock was set forward by ${seconds(byMs)} s, or the machine was asleep`
    : `the machine's clock was set back by ${seconds(byMs)} s: what was written before is dated that much too late`;
}

function seconds(ms: number): number {
  return Math.round(Math.abs(ms) / 1_000);
}
