import { setTimeout as delay } from 'node:timers/promises';

/** Does a piece of work now and then, from `start` until it is disposed of, which waits for the work in hand. */
export class Repeating implements AsyncDisposable {
  readonly #everyMs: number;
  readonly #work: (signal: AbortSignal) => Promise<void>;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  /** `work` must not reject. It begins again `everyMs` after it has ended; its signal says that it should end. */
  constructor(everyMs: number, work: (signal: AbortSignal) => Promise<void>) {
    this.#everyMs = everyMs;
    this.#work = work;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#work(signal);
      await delay(this.#everyMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}
