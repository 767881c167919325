import { JoinedBytes } from '../joined-bytes.ts';
import type { Limits } from '../limits.ts';

/**
 * What a call has sent so far, kept while it is little and unanswered, and how often and how long the call may be sent again.
 */
export class Replay {
  readonly #limits: Limits;
  readonly #began = performance.now();
  #sent: JoinedBytes | undefined = new JoinedBytes();
  #tries = 0;
  #failedAt: number | undefined;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** What to begin the next try with; undefined once it is not kept any more. */
  get sent(): Buffer | undefined {
    return this.#sent?.bytes;
  }

  get tries(): number {
    return this.#tries;
  }

  keep(chunk: Buffer): void {
    if (this.#sent === undefined) return;
    const { replayBytes, replayWithinMs } = this.#limits;
    const age = performance.now() - this.#began;
    if (this.#sent.size + chunk.length > replayBytes || age > replayWithinMs) this.forget();
    else this.#sent.add(chunk);
  }

  /** The call is answered: nothing may be sent twice. */
  forget(): void {
    this.#sent = undefined;
  }

  tried(): void {
    this.#tries++;
  }

  /** How much longer the call may wait for a messenger, ms from its first failure. */
  left(): number {
    this.#failedAt ??= performance.now();
    return this.#failedAt + this.#limits.replayWithinMs - performance.now();
  }

  /** How long to wait before the next try, ms; undefined when there is to be none. */
  pause(isElsewhere: boolean): number | undefined {
    const { tries, replayWithinMs } = this.#limits;
    const left = this.left();
    if (this.#sent === undefined || this.#tries >= tries) return undefined;
    if (isElsewhere) return left > 0 ? 0 : undefined;
    // Ever longer waits, the last of which ends with the window; a little later, so that not all come at once.
    const due = replayWithinMs * (this.#tries / (tries - 1)) ** 2 * (1 + Math.random() / 20);
    return Math.max(0, due - (replayWithinMs - left));
  }
}
