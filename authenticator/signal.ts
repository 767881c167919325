/** Wakes whoever follows a feed: says only "look again". */
export class Signal {
  readonly #announce: () => void;
  #raised = 0;
  readonly #waiting = new Set<() => void>();

  /** `announce` tells the other nodes. */
  constructor(announce: () => void = () => {}) {
    this.#announce = announce;
  }

  /** How often it was raised. Take it before looking, so that nothing is missed in between. */
  get count(): number {
    return this.#raised;
  }

  /** There is news of our own. */
  raise(): void {
    this.hear();
    this.#announce();
  }

  /** There may be news of another node. */
  hear(): void {
    this.#raised++;
    for (const wake of this.#waiting) wake();
  }

  /**
   * Waits until it is raised more often than `seen`, `stop` is aborted, or `ms` have passed; false only for the last.
   * Leaves nothing behind, however long nothing happens.
   */
  async passes(seen: number, ms: number, stop: AbortSignal): Promise<boolean> {
    if (this.#raised > seen || stop.aborted) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const wake = () => resolve(true);
    const timer = setTimeout(resolve, ms, false);
    this.#waiting.add(wake);
    stop.addEventListener('abort', wake);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(wake);
      stop.removeEventListener('abort', wake);
    }
  }
}
