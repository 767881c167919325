import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { SessionResponse } from '#proto/chatterbox/v1/session.ts';
import { Outbox, type OutboxOwner } from './outbox.ts';
import { SessionFrame } from './session-frame.ts';

/** Each of them less than 1 MiB: what a device that does not read may cost. */
const FRAMES_IN_FLIGHT = 4;

/** The outgoing half of a session: frames that fill during a turn of the event loop, and go out at its end or when they are full. */
export class SessionFrames {
  readonly #outbox: Outbox<SessionResponse>;
  #frame: SessionFrame | undefined;
  #isOver = false;

  constructor(call: Pick<ServerDuplexStream<unknown, SessionResponse>, 'write'>, owner: OutboxOwner) {
    this.#outbox = new Outbox(call, FRAMES_IN_FLIGHT, {
      onFull: () => owner.onFull?.(),
      onRoom: () => {
        this.#flush();
        owner.onRoom?.();
      },
    });
  }

  /** False: what a reader has is to wait until `onRoom`. Answers are taken all the same: the client is not read while there is no room. */
  get hasRoom(): boolean {
    return this.#outbox.hasRoom;
  }

  /** Fulfils when there is room. */
  room(): Promise<void> {
    return this.#outbox.room();
  }

  /** The frame that fills. */
  next(): SessionFrame {
    if (this.#frame?.isFull) this.#flush();
    if (this.#frame === undefined) {
      this.#frame = new SessionFrame();
      setImmediate(() => this.#flushIfRoom());
    }
    return this.#frame;
  }

  /** A frame has one pong, and each ping has its own. */
  pong(number: bigint): void {
    if (this.#frame?.hasPong) this.#flush();
    this.next().pong(number);
  }

  /** The last frame goes out; nothing is written any more. */
  close(): void {
    this.#flush();
    this.#isOver = true;
  }

  #flush(): void {
    if (this.#isOver) return;
    const frame = this.#frame;
    this.#frame = undefined;
    if (frame !== undefined) this.#outbox.write(frame.finish());
  }

  #flushIfRoom(): void {
    if (this.#outbox.hasRoom) this.#flush();
  }
}
