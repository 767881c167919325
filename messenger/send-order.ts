import { ServiceError } from '#common/errors.ts';
import type { SendRequest } from './send.ts';

/** Of a refusal with another code the client knows that it stands, whenever it sends again. */
const FOR_NOW = ['UNAVAILABLE', 'RESOURCE_EXHAUSTED'];

/** Conversations of a stream whose first messages were refused; with more of them all sends are held back. */
const MOST_CONVERSATIONS = 1_000;

/**
 * Keeps the sends of one stream in their order after a refusal, where the client counts its attempts (see
 * SessionRequest.attempt): once one is refused for now, those of its attempt and lower ones that came after
 * it are refused too, until a higher attempt begins. A first contact too many may be refused for long, and
 * holds back its own conversation alone. Sends of attempt 0 stand for themselves.
 */
export class SendOrder {
  readonly #conversationOf: (request: SendRequest) => string;
  /** Of this attempt and those below it no send is taken any more. */
  #over = 0;
  /** The same in a conversation. */
  readonly #overIn = new Map<string, number>();
  /** Sends on their way that may be committed, in their order. */
  readonly #onTheirWay = new Set<SendRequest>();

  constructor(conversationOf: (request: SendRequest) => string) {
    this.#conversationOf = conversationOf;
  }

  /** A send has come. @throws ServiceError EARLIER_REFUSED where its attempt is over. */
  begin(request: SendRequest): void {
    if (request.attempt === 0) return;
    if (request.attempt <= this.#over || this.#isOverIn(request)) throw earlierRefused();
    this.#onTheirWay.add(request);
  }

  /** Whether one that came before it has been refused since it began. Only for a send with an attempt. */
  isOvertaking(request: SendRequest): boolean {
    return !this.#onTheirWay.has(request);
  }

  sent(request: SendRequest): void {
    if (request.attempt > 0) this.#onTheirWay.delete(request);
  }

  refused(request: SendRequest, error: ServiceError): void {
    if (request.attempt === 0) return;
    if (FOR_NOW.includes(error.code)) this.#holdBack(request, isFirstContact(error));
    this.#onTheirWay.delete(request);
  }

  #holdBack(refused: SendRequest, isFirstContact: boolean): void {
    const { attempt } = refused;
    const only = isFirstContact && this.#overIn.size < MOST_CONVERSATIONS;
    const conversation = only ? this.#conversationOf(refused) : undefined;
    if (conversation === undefined) this.#over = Math.max(this.#over, attempt);
    else this.#overIn.set(conversation, Math.max(this.#overIn.get(conversation) ?? 0, attempt));
    if (!this.#onTheirWay.has(refused)) return;
    let isAfter = false;
    for (const request of this.#onTheirWay) {
      const isHeldBack = conversation === undefined || this.#conversationOf(request) === conversation;
      if (isAfter && isHeldBack && request.attempt <= attempt) this.#onTheirWay.delete(request);
      isAfter ||= request === refused;
    }
  }

  #isOverIn(request: SendRequest): boolean {
    if (this.#overIn.size === 0) return false;
    const conversation = this.#conversationOf(request);
    const over = this.#overIn.get(conversation) ?? 0;
    if (request.attempt > over) this.#overIn.delete(conversation);
    return request.attempt <= over;
  }
}

/** The limit that a refusal of a first contact names in its metadata. */
export const FIRST_CONTACTS = 'first_contacts';

function isFirstContact({ metadata }: ServiceError): boolean {
  return metadata.limit === FIRST_CONTACTS;
}

export function earlierRefused(): ServiceError {
  return new ServiceError('EARLIER_REFUSED');
}
