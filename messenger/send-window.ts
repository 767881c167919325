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
  #left = Promise.withResolvers<void>();

  constructor(sender: Sender, limit: number) {
    this.#sender = sender;
    this.#limit = limit;
  }

  /** Fulfils when the next send may follow: this one is admitted or refused, and perhaps not yet committed. */
  async send(user: string, request: SendRequest, listener: SendListener): Promise<void> {
    while (this.#inFlight >= this.#limit) await this.#left.promise;
    this.#inFlight++;
    try {
      const draft = await this.#sender.admit(user, request);
      listener.admitted?.(draft);
      this.#commit(draft, listener);
    } catch (thrown) {
      listener.refused(toServiceError(thrown));
      this.#leave();
    }
  }

  /** Fulfils when nothing is on its way any more. */
  async empty(): Promise<void> {
    while (this.#inFlight > 0) await this.#left.promise;
  }

  #commit(draft: Draft, listener: SendListener): void {
    this.#sender
      .commit(draft)
      .then(
        (sent) => listener.sent(sent),
        (thrown: unknown) => listener.refused(toServiceError(thrown)),
      )
      .finally(() => this.#leave());
  }

  #leave(): void {
    this.#inFlight--;
    this.#left.resolve();
    this.#left = Promise.withResolvers();
  }
}
