import { type ServiceError, toServiceError } from '#common/errors.ts';
import type { Draft } from './ports.ts';
import type { Sender, SendRequest, Sent } from './send.ts';

/** Hears what becomes of one send of a stream. */
export interface SendListener {
  /** It is allowed and on its way to the log. */
  admitted?(draft: Draft): void;
  sent(sent: Sent): void;
  refused(error: ServiceError): void;
}

/** The sends of one stream: admitted and committed in their order, with a bound on how many are on their way. */
export class SendWindow {
  readonly #sender: Sender;
  readonly #limit: number;
  #inFlight = 0;
  #waiting: (() => void)[] = [];

  constructor(sender: Sender, limit: number) {
    this.#sender = sender;
    this.#limit = limit;
  }

  /**
   * Takes a send. Undefined when the next one may follow at once; else a promise that fulfils when it may: this one is admitted or
   * refused then, and perhaps not yet committed.
   */
  send(user: string, request: SendRequest, listener: SendListener): Promise<void> | undefined {
    if (this.#inFlight >= this.#limit) return this.#sendLater(user, request, listener);
    this.#inFlight++;
    try {
      const draft = this.#sender.admit(user, request);
      if (!(draft instanceof Promise)) return this.#commit(draft, listener);
      return draft.then(
        (admitted) => this.#commit(admitted, listener),
        (thrown: unknown) => this.#refuse(thrown, listener),
      );
    } catch (thrown) {
      return this.#refuse(thrown, listener);
    }
  }

  /** Fulfils when nothing is on its way any more. */
  async empty(): Promise<void> {
    while (this.#inFlight > 0) await this.#someLeft();
  }

  async #sendLater(user: string, request: SendRequest, listener: SendListener): Promise<void> {
    while (this.#inFlight >= this.#limit) await this.#someLeft();
    await this.send(user, request, listener);
  }

  #commit(draft: Draft, listener: SendListener): undefined {
    listener.admitted?.(draft);
    this.#sender.commit(draft).then(
      (sent) => {
        listener.sent(sent);
        this.#leave();
      },
      (thrown: unknown) => this.#refuse(thrown, listener),
    );
  }

  #refuse(thrown: unknown, listener: SendListener): undefined {
    listener.refused(toServiceError(thrown));
    this.#leave();
  }

  #someLeft(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    this.#inFlight--;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
