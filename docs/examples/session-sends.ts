import { randomUUID } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import type { SendRequest, SendResponse, SendResult } from '#proto/chatterbox/v1/session.ts';
import { detailsOf, isForNow, RefusedError } from './session-errors.ts';

/** What a send needs beside its text in a frame, at most. */
export const OVERHEAD_BYTES = 320;
/** More UTF-16 units than 8,000 code points can have. */
const MAX_TEXT_UNITS = 16_000;
const MAX_NAME = 64;
const AGAIN_MS = 500;
/** The most sends in flight after a refusal: the next refusal refuses all of them. */
const UNDER_WAY = 200;
const LONGEST_MS = 10_000;

/**
 * The sends that have no answer yet, across connections: each goes again, in its order and under its id,
 * until it has one.
 */
export class Sends {
  /** In their order. */
  readonly #unanswered = new Map<string, Unanswered>();
  #unsent: SendRequest[] = [];
  /** Raised when a send was refused for now, so that the server lets none of those after it overtake. */
  #attempt = 1n;
  /** Those of this attempt that were written and not answered. */
  #underWay = 0;
  #againMs = AGAIN_MS;
  /** While it runs nothing is sent. */
  #pause: NodeJS.Timeout | undefined;
  readonly #onUnsent: () => void;

  /** `onUnsent` is called when there is something to send. */
  constructor(onUnsent: () => void) {
    this.#onUnsent = onUnsent;
  }

  get hasUnsent(): boolean {
    return this.#unsent.length > 0 && this.#room > 0;
  }

  /** Of the frame that takes what is unsent. */
  get attempt(): bigint {
    return this.#attempt;
  }

  /** Fulfils when it is committed; rejects with RefusedError. */
  send(friend: string, text: string, clientId: string = uuidv7()): Promise<SendResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<SendResponse>();
    const refusal = this.#refusalOf(friend, text, clientId);
    if (refusal !== undefined) {
      reject(refusal);
      return promise;
    }
    const request = { friend, conversation: '', text, clientId, clientTimeMs: BigInt(Date.now()) };
    this.#unanswered.set(clientId, { request, resolve, reject });
    // In a pause it waits behind those that are to be sent again.
    if (this.#pause !== undefined) return promise;
    this.#unsent.push(request);
    this.#onUnsent();
    return promise;
  }

  /** On a new session, whose attempts begin at 1. */
  begin(): void {
    this.#attempt = 1n;
    this.#sendAll();
  }

  /** As many as fit into a frame that has so much room. */
  take(roomBytes: number): SendRequest[] {
    let left = roomBytes;
    const room = this.#room;
    const count = this.#unsent.findIndex(({ text }, i) => {
      left -= Buffer.byteLength(text) + OVERHEAD_BYTES;
      return left < 0 || i === room;
    });
    const taken = this.#unsent.splice(0, count === -1 ? this.#unsent.length : count);
    this.#underWay += taken.length;
    return taken;
  }

  answer({ clientId, sent, error, attempt }: SendResult): void {
    if (attempt === this.#attempt) {
      this.#underWay--;
      if (this.hasUnsent) this.#onUnsent();
    }
    if (sent !== undefined) {
      this.#againMs = AGAIN_MS;
      sent.clientId = clientId;
      this.#forget(clientId)?.resolve(sent);
      return;
    }
    const { code, message, details } = error ?? { code: status.UNKNOWN, message: 'no result', details: [] };
    const { reason, limit, retryMs } = detailsOf(details);
    if (!isForNow(code, { limit }) && reason !== 'EARLIER_REFUSED')
      this.#forget(clientId)?.reject(new RefusedError(code, message, reason));
    // Those of an earlier attempt are under way again. A server of before the attempts counts none.
    else if (attempt === 0n || attempt === this.#attempt) this.#beginAttempt(retryMs);
  }

  /** Rejects what has no answer. */
  close(reason: Error): void {
    clearTimeout(this.#pause);
    for (const { reject } of this.#unanswered.values()) reject(reason);
    this.#unanswered.clear();
    this.#unsent = [];
  }

  /**
   * What would end the session rather than be refused alone, as it fits into no frame; and what its answer
   * could not name.
   */
  #refusalOf(friend: string, text: string, clientId: string): RefusedError | undefined {
    if (this.#unanswered.has(clientId))
      return new RefusedError(status.ALREADY_EXISTS, 'This id is on its way.', 'CLIENT_ID_REUSED');
    if (text.length <= MAX_TEXT_UNITS && friend.length <= MAX_NAME && clientId.length <= MAX_NAME)
      return undefined;
    return new RefusedError(
      status.INVALID_ARGUMENT,
      'The text, the name or the id is too long.',
      'INVALID_REQUEST',
    );
  }

  get #room(): number {
    return this.#attempt === 1n ? Number.POSITIVE_INFINITY : UNDER_WAY - this.#underWay;
  }

  #forget(clientId: string): Unanswered | undefined {
    const unanswered = this.#unanswered.get(clientId);
    this.#unanswered.delete(clientId);
    return unanswered;
  }

  /**
   * One is refused for now, and all that follow wait with it. Perhaps it was committed; under its id it is
   * safe to ask.
   */
  #beginAttempt(retryMs: number): void {
    if (this.#pause !== undefined) return;
    this.#attempt++;
    this.#unsent = [];
    this.#pause = setTimeout(() => this.#sendAll(), Math.max(retryMs, this.#againMs));
    this.#againMs = Math.min(this.#againMs * 2, LONGEST_MS);
  }

  /** What was committed before gets its first answer. */
  #sendAll(): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#underWay = 0;
    this.#unsent = Array.from(this.#unanswered.values(), ({ request }) => request);
    if (this.hasUnsent) this.#onUnsent();
  }
}

/**
 * A UUIDv7 (RFC 9562): the server's index wants ids that grow with time. Node's pool of random bytes makes it
 * ten times as fast as a library.
 */
function uuidv7(): string {
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

interface Unanswered {
  request: SendRequest;
  resolve(response: SendResponse): void;
  reject(error: Error): void;
}
