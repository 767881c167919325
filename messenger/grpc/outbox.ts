import type { ServerDuplexStream } from '@grpc/grpc-js';

type Call<Message> = Pick<ServerDuplexStream<unknown, Message>, 'write' | 'on'>;

/** The sending half of a stream: writes go out in their order, and whoever writes learns when to stop and what has gone. */
export class Outbox<Message> {
  readonly #call: Call<Message>;
  #unwritten = 0;
  /** What waits for the newest write. */
  #afterNewest: (() => void)[] = [];
  #room = Promise.withResolvers<void>();
  #flushed = Promise.withResolvers<void>();
  #isFull = false;

  /** `onRoom` is called whenever a full outbox has drained. */
  constructor(call: Call<Message>, onRoom: () => void) {
    this.#call = call;
    this.#room.resolve();
    this.#flushed.resolve();
    call.on('drain', () => {
      this.#isFull = false;
      this.#room.resolve();
      onRoom();
    });
  }

  /** Writes; false means: stop until there is room. */
  write(message: Message): boolean {
    const after: (() => void)[] = [];
    this.#afterNewest = after;
    if (this.#unwritten++ === 0) this.#flushed = Promise.withResolvers();
    const hasRoom = this.#call.write(message, (error: unknown) => {
      if (!error) for (const callback of after) callback();
      if (--this.#unwritten === 0) this.#flushed.resolve();
    });
    if (!hasRoom && !this.#isFull) {
      this.#isFull = true;
      this.#room = Promise.withResolvers();
    }
    return hasRoom;
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
}
