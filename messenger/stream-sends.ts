import { type ServiceError, toServiceError } from '#common/errors.ts';
import type { Entry } from './ports.ts';
import type { Sender, SendRequest, Sent } from './send.ts';
import type { SendRate } from './send-rate.ts';
import { SendWindow } from './send-window.ts';

/** Hears what becomes of one send. */
export interface SendAnswer {
  /** Whether the answer stands for the entry, which then is not delivered on this stream as well. */
  isForEntry(conversation: string): boolean;
  sent(sent: Sent): void;
  refused(error: ServiceError): void;
}

/** The sends of a stream that also receives: rated, in their order, and known again when their entries come by. */
export class StreamSends {
  readonly #user: string;
  readonly #rate: SendRate;
  readonly #window: SendWindow;
  /** The client ids of sends that are answered rather than delivered, with their conversation. */
  readonly #answered = new Map<string, string>();

  constructor(user: string, sender: Sender, rate: SendRate, inFlight: number) {
    this.#user = user;
    this.#rate = rate;
    this.#window = new SendWindow(sender, inFlight);
  }

  /** Undefined when the next send may follow at once; else a promise that fulfils when it may. */
  send(request: SendRequest, answer: SendAnswer): Promise<void> | undefined {
    try {
      this.#rate.take(this.#user);
    } catch (thrown) {
      answer.refused(toServiceError(thrown));
      return undefined;
    }
    let clientId = '';
    return this.#window.send(this.#user, request, {
      admitted: (draft) => {
        clientId = draft.clientId;
        if (answer.isForEntry(draft.conversation)) this.#answered.set(clientId, draft.conversation);
      },
      sent: (sent) => {
        // No entry comes of a retry.
        if (sent.isRetry) this.#answered.delete(clientId);
        answer.sent(sent);
      },
      refused: (error) => {
        this.#answered.delete(clientId);
        answer.refused(error);
      },
    });
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
