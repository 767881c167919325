import type { Log } from '#common/log.ts';
import type { Limits } from '../limits.ts';
import { Addresses, type Lookup } from './addresses.ts';
import { Node } from './node.ts';

export interface NodesOptions {
  /** `host:port` of each messenger, or of names that stand for several. */
  messengers: readonly string[];
  limits: Limits;
  log: Log;
  lookup?: Lookup | undefined;
}

/** Which messenger? All those that the configured addresses stand for, each watched. */
export class Nodes implements Disposable {
  readonly #options: NodesOptions;
  readonly #addresses: Addresses;
  readonly #nodes = new Map<string, Node>();
  readonly #waiting = new Set<() => void>();
  #resolvedAt = Number.NEGATIVE_INFINITY;
  #isResolving = false;
  #next: NodeJS.Timeout | undefined;
  #isOver = false;

  private constructor(options: NodesOptions) {
    this.#options = options;
    this.#addresses = new Addresses(options.messengers, options.lookup);
  }

  /** Begins to watch, and gives what answers at once the time to answer. */
  static async open(options: NodesOptions): Promise<Nodes> {
    const nodes = new Nodes(options);
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, options.limits.checkTimeoutMs);
    const first = nodes.#resolve().then(() => Promise.all([...nodes.all()].map((node) => node.checked)));
    await Promise.race([first, late]);
    clearTimeout(timer);
    return nodes;
  }

  /** Whether any messenger serves. */
  get areServing(): boolean {
    return this.#serving().length > 0;
  }

  all(): Iterable<Node> {
    return this.#nodes.values();
  }

  /** The serving node with the fewest connections of ours, `avoided` only where it is the only one; undefined when none serves. */
  choose(avoided?: Node): Node | undefined {
    const serving = this.#serving();
    const others = serving.filter((node) => node !== avoided);
    const candidates = others.length > 0 ? others : serving;
    const fewest = Math.min(...candidates.map((node) => node.links.size));
    const best = candidates.filter((node) => node.links.size === fewest);
    return best[Math.floor(Math.random() * best.length)];
  }

  /** Calls `listener` once, as soon as a messenger begins to serve; the result stops that. */
  onceServing(listener: () => void): () => void {
    this.#waiting.add(listener);
    return () => this.#waiting.delete(listener);
  }

  #serving(): Node[] {
    return [...this.#nodes.values()].filter((node) => node.isServing);
  }

  async #resolve(): Promise<void> {
    if (this.#isResolving || this.#isOver) return;
    clearTimeout(this.#next);
    this.#isResolving = true;
    this.#resolvedAt = performance.now();
    const listed = await this.#addresses.resolve();
    this.#isResolving = false;
    if (this.#isOver) return;
    for (const address of listed) if (!this.#nodes.has(address)) this.#add(address);
    for (const node of this.#nodes.values()) node.isListed = listed.has(node.address);
    this.#forgetUnlisted();
    if (this.areServing) this.#wake();
    this.#next = setTimeout(() => void this.#resolve(), this.#options.limits.resolveEveryMs);
  }

  #add(address: string): void {
    const node = new Node(address, {
      limits: this.#options.limits,
      hasOther: (one) => this.#serving().some((other) => other !== one),
      onChange: (changed) => this.#changed(changed),
    });
    this.#nodes.set(address, node);
  }

  /** A node that is listed no more gets no new callers, and is watched until the last of the old ones has gone. */
  #forgetUnlisted(): void {
    for (const [address, node] of this.#nodes) {
      if (node.isListed || node.links.size > 0) continue;
      node[Symbol.dispose]();
      this.#nodes.delete(address);
    }
  }

  #changed({ address, isServing }: Node): void {
    this.#options.log.info({ address }, isServing ? 'messenger serves' : 'messenger left');
    if (isServing) this.#wake();
    else if (performance.now() - this.#resolvedAt > this.#options.limits.checkEveryMs) void this.#resolve();
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const listener of waiting) listener();
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#next);
    for (const node of this.#nodes.values()) node[Symbol.dispose]();
  }
}
