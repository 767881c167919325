/**
 * What users wait for, each thing under a key of its user: users take turns, one thing each, so that one with much does not keep the others waiting.
 */
export class UserQueue<Item> {
  readonly #users = new Map<string, Map<string, Item>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(user: string, key: string): Item | undefined {
    return this.#users.get(user)?.get(key);
  }

  /** Adds an item, or replaces the one under this key, which keeps its place. */
  set(user: string, key: string, item: Item): void {
    const items = this.#users.get(user) ?? new Map<string, Item>();
    if (items.size === 0) this.#users.set(user, items);
    if (!items.has(key)) this.#size++;
    items.set(key, item);
  }

  /** Removes and returns at most so many items: the first one of each user, then the next one of each. */
  take(limit: number): Item[] {
    const taken: Item[] = [];
    // A user with more goes to the end of the map, and so comes again in this loop.
    for (const [user, items] of this.#users) {
      if (taken.length === limit) break;
      this.#users.delete(user);
      for (const [key, item] of items) {
        taken.push(item);
        items.delete(key);
        break;
      }
      if (items.size > 0) this.#users.set(user, items);
    }
    this.#size -= taken.length;
    return taken;
  }

  /** Removes and returns all of one user. */
  takeOf(user: string): Item[] {
    const items = [...(this.#users.get(user)?.values() ?? [])];
    this.#users.delete(user);
    this.#size -= items.length;
    return items;
  }
}
