import { type ServiceError, toServiceError } from '#common/errors.ts';
import type { Draft, Entry } from './ports.ts';
import type { Sender, SendRequest, Sent } from './send.ts';
import type { SendRate } from './send-rate.ts';
import { type SendListener, SendWindow } from './send-window.ts';

/** How a stream answers its sends. Must not throw or wait. */
export interface StreamAnswers {
  /** Whether the answer stands for the entry, which then is not delivered on this stream as well. */
  isForEntry(request: SendRequest, conversation: string): boolean;
  sent(request: SendRequest, sent: Sent): void;
  refused(request: SendRequest, error: ServiceError): void;
}

/** The sends of a stream that also receives: rated, in their order, and known again when their entries come by. */
export class StreamSends implements SendListener<SendRequest> {
  readonly #user: string;
  readonly #rate: SendRate;
  readonly #answers: StreamAnswers;
  readonly #window: SendWindow<SendRequest>;
  /** The client ids of sends that are answered rather than delivered, with their conversation. */
  readonly #answered = new Map<string, string>();

  constructor(user: string, sender: Sender, rate: SendRate, inFlight: number, answers: StreamAnswers) {
    this.#user = user;
    this.#rate = rate;
    this.#answers = answers;
    this.#window = new SendWindow(user, sender, inFlight, this);
  }

  /** Undefined when the next send may follow at once; else a promise that fulfils when it may. */
  send(request: SendRequest): Promise<void> | undefined {
    try {
      this.#rate.take(this.#user);
    } catch (thrown) {
      this.#answers.refused(request, toServiceError(thrown));
      return undefined;
    }
    return this.#window.send(request);
  }

  admitted(request: SendRequest, { clientId, conversation }: Draft): void {
    if (this.#answers.isForEntry(request, conversation)) this.#answered.set(clientId, conversation);
  }

  sent(request: SendRequest, sent: Sent): void {
    // No entry comes of a retry.
    if (sent.isRetry) this.#answered.delete(sent.clientId);
    this.#answers.sent(request, sent);
  }

  refused(request: SendRequest, error: ServiceError, draft?: Draft): void {
    if (draft !== undefined) this.#answered.delete(draft.clientId);
    this.#answers.refused(request, error);
  }

  /** Whether this stream has sent the entry itself, and its answer stands for it. True once. */
  hasAnswered({ sender, conversation, clientId }: Entry): boolean {
    if (sender !== this.#user || this.#answered.get(clientId) !== conversation) return false;
    return this.#answered.delete(clientId);
  }

  /** Fulfils when nothing is on its way any more. */
  empty(): Promise<void> {
    return this.#window.empty();
  }
}
