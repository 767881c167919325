import { ServiceError } from '#common/errors.ts';

/** When one that was refused may come again. */
const RETRY_MS = 1_000;

/**
 * Runs a bounded number for each key; the others wait in their order. The number that may wait is bounded
 * too.
 */
export class Turns<Key> {
  readonly #maxRunning: number;
  readonly #maxWaiting: number;
  readonly #queues = new Map<Key, Queue>();

  /** Without `maxWaiting`, the one who takes turns bounds how many wait. */
  constructor(maxRunning: number, maxWaiting: number = Number.POSITIVE_INFINITY) {
    this.#maxRunning = maxRunning;
    this.#maxWaiting = maxWaiting;
  }

  /**
   * Calls `begin` when it is the turn of this one: now where there is room. The result is to be called once
   * it has ended, or does not want its turn any more.
   * @throws ServiceError RATE_LIMITED when too many wait.
   */
  take(key: Key, begin: () => void): () => void {
    const queue = this.#queues.get(key) ?? { running: 0, waiting: new Set() };
    if (queue.waiting.size >= this.#maxWaiting)
      throw new ServiceError('RATE_LIMITED', { retryAfterMs: RETRY_MS });
    this.#queues.set(key, queue);
    let isOver = false;
    let isRunning = queue.running < this.#maxRunning;
    const start = () => {
      queue.running++;
      isRunning = true;
      begin();
    };
    const end = () => {
      if (isOver) return;
      isOver = true;
      if (!isRunning) queue.waiting.delete(start);
      else this.#next(key, queue);
    };
    if (isRunning) start();
    else queue.waiting.add(start);
    return end;
  }

  #next(key: Key, queue: Queue): void {
    queue.running--;
    const [next] = queue.waiting;
    if (next !== undefined) {
      queue.waiting.delete(next);
      next();
    } else if (queue.running === 0) this.#queues.delete(key);
  }
}

interface Queue {
  running: number;
  waiting: Set<() => void>;
}
