import { type ServiceError, toServiceError } from '#common/errors.ts';
import type { Draft } from './ports.ts';
import type { Sender, SendRequest, Sent } from './send.ts';

/** Hears what becomes of the sends of one stream, each named by its request. Must not throw or wait. */
export interface SendListener<Request extends SendRequest> {
  /** It is allowed and on its way to the log. */
  admitted?(request: Request, draft: Draft): void;
  /** False where it will be answered later: it counts as on its way until `SendWindow.answered` says so. */
  sent(request: Request, sent: Sent): boolean;
  /** Whether a send with an attempt must not be committed any more, see SendOrder. */
  isOvertaking?(request: Request): boolean;
  /** With its draft where it had been admitted. */
  refused(request: Request, error: ServiceError, draft?: Draft): void;
}

/** The sends of one stream: admitted and committed in their order, with a bound on how many are on their way. */
export class SendWindow<Request extends SendRequest> {
  readonly #user: string;
  readonly #sender: Sender;
  readonly #limit: number;
  readonly #listener: SendListener<Request>;
  #inFlight = 0;
  #waiting: (() => void)[] = [];

  constructor(user: string, sender: Sender, limit: number, listener: SendListener<Request>) {
    this.#user = user;
    this.#sender = sender;
    this.#limit = limit;
    this.#listener = listener;
  }

  /**
   * Takes a send. Undefined when the next one may follow at once; else a promise that fulfils when it may: this one is admitted or
   * refused then, and perhaps not yet committed.
   */
  send(request: Request): Promise<void> | undefined {
    if (this.#inFlight >= this.#limit) return this.#sendLater(request);
    this.#inFlight++;
    try {
      const draft = this.#sender.admit(this.#user, request);
      if (!(draft instanceof Promise)) return this.#commit(request, draft);
      return draft.then(
        (admitted) => this.#commit(request, admitted),
        (thrown: unknown) => this.#refuse(request, toServiceError(thrown)),
      );
    } catch (thrown) {
      return this.#refuse(request, toServiceError(thrown));
    }
  }

  /** One that was sent has its answer now. */
  answered(): void {
    this.#inFlight--;
    if (this.#waiting.length > 0) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Fulfils when nothing is on its way any more. */
  async empty(): Promise<void> {
    while (this.#inFlight > 0) await this.#someLeft();
  }

  async #sendLater(request: Request): Promise<void> {
    while (this.#inFlight >= this.#limit) await this.#someLeft();
    await this.send(request);
  }

  #commit(request: Request, draft: Draft): undefined {
    const isOvertaking =
      request.attempt === 0 ? undefined : () => this.#listener.isOvertaking?.(request) ?? false;
    this.#listener.admitted?.(request, draft);
    this.#sender.commit(draft, {
      sent: (sent) => {
        if (this.#listener.sent(request, sent)) this.answered();
      },
      refused: (error) => this.#refuse(request, error, draft),
      isOvertaking,
    });
  }

  #refuse(request: Request, error: ServiceError, draft?: Draft): undefined {
    this.#listener.refused(request, error, draft);
    this.answered();
  }

  #someLeft(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
