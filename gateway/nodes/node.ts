import type { Limits } from '../limits.ts';
import { Probe } from './probe.ts';

/** A connection to a node, for as long as it is open. */
export interface NodeLink {
  /** The node has fallen silent: what still waits for it there is to go elsewhere. */
  abandon(): void;
}

export interface NodeOptions {
  limits: Limits;
  /** Whether some other node serves, so that its callers need not wait for this one. */
  hasOther(node: Node): boolean;
  onChange(node: Node): void;
}

/** One messenger, watched: asked for its health all the time, and left when it says no, says nothing, or says goodbye. */
export class Node implements Disposable {
  readonly address: string;
  /** The open connections to it. */
  readonly links = new Set<NodeLink>();
  /** Whether the configured names still stand for it. */
  isListed = true;
  readonly #options: NodeOptions;
  readonly #probe: Probe;
  readonly #checked = Promise.withResolvers<void>();
  #isServing = false;
  #answeredAt = performance.now();
  #round = 0;
  #next: NodeJS.Timeout | undefined;
  #silence: NodeJS.Timeout | undefined;

  constructor(address: string, options: NodeOptions) {
    this.address = address;
    this.#options = options;
    this.#probe = new Probe(address);
    this.#check();
  }

  /** Whether new calls may go there. */
  get isServing(): boolean {
    return this.#isServing && this.isListed;
  }

  /** Fulfils after the first check, whatever it said. */
  get checked(): Promise<void> {
    return this.#checked.promise;
  }

  /** A connection to it was refused, or was told that it is going away: nobody goes there until it says itself that one may. */
  doubt(): void {
    if (!this.#isServing) return;
    this.#become(false);
    this.#probe.forget();
    this.#check();
  }

  #check(): void {
    clearTimeout(this.#next);
    // What an earlier check still says is no news.
    const round = ++this.#round;
    const { checkTimeoutMs } = this.#options.limits;
    this.#probe.check(checkTimeoutMs).then(
      (isServing) => round === this.#round && this.#answered(isServing),
      (error: unknown) => round === this.#round && this.#silent(error),
    );
  }

  #answered(isServing: boolean): void {
    this.#answeredAt = performance.now();
    clearTimeout(this.#silence);
    this.#silence = undefined;
    this.#checkLater();
    this.#become(isServing);
  }

  /** The only node that there is may be just slow: it is left when it is gone, or silent for long. */
  #silent(error: unknown): void {
    this.#checkLater();
    const { hasOther, limits } = this.#options;
    const isGone = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
    const isLost = performance.now() - this.#answeredAt >= limits.lostMs;
    if (isGone || isLost || hasOther(this)) this.#become(false);
    this.#silence ??= this.#abandonAfter(this.#options.limits.stalledMs);
  }

  #checkLater(): void {
    this.#next = setTimeout(() => this.#check(), this.#options.limits.checkEveryMs);
    this.#checked.resolve();
  }

  /** After so long without an answer what is open here ends, if there is another node to go to; after longer, in any case. */
  #abandonAfter(silenceMs: number): NodeJS.Timeout {
    const due = this.#answeredAt + silenceMs - performance.now();
    // It may be past: Node warns of a negative delay.
    return setTimeout(
      () => {
        const { limits, hasOther } = this.#options;
        const isLost = performance.now() - this.#answeredAt >= limits.lostMs;
        if (isLost || hasOther(this)) for (const link of this.links) link.abandon();
        this.#silence = this.#abandonAfter(performance.now() - this.#answeredAt + limits.checkEveryMs);
      },
      Math.max(0, due),
    );
  }

  #become(isServing: boolean): void {
    if (isServing === this.#isServing) return;
    this.#isServing = isServing;
    this.#options.onChange(this);
  }

  [Symbol.dispose](): void {
    this.#round++;
    clearTimeout(this.#next);
    clearTimeout(this.#silence);
    this.#isServing = false;
    this.#probe[Symbol.dispose]();
  }
}
