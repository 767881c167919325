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
  readonly #answered = new Set<string>();

  constructor(user: string, sender: Sender, rate: SendRate, inFlight: number) {
    this.#user = user;
    this.#rate = rate;
    this.#window = new SendWindow(sender, inFlight);
  }

  /** Fulfils when the next send may follow. */
  async send(request: SendRequest, answer: SendAnswer): Promise<void> {
    try {
      this.#rate.take(this.#user);
    } catch (thrown) {
      return answer.refused(toServiceError(thrown));
    }
    let key = '';
    await this.#window.send(this.#user, request, {
      admitted: ({ conversation, clientId }) => {
        key = keyOf(conversation, clientId);
        if (answer.isForEntry(conversation)) this.#answered.add(key);
      },
      sent: (sent) => {
        // No entry comes of a retry.
        if (sent.isRetry) this.#answered.delete(key);
        answer.sent(sent);
      },
      refused: (error) => {
        this.#answered.delete(key);
        answer.refused(error);
      },
    });
  }

  /** Whether this stream has sent the entry itself, and its answer stands for it. True once. */
  hasAnswered({ sender, conversation, clientId }: Entry): boolean {
    return sender === this.#user && this.#answered.delete(keyOf(conversation, clientId));
  }

  /** Fulfils when nothing is on its way any more. */
  empty(): Promise<void> {
    return this.#window.empty();
  }
}

function keyOf(conversation: string, clientId: string): string {
  return `${conversation} ${clientId}`;
}
