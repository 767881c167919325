import { SingleBar } from 'cli-progress';

const LINE_EVERY_MS = 5_000;

/** A bar at a terminal, a line now and then elsewhere. */
export function showProgress(total: number): Progress {
  const bar = new SingleBar({
    format: '{bar} {percentage}% | {value} of {total} rows | {doing}',
    noTTYOutput: true,
    notTTYSchedule: LINE_EVERY_MS,
    hideCursor: true,
  });
  bar.start(total, 0, { doing: '' });
  return {
    add: (rows, doing) => bar.increment(rows, { doing }),
    [Symbol.dispose]: () => bar.stop(),
  };
}

export interface Progress extends Disposable {
  /** `doing`: what is worked on. */
  add(rows: number, doing: string): void;
}
