import { ServiceError } from '#common/errors.ts';

/** Old age is looked for so often in the life of a stream, and at least after so long. A timer for each would cost half a kilobyte. */
const AGE_STEPS = 20;
const LOOK_MS = 5_000;

/** Every open stream of this node, so that a logout, a stop or old age can end them. */
export class LiveCalls {
  readonly #calls = new Set<LiveCall>();
  readonly #maxAgeMs: number;
  readonly #hasEnded: (sessionId: string) => boolean;
  #aging: NodeJS.Timeout | undefined;
  #isStopping = false;

  /** `hasEnded`: whether a login session is known to have ended. */
  constructor(maxAgeMs: number, hasEnded: (sessionId: string) => boolean = () => false) {
    this.#maxAgeMs = maxAgeMs;
    this.#hasEnded = hasEnded;
  }

  /**
   * Registers a stream of a login session.
   * @throws ServiceError RECONNECT when this node is stopping, SESSION_ENDED when the session ended after its token was checked.
   */
  open(sessionId: string): LiveCall {
    if (this.#isStopping) throw reconnect();
    if (this.#hasEnded(sessionId)) throw new ServiceError('SESSION_ENDED');
    this.#aging ??= setInterval(() => this.#endOld(), Math.min(LOOK_MS, this.#maxAgeMs / AGE_STEPS)).unref();
    // A tenth more or less, so that streams that opened together do not return together.
    const endsAt = performance.now() + this.#maxAgeMs * (0.9 + Math.random() / 5);
    const call = new LiveCall(sessionId, endsAt, this.#calls);
    this.#calls.add(call);
    return call;
  }

  /** The login session has ended, and so do its streams. */
  endSession(sessionId: string): void {
    for (const call of this.#calls)
      if (call.sessionId === sessionId) call.end(new ServiceError('SESSION_ENDED'));
  }

  /** This node is going away: every stream ends with RECONNECT, and no new one opens. */
  stop(): void {
    this.#isStopping = true;
    clearInterval(this.#aging);
    this.reconnectAll();
  }

  /** Every stream ends with RECONNECT, and may come back here. */
  reconnectAll(): void {
    for (const call of this.#calls) call.end(reconnect());
  }

  #endOld(): void {
    const now = performance.now();
    for (const call of this.#calls) if (call.endsAt <= now) call.end(reconnect());
  }
}

/** An open stream, as those see it who may have to end it. */
export class LiveCall implements Disposable {
  readonly sessionId: string;
  readonly endsAt: number;
  readonly #calls: Set<LiveCall>;
  #reason: ServiceError | undefined;
  #listener: ((reason: ServiceError) => void) | undefined;
  #aborter: AbortController | undefined;

  constructor(sessionId: string, endsAt: number, calls: Set<LiveCall>) {
    this.sessionId = sessionId;
    this.endsAt = endsAt;
    this.#calls = calls;
  }

  /** What the stream is to end with, once it is. */
  get reason(): ServiceError | undefined {
    return this.#reason;
  }

  /** Only the first one counts. */
  end(reason: ServiceError): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#listener?.(reason);
    this.#aborter?.abort(reason);
  }

  /** Tells `listener`, the only one, when the stream is to end. */
  onEnd(listener: (reason: ServiceError) => void): void {
    this.#listener = listener;
    if (this.#reason !== undefined) listener(this.#reason);
  }

  /** Aborted with the reason; made only for those who ask. */
  get signal(): AbortSignal {
    this.#aborter ??= new AbortController();
    if (this.#reason !== undefined) this.#aborter.abort(this.#reason);
    return this.#aborter.signal;
  }

  [Symbol.dispose](): void {
    this.#calls.delete(this);
  }
}

function reconnect(): ServiceError {
  return new ServiceError('RECONNECT', { retryAfterMs: 1_000 });
}
