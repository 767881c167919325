import { ServiceError } from '#common/errors.ts';
import type { SendRequest } from './send.ts';

/** Of a refusal with another code the client knows that it stands, whenever it sends again. */
const FOR_NOW = ['UNAVAILABLE', 'RESOURCE_EXHAUSTED'];

/**
 * Keeps the sends of one stream in their order after a refusal, where the client counts its attempts (see
 * SessionRequest.attempt): once one is refused for now, those of its attempt and lower ones that came after
 * it are refused too, until a higher attempt begins. Sends of attempt 0 stand for themselves.
 */
export class SendOrder {
  /** Of this attempt and those below it no send is taken any more. */
  #over = 0;
  /** Sends on their way that may be committed, in their order. */
  readonly #onTheirWay = new Set<SendRequest>();

  /** A send has come. @throws ServiceError EARLIER_REFUSED where its attempt is over. */
  begin(request: SendRequest): void {
    if (request.attempt === 0) return;
    if (request.attempt <= this.#over) throw earlierRefused();
    this.#onTheirWay.add(request);
  }

  /** Whether one that came before it has been refused since it began. Only for a send with an attempt. */
  isOvertaking(request: SendRequest): boolean {
    return !this.#onTheirWay.has(request);
  }

  sent(request: SendRequest): void {
    if (request.attempt > 0) this.#onTheirWay.delete(request);
  }

  refused(request: SendRequest, { code }: ServiceError): void {
    const { attempt } = request;
    if (attempt === 0) return;
    if (FOR_NOW.includes(code)) {
      this.#over = Math.max(this.#over, attempt);
      this.#holdBackAfter(request);
    }
    this.#onTheirWay.delete(request);
  }

  #holdBackAfter(refused: SendRequest): void {
    if (!this.#onTheirWay.has(refused)) return;
    let isAfter = false;
    for (const request of this.#onTheirWay) {
      if (isAfter && request.attempt <= refused.attempt) this.#onTheirWay.delete(request);
      isAfter ||= request === refused;
    }
  }
}

export function earlierRefused(): ServiceError {
  return new ServiceError('EARLIER_REFUSED');
}
