/**
 * Members by key, and at any time a key that has the most. Each step takes the same time, however many keys
 * there are.
 */
export class Census<Member> {
  readonly #groups = new Map<string, Set<Member>>();
  /** The groups of each size. */
  readonly #bySize = new Map<number, Set<Set<Member>>>();
  #largest = 0;

  add(key: string, member: Member): void {
    const group = this.#groups.get(key) ?? new Set();
    this.#groups.set(key, group);
    this.#change(group, () => group.add(member));
  }

  remove(key: string, member: Member): void {
    const group = this.#groups.get(key);
    if (group === undefined || !group.has(member)) return;
    this.#change(group, () => group.delete(member));
    if (group.size === 0) this.#groups.delete(key);
  }

  sizeOf(key: string): number {
    return this.#groups.get(key)?.size ?? 0;
  }

  /** The members of a key, the oldest first. */
  of(key: string): ReadonlySet<Member> {
    return this.#groups.get(key) ?? new Set();
  }

  /** The members of a key that has the most, the oldest first; empty when there is no member. */
  fullest(): ReadonlySet<Member> {
    const [first] = this.#bySize.get(this.#largest) ?? [];
    return first ?? new Set();
  }

  #change(group: Set<Member>, change: () => void): void {
    const before = group.size;
    change();
    const after = group.size;
    if (after === before) return;
    const left = this.#bySize.get(before);
    left?.delete(group);
    if (left?.size === 0) this.#bySize.delete(before);
    if (after > 0) {
      const joined = this.#bySize.get(after) ?? new Set();
      this.#bySize.set(after, joined.add(group));
    }
    // A group changes by one member, so the largest size does too.
    if (after > this.#largest) this.#largest = after;
    else if (before === this.#largest && !this.#bySize.has(before)) this.#largest = after;
  }
}
