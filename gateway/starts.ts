/** How long those wait that have used up their rate, and when addresses are forgotten. */
const TOKENS_MS = 5;
const SWEEP_MS = 2_000;

interface Rates {
  /** Starts of one address, sustained. */
  perSecond: number;
  /** How many of them may come together. */
  burst: number;
  /** How many of one address begin in one turn of the event loop. */
  perTurn: number;
  /** How many of one address may wait, where `hasRoom` is asked. */
  maxWaiting: number;
}

/**
 * When the work of new requests and streams begins: an event-loop turn after they came, so that a stream
 * which was reset by then costs nothing. Each turn begins a few of each address, within its rate (a token
 * bucket); the others wait in their order. What waits is bounded by the connections: by their streams, and by
 * one request of HTTP/1.1 each.
 */
export class Starts implements Disposable {
  readonly #rates: Rates;
  readonly #steady: () => number;
  readonly #queues = new Map<string, Queue>();
  /** Those in which something waits. */
  readonly #busy = new Set<Queue>();
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #sweep: NodeJS.Timeout | undefined;

  /** `steady`: ms that only grow. */
  constructor(rates: Rates, steady: () => number = () => performance.now()) {
    this.#rates = rates;
    this.#steady = steady;
  }

  /** How many addresses are remembered: those that have begun something within some seconds. */
  get addresses(): number {
    return this.#queues.size;
  }

  /** Whether few enough of an address wait for one more. */
  hasRoom(address: string): boolean {
    return (this.#queues.get(address)?.waiting.size ?? 0) < this.#rates.maxWaiting;
  }

  /** Calls `begin` in its turn, unless `isGone` says then that nothing waits for it any more. */
  add(address: string, start: Start): void {
    const known = this.#queues.get(address);
    const queue = known ?? { waiting: new Set(), level: this.#rates.burst, at: this.#steady() };
    if (known === undefined) this.#queues.set(address, queue);
    queue.waiting.add(start);
    this.#busy.add(queue);
    this.#immediate ??= setImmediate(() => this.#turn());
    this.#sweep ??= setTimeout(() => this.#forget(), SWEEP_MS).unref();
  }

  /** Calls `begin` a turn later as well, whatever the rate: a service's. */
  addExempt({ begin, isGone }: Start): void {
    setImmediate(() => isGone() || begin());
  }

  #turn(): void {
    this.#immediate = undefined;
    clearTimeout(this.#timer);
    let hasMore = false;
    for (const queue of this.#busy) {
      this.#fill(queue);
      this.#begin(queue);
      if (queue.waiting.size === 0) this.#busy.delete(queue);
      else hasMore ||= queue.level >= 1;
    }
    if (hasMore) this.#immediate = setImmediate(() => this.#turn());
    else if (this.#busy.size > 0) this.#timer = setTimeout(() => this.#turn(), TOKENS_MS);
  }

  #begin(queue: Queue): void {
    const { waiting } = queue;
    let left = this.#rates.perTurn;
    for (const start of waiting) {
      const isGone = start.isGone();
      if (!isGone && (left === 0 || queue.level < 1)) return;
      waiting.delete(start);
      if (isGone) continue;
      left--;
      queue.level--;
      start.begin();
    }
  }

  /** An address that is whole again is as good as one that never came. */
  #forget(): void {
    this.#sweep = undefined;
    for (const [address, queue] of this.#queues) {
      this.#fill(queue);
      if (queue.waiting.size === 0 && queue.level >= this.#rates.burst) this.#queues.delete(address);
    }
    if (this.#queues.size > 0) this.#sweep = setTimeout(() => this.#forget(), SWEEP_MS).unref();
  }

  #fill(queue: Queue): void {
    const { perSecond, burst } = this.#rates;
    const now = this.#steady();
    queue.level = Math.min(burst, queue.level + ((now - queue.at) / 1_000) * perSecond);
    queue.at = now;
  }

  [Symbol.dispose](): void {
    clearImmediate(this.#immediate);
    clearTimeout(this.#timer);
    clearTimeout(this.#sweep);
    this.#queues.clear();
    this.#busy.clear();
  }
}

/** What is to begin, and whether nothing waits for it any more. */
export interface Start {
  begin(): void;
  isGone(): boolean;
}

interface Queue {
  waiting: Set<Start>;
  level: number;
  at: number;
}
