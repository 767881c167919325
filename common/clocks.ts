/**
 * Two clocks are passed to what needs them. `clock` tells points in time, ms since the epoch: these are
 * stored and told to others, and the machine's clock may be set by an hour between two looks. `steady` counts
 * ms and is never set: every duration is measured by it. test/architecture.test.ts forbids to subtract what
 * `clock` tells; the two subtractions that have a meaning are here.
 */
export const steadyClock = (): number => performance.now();

/**
 * Clocks that are to agree differ by this much at most; what is dated further ahead was dated by a clock that
 * is wrong.
 */
export const MAX_AHEAD_MS = 60_000;

/** The point in time `ms` before `time`. */
export function timeBefore(time: number, ms: number): number {
  return time - ms;
}

/**
 * How far one clock is ahead of another that was read at the same moment, ms; negative where it is behind.
 */
export function aheadBy(one: number, other: number): number {
  return one - other;
}

/**
 * The same clock, which tells `onSet` by how many ms it was set since it was last read, where that is more
 * than a minute; negative for back. A machine that slept has a clock that was set forward.
 */
export function watchedClock(
  clock: () => number,
  steady: () => number,
  onSet: (byMs: number) => void,
): () => number {
  let ahead = aheadBy(clock(), steady());
  return () => {
    const now = clock();
    const was = ahead;
    ahead = aheadBy(now, steady());
    if (Math.abs(ahead - was) > MAX_AHEAD_MS) onSet(Math.round(ahead - was));
    return now;
  };
}
