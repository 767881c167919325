/** Wakes whoever follows a feed: says only "look again". */
export class Signal {
  #next = Promise.withResolvers<void>();

  /** Take it before looking, so that nothing is missed in between. */
  get next(): Promise<void> {
    return this.#next.promise;
  }

  raise(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  }
}
