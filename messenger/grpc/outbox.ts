import type { ServerDuplexStream } from '@grpc/grpc-js';

export interface OutboxOptions {
  /** How many writes may wait in this process before the outbox counts as full. */
  limit: number;
  /** Called whenever a full outbox has drained to half. */
  onRoom(): void;
  /** Called whenever it becomes full. */
  onFull?(): void;
}

/** The sending half of a stream: writes go out in their order, and whoever writes learns when to stop and what has gone. */
export class Outbox<Message> {
  readonly #call: Pick<ServerDuplexStream<unknown, Message>, 'write'>;
  readonly #options: OutboxOptions;
  #unwritten = 0;
  /** What waits for the newest write. */
  #afterNewest: (() => void)[] = [];
  #room = Promise.withResolvers<void>();
  #flushed = Promise.withResolvers<void>();
  #isFull = false;

  constructor(call: Pick<ServerDuplexStream<unknown, Message>, 'write'>, options: OutboxOptions) {
    this.#call = call;
    this.#options = options;
    this.#room.resolve();
    this.#flushed.resolve();
  }

  get hasRoom(): boolean {
    return !this.#isFull;
  }

  write(message: Message): void {
    const after: (() => void)[] = [];
    this.#afterNewest = after;
    if (this.#unwritten++ === 0) this.#flushed = Promise.withResolvers();
    if (this.#unwritten >= this.#options.limit && !this.#isFull) {
      this.#isFull = true;
      this.#room = Promise.withResolvers();
      this.#options.onFull?.();
    }
    this.#call.write(message, (error: unknown) => this.#written(error ? [] : after));
  }

  /** Calls back when everything written so far has gone out to the transport; never if that fails. */
  afterWrites(callback: () => void): void {
    if (this.#unwritten === 0) callback();
    else this.#afterNewest.push(callback);
  }

  /** Fulfils when there is room. */
  room(): Promise<void> {
    return this.#room.promise;
  }

  /** Fulfils when nothing waits to be written. */
  flushed(): Promise<void> {
    return this.#flushed.promise;
  }

  #written(after: (() => void)[]): void {
    for (const callback of after) callback();
    this.#unwritten--;
    if (this.#unwritten === 0) this.#flushed.resolve();
    if (!this.#isFull || this.#unwritten > this.#options.limit / 2) return;
    this.#isFull = false;
    this.#room.resolve();
    this.#options.onRoom();
  }
}
