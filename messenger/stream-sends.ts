import { type ServiceError, toServiceError } from '#common/errors.ts';
import { type Answer, HeldAnswers } from './held-answers.ts';
import type { Draft, Entry, Head } from './ports.ts';
import { conversationOf, type Sender, type SendRequest, type Sent } from './send.ts';
import { SendOrder } from './send-order.ts';
import { type SendListener, SendWindow } from './send-window.ts';
import type { UserRate } from './user-rate.ts';

/** How a stream answers its sends. Must not throw or wait. */
export interface StreamAnswers {
  /** Whether the answer stands for the entry, which then is not delivered on this stream as well. */
  isForEntry(request: SendRequest, conversation: string): boolean;
  /** Whether the stream has gone past this entry: it was told or left out, and does not come by any more. */
  isPast(conversation: string, seq: number): boolean;
  /** The conversation goes up to there: the stream reads on, and `told` will say so. */
  announce(head: Head): boolean;
  /**
   * Comes after everything before the entry in its conversation was told, so that its seq may be
   * acknowledged.
   */
  sent(request: SendRequest, sent: Sent): void;
  /** `conversation`: the one that was meant, empty where none was. */
  refused(request: SendRequest, conversation: string, error: ServiceError): void;
}

/** Admitted, and not committed as far as is known. */
const NO_SEQ = 0;

/**
 * The sends of a stream that also receives: rated, in their order, answered when what lies before them was
 * told, and known again when their entries come by.
 */
export class StreamSends implements SendListener<SendRequest> {
  readonly #user: string;
  readonly #rate: UserRate;
  readonly #answers: StreamAnswers;
  readonly #window: SendWindow<SendRequest>;
  readonly #order = new SendOrder((request) => conversationOf(this.#user, request));
  readonly #held = new HeldAnswers();
  #isEnding = false;
  /** The seqs of sends that are answered rather than delivered and have not come by, by conversation and client id, in their order. */
  readonly #answered = new Map<string, Map<string, number>>();

  constructor(user: string, sender: Sender, rate: UserRate, inFlight: number, answers: StreamAnswers) {
    this.#user = user;
    this.#rate = rate;
    this.#answers = answers;
    this.#window = new SendWindow(user, sender, inFlight, this);
  }

  /** Undefined when the next send may follow at once; else a promise that fulfils when it may. */
  send(request: SendRequest): Promise<void> | undefined {
    try {
      this.#order.begin(request);
      this.#rate.take(this.#user);
    } catch (thrown) {
      this.refused(request, toServiceError(thrown));
      return undefined;
    }
    return this.#window.send(request);
  }

  admitted(request: SendRequest, { clientId, conversation }: Draft): void {
    if (!this.#answers.isForEntry(request, conversation)) return;
    const answered = this.#answered.get(conversation) ?? new Map<string, number>();
    if (answered.size === 0) this.#answered.set(conversation, answered);
    if (!answered.has(clientId)) answered.set(clientId, NO_SEQ);
  }

  isOvertaking(request: SendRequest): boolean {
    return this.#order.isOvertaking(request);
  }

  sent(request: SendRequest, sent: Sent): boolean {
    this.#order.sent(request);
    const { conversation, clientId, seq, isRetry } = sent;
    const answered = this.#answered.get(conversation);
    if (answered?.has(clientId)) {
      // Of a retry no entry comes, unless this stream made the first try as well.
      const isOwn = !isRetry || answered.get(clientId) === seq;
      if (isOwn && !this.#answers.isPast(conversation, seq)) answered.set(clientId, seq);
      else this.#forget(conversation, clientId);
    }
    if (request.clientId !== '' && !this.#mayAnswer(sent)) return this.#hold({ request, sent });
    this.#answers.sent(request, sent);
    return true;
  }

  refused(request: SendRequest, error: ServiceError, draft?: Draft): void {
    this.#order.refused(request, error);
    if (draft !== undefined && this.#answered.get(draft.conversation)?.get(draft.clientId) === NO_SEQ)
      this.#forget(draft.conversation, draft.clientId);
    this.#answers.refused(request, draft?.conversation ?? conversationOf(this.#user, request), error);
  }

  /** Whether this stream has sent the entry itself, and its answer stands for it. True once. */
  hasAnswered({ sender, conversation, clientId }: Entry): boolean {
    return sender === this.#user && this.#forget(conversation, clientId);
  }

  /** The stream has told these entries: answers that waited for them may go. */
  told(entries: readonly Pick<Entry, 'conversation'>[]): void {
    if (this.#held.isEmpty) return;
    for (const { conversation } of entries) this.#answer(conversation);
  }

  /** Everything of the conversation up to `seq` does not come by any more. */
  passed(conversation: string, seq: number): void {
    this.#answer(conversation);
    for (const [clientId, answeredSeq] of this.#answered.get(conversation) ?? []) {
      if (answeredSeq === NO_SEQ || answeredSeq > seq) return;
      this.#forget(conversation, clientId);
    }
  }

  /**
   * The stream tells nothing any more: what would have to wait has no answer, and its client sends it again.
   */
  end(): void {
    this.#isEnding = true;
    for (let left = this.#held.drop(); left > 0; left--) this.#window.answered();
  }

  /** Fulfils when nothing is on its way any more. */
  empty(): Promise<void> {
    return this.#window.empty();
  }

  /** Those that waited, and need not any more. */
  #answer(conversation: string): void {
    for (const { request, sent } of this.#held.take(conversation, (one) => this.#mayAnswer(one))) {
      this.#answers.sent(request, sent);
      this.#window.answered();
    }
  }

  #mayAnswer({ conversation, seq }: Sent): boolean {
    return this.#answers.isPast(conversation, seq - 1);
  }

  /** True where it will never be answered. */
  #hold(answer: Answer): boolean {
    if (this.#isEnding) return true;
    this.#held.add(answer);
    const { conversation, seq } = answer.sent;
    this.#answers.announce({ conversation, lastSeq: seq });
    return false;
  }

  #forget(conversation: string, clientId: string): boolean {
    const answered = this.#answered.get(conversation);
    if (!answered?.delete(clientId)) return false;
    if (answered.size === 0) this.#answered.delete(conversation);
    return true;
  }
}
