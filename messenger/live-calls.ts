import { ServiceError } from '#common/errors.ts';

/** An open stream, as those see it who may have to end it. */
export interface LiveCall extends Disposable {
  /** Aborted with the ServiceError that the stream is to end with. */
  readonly signal: AbortSignal;
  end(error: ServiceError): void;
}

/** Every open stream of this node, so that a logout, a stop or old age can end them. */
export class LiveCalls {
  readonly #calls = new Map<string, Set<AbortController>>();
  readonly #maxAgeMs: number;
  #isStopping = false;

  constructor(maxAgeMs: number) {
    this.#maxAgeMs = maxAgeMs;
  }

  /** Registers a stream of a login session. @throws ServiceError RECONNECT when this node is stopping. */
  open(sessionId: string): LiveCall {
    if (this.#isStopping) throw reconnect();
    const calls = this.#calls.get(sessionId) ?? new Set();
    this.#calls.set(sessionId, calls);
    const controller = new AbortController();
    calls.add(controller);
    // A tenth more or less, so that streams that opened together do not return together.
    const age = setTimeout(() => controller.abort(reconnect()), this.#maxAgeMs * (0.9 + Math.random() / 5));
    return {
      signal: controller.signal,
      end: (error) => controller.abort(error),
      [Symbol.dispose]: () => {
        clearTimeout(age);
        calls.delete(controller);
        if (calls.size === 0 && this.#calls.get(sessionId) === calls) this.#calls.delete(sessionId);
      },
    };
  }

  /** The login session has ended, and so do its streams. */
  endSession(sessionId: string): void {
    for (const controller of this.#calls.get(sessionId) ?? [])
      controller.abort(new ServiceError('SESSION_ENDED'));
  }

  /** This node is going away: every stream ends with RECONNECT, and no new one opens. */
  stop(): void {
    this.#isStopping = true;
    this.reconnectAll();
  }

  /** Every stream ends with RECONNECT, and may come back here. */
  reconnectAll(): void {
    for (const calls of this.#calls.values()) for (const controller of calls) controller.abort(reconnect());
  }
}

function reconnect(): ServiceError {
  return new ServiceError('RECONNECT', { retryAfterMs: 1_000 });
}
