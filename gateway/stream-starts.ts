/**
 * Starts each new stream one event-loop turn after it came, so a stream that was reset by then costs nothing.
 * A token bucket bounds the rate; the others wait in their order. HTTP/2 bounds how many wait.
 */
export class StreamStarts implements Disposable {
  #perSecond: number;
  #burst: number;
  readonly #steady: () => number;
  readonly #waiting: Start[] = [];
  #level: number;
  #at: number;
  #next: { cancel(): void } | undefined;

  /** `steady`: ms that only grow. */
  constructor(
    { perSecond, burst }: { perSecond: number; burst: number },
    steady: () => number = () => performance.now(),
  ) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#steady = steady;
    this.#level = burst;
    this.#at = steady();
  }

  /** Calls `begin` in its turn, unless `isGone` says then that the stream has ended. */
  add(start: Start): void {
    this.#waiting.push(start);
    this.#next ??= soon(() => this.#begin());
  }

  /** From now on none waits for the rate. */
  lift(): void {
    this.#perSecond = Number.POSITIVE_INFINITY;
    this.#burst = Number.POSITIVE_INFINITY;
    this.#level = Number.POSITIVE_INFINITY;
  }

  #begin(): void {
    this.#next = undefined;
    this.#fill();
    let begun = 0;
    for (const { isGone, begin } of this.#waiting) {
      if (!isGone()) {
        if (this.#level < 1) break;
        this.#level--;
        begin();
      }
      begun++;
    }
    this.#waiting.splice(0, begun);
    if (this.#waiting.length > 0)
      this.#next = later(() => this.#begin(), ((1 - this.#level) / this.#perSecond) * 1_000);
  }

  #fill(): void {
    if (this.#level === Number.POSITIVE_INFINITY) return;
    const now = this.#steady();
    this.#level = Math.min(this.#burst, this.#level + ((now - this.#at) / 1_000) * this.#perSecond);
    this.#at = now;
  }

  [Symbol.dispose](): void {
    this.#next?.cancel();
    this.#waiting.length = 0;
  }
}

interface Start {
  begin(): void;
  isGone(): boolean;
}

function soon(run: () => void): { cancel(): void } {
  const immediate = setImmediate(run);
  return { cancel: () => clearImmediate(immediate) };
}

function later(run: () => void, ms: number): { cancel(): void } {
  const timer = setTimeout(run, Math.max(0, ms));
  return { cancel: () => clearTimeout(timer) };
}
