import type { ServerDuplexStream } from '@grpc/grpc-js';

export interface OutboxOwner {
  /** Called whenever a full outbox has drained to half. */
  onRoom?(): void;
  /** Called whenever it becomes full. */
  onFull?(): void;
}

/** The sending half of a stream: writes go out in their order, and whoever writes learns when to stop and what has gone. */
export class Outbox<Message> {
  readonly #call: Pick<ServerDuplexStream<unknown, Message>, 'write'>;
  readonly #limit: number;
  readonly #owner: OutboxOwner;
  /** How many messages were written, and how many of them have gone out to the transport or failed. */
  #written = 0;
  #gone = 0;
  /** What waits until so many have gone. */
  #waiting: { count: number; callbacks: Map<string, () => void> }[] = [];
  #room: PromiseWithResolvers<void> | undefined;
  #flushed: PromiseWithResolvers<void> | undefined;

  /** So many writes may wait in this process before the outbox counts as full. */
  constructor(
    call: Pick<ServerDuplexStream<unknown, Message>, 'write'>,
    limit: number,
    owner: OutboxOwner = {},
  ) {
    this.#call = call;
    this.#limit = limit;
    this.#owner = owner;
  }

  get hasRoom(): boolean {
    return this.#room === undefined;
  }

  write(message: Message): void {
    this.#written++;
    if (this.#written - this.#gone >= this.#limit && this.#room === undefined) {
      this.#room = Promise.withResolvers();
      this.#owner.onFull?.();
    }
    this.#call.write(message, this.#onWritten);
  }

  /**
   * Calls back when everything written so far has gone out to the transport; never if that fails. Where nothing is written in between, a
   * later callback with the same key takes the place of an earlier one.
   */
  afterWrites(key: string, callback: () => void): void {
    const last = this.#waiting.at(-1);
    if (this.#written === this.#gone) callback();
    else if (last?.count === this.#written) last.callbacks.set(key, callback);
    else this.#waiting.push({ count: this.#written, callbacks: new Map([[key, callback]]) });
  }

  /** Fulfils when there is room. */
  async room(): Promise<void> {
    await this.#room?.promise;
  }

  /** Fulfils when nothing waits to be written. */
  async flushed(): Promise<void> {
    if (this.#written === this.#gone) return;
    this.#flushed ??= Promise.withResolvers();
    await this.#flushed.promise;
  }

  readonly #onWritten = (error: unknown): void => {
    this.#gone++;
    // A stream that has failed once writes nothing any more.
    if (error) this.#waiting = [];
    while (this.#waiting[0] !== undefined && this.#waiting[0].count <= this.#gone)
      for (const callback of this.#waiting.shift()?.callbacks.values() ?? []) callback();
    if (this.#written === this.#gone) {
      this.#flushed?.resolve();
      this.#flushed = undefined;
    }
    if (this.#room === undefined || this.#written - this.#gone > this.#limit / 2) return;
    this.#room.resolve();
    this.#room = undefined;
    this.#owner.onRoom?.();
  };
}
